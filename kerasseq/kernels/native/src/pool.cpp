#include "pool.h"

#include <stdlib.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace ks {
namespace {

// One job at a time; a second caller meanwhile does its own tasks alone, so that calls from many
// threads neither wait for each other nor start more threads than there are cores.
class Pool {
  public:
    void run(int count, void (*task)(void *, int), void *context) {
        if (count <= 1 || !busy_.try_lock()) {
            for (int i = 0; i < count; ++i) task(context, i);
            return;
        }
        std::lock_guard<std::mutex> owner(busy_, std::adopt_lock);
        try {
            while (workers_ < count - 1) {
                std::thread([this] { work(); }).detach();
                ++workers_;
            }
        } catch (const std::system_error &) {  // the caller does what they would have done
        }
        {
            std::lock_guard<std::mutex> lock(mutex_);
            task_ = task;
            context_ = context;
            count_ = count;
            next_ = 0;
            left_ = count;
        }
        wake_.notify_all();
        std::unique_lock<std::mutex> lock(mutex_);
        take(lock);
        done_.wait(lock, [this] { return left_ == 0; });
        count_ = 0;
    }

  private:
    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return next_ < count_; });
            take(lock);
        }
    }

    // Does tasks until none is left to take; holds the lock in between.
    void take(std::unique_lock<std::mutex> &lock) {
        while (next_ < count_) {
            int i = next_++;
            lock.unlock();
            task_(context_, i);
            lock.lock();
            if (--left_ == 0) done_.notify_all();
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_, done_;
    void (*task_)(void *, int) = nullptr;
    void *context_ = nullptr;
    int count_ = 0, next_ = 0, left_ = 0, workers_ = 0;
};

// Blocks that no call is using. A call takes one that is large enough, or trades the largest for
// a larger one: there are never more than calls that ran at a time.
struct Block {
    void *memory;
    size_t bytes;
};

// Never destroyed: threads may outlive the static objects of the process. A fork has none of the
// threads, and locks as they were, so that the child starts over.
Pool *pool = nullptr;
std::mutex *blocks_mutex = nullptr;
std::vector<Block> *blocks = nullptr;

void renew() {
    pool = new Pool;
    blocks_mutex = new std::mutex;
    blocks = new std::vector<Block>;
}

struct Start {
    Start() {
        renew();
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, renew);
#endif
    }
} start;

}  // namespace

void parallel(int count, void (*task)(void *, int), void *context) {
    pool->run(count, task, context);
}

Scratch::Scratch(size_t bytes) : memory(nullptr), bytes_((bytes + 4095) / 4096 * 4096) {
    std::lock_guard<std::mutex> lock(*blocks_mutex);
    size_t found = 0;
    for (size_t i = 1; i < blocks->size(); ++i)
        if ((*blocks)[i].bytes > (*blocks)[found].bytes) found = i;
    if (!blocks->empty()) {
        Block block = (*blocks)[found];
        blocks->erase(blocks->begin() + ptrdiff_t(found));
        if (block.bytes >= bytes_) {
            memory = block.memory;
            bytes_ = block.bytes;
            return;
        }
        free(block.memory);
    }
    blocks->reserve(blocks->size() + 1);  // so that giving it back cannot fail
    if (posix_memalign(&memory, 4096, bytes_ ? bytes_ : 4096)) throw std::bad_alloc();
}

Scratch::~Scratch() {
    std::lock_guard<std::mutex> lock(*blocks_mutex);
    if (blocks->size() < blocks->capacity()) blocks->push_back({memory, bytes_});
    else free(memory);
}

}  // namespace ks
