// Threads that wait for work, shared by all calls of the process.
#pragma once
#include <stddef.h>

namespace ks {

// Calls task(context, i) for every i below count, on at most that many threads, and returns when
// all are done. Which thread takes which i is left open; what a task computes must not depend on it.
void parallel(int count, void (*task)(void *context, int i), void *context);

// Memory for one call, aligned for any vector and not cleared; kept for later calls.
class Scratch {
  public:
    explicit Scratch(size_t bytes);  // throws std::bad_alloc
    ~Scratch();
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;
    void *memory;

  private:
    size_t bytes_;
};

}  // namespace ks
