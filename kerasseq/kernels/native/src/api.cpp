// The C interface: checks nothing, throws nothing, picks the instruction set.
#include <stdlib.h>
#include <string.h>

#include <new>

#include "problem.h"

namespace ks {
namespace {

// KERASSEQ_INSTRUCTIONS narrows the choice, for tests and comparisons.
const Kernels &choose() {
#if defined(__x86_64__)
    const char *wanted = getenv("KERASSEQ_INSTRUCTIONS");
    __builtin_cpu_init();
    bool has2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool has512 = has2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (wanted && !strcmp(wanted, "portable")) return portable;
    if (wanted && !strcmp(wanted, "avx2")) has512 = false;
    if (has512) return avx512;
    if (has2) return avx2;
#endif
    return portable;
}

const Kernels &kernels() {
    static const Kernels &chosen = choose();
    return chosen;
}

// 0, or 1 where memory ran out.
template <class P> int guarded(void (*run)(const P &, bool), const P *problem, int wide) {
    try {
        run(*problem, wide != 0);
        return 0;
    } catch (const std::bad_alloc &) {
        return 1;
    }
}

}  // namespace
}  // namespace ks

#define KS_EXPORT __attribute__((visibility("default")))

extern "C" {

KS_EXPORT const char *ks_instructions() { return ks::kernels().name; }

KS_EXPORT size_t ks_reserve(const KsProblem *p, int wide) { return ks::kernels().reserve(*p, wide != 0); }

KS_EXPORT int ks_forward(const KsProblem *p, int wide) {
    return ks::guarded(ks::kernels().forward, p, wide);
}
KS_EXPORT int ks_backward(const KsProblem *p, int wide) {
    return ks::guarded(ks::kernels().backward, p, wide);
}
KS_EXPORT int ks_linear(const KsLinear *p, int wide) { return ks::guarded(ks::kernels().linear, p, wide); }
KS_EXPORT int ks_linear_gradient(const KsLinear *p, int wide) {
    return ks::guarded(ks::kernels().linear_gradient, p, wide);
}
KS_EXPORT int ks_chain(const KsChain *p, int wide) { return ks::guarded(ks::kernels().chain, p, wide); }
KS_EXPORT int ks_chain_gradient(const KsChain *p, int wide) {
    return ks::guarded(ks::kernels().chain_gradient, p, wide);
}

}  // extern "C"
