// Memory that is about to be written for the first time.
#pragma once
#include <stddef.h>

namespace ks {

// Asks the system for pages of 2 MB in a large output; `output` may be null. XLA and PyTorch take
// such memory from the system in every step and give it back, and to map and zero pages of 4 kB took
// a quarter of the processor time of a training step of an LSTM. Only a hint: where the system has
// no such pages, nothing changes.
void prefer_large_pages(void *output, size_t bytes);

}  // namespace ks
