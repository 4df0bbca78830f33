#include "pages.h"

#include <stdint.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ks {

void prefer_large_pages(void *output, size_t bytes) {
#if defined(MADV_HUGEPAGE)
    constexpr uintptr_t page = uintptr_t(2) << 20;
    uintptr_t start = reinterpret_cast<uintptr_t>(output);
    uintptr_t from = (start + page - 1) / page * page, to = (start + bytes) / page * page;
    if (output && to > from) madvise(reinterpret_cast<void *>(from), to - from, MADV_HUGEPAGE);
#else
    (void)output, (void)bytes;
#endif
}

}  // namespace ks
