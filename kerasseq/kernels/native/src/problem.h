// One pass of a recurrent layer, forward or backward: what crosses the C interface.
#pragma once
#include <stddef.h>
#include <stdint.h>

extern "C" {

enum KsCell { KS_LSTM, KS_GRU, KS_SIMPLE, KS_PEEPHOLE, KS_COUPLED, KS_LAYERNORM, KS_CELLS };
enum KsActivation { KS_TANH, KS_SIGMOID, KS_RELU, KS_LINEAR, KS_HARD_SIGMOID, KS_ACTIVATIONS };

// Arrays are dense, row by row, in the layouts of Keras, of one dtype; a pointer may be null
// where its array is absent. Shapes, with b rows, t timesteps, i inputs, u units, g gates:
//   x (b, t, i)  kernel (i, g u)  recurrent (u, g u)  h, c, recurrent_mask (b, u)
//   bias (g u), of a GRU (2, 3 u)  extra: the cell's small weights, one after the other
//   mask (b, t): bytes, zero where a step is skipped
//   y (b, t, u): outputs in the order of the run  reserve: ks_reserve() elements
// A gradient has the shape of what it belongs to.
struct KsProblem {
    int32_t cell, activation, recurrent_activation;
    int32_t go_backwards;     // run from the last timestep
    int32_t zero_output;      // a skipped step shows zeros instead of the previous output
    int32_t threads;
    int64_t batch, time, inputs, units;

    const void *x, *kernel, *recurrent, *bias, *extra, *h0, *c0, *recurrent_mask;
    const uint8_t *mask;
    void *y, *h, *c;
    void *reserve;            // written by forward if there, read by backward

    const void *dy, *dh, *dc;
    void *dx, *dkernel, *drecurrent, *dbias, *dextra, *dh0, *dc0;
};

// h = a h' + b over time, elementwise; complex where there are two parts, one after the other:
// a, b, trail (parts, b, t, u), h0 (parts, b, u).
struct KsLinear {
    int32_t parts, threads;
    int64_t batch, time, units;
    const void *a, *b, *h0;
    void *trail;
    const void *dtrail;
    void *da, *db, *dh0;
};

// The logarithm of the sum of e^score over all paths through a linear chain of n labels:
//   unary (b, t, n)  transitions (n, n)  mask (b, t): bytes, zero where a step is skipped
//   total, and its gradient (b)
struct KsChain {
    int32_t threads;
    int64_t batch, time, labels;
    const void *unary, *transitions;
    const uint8_t *mask;
    void *total;
    const void *gradient;
    void *dunary, *dtransitions;
};

}  // extern "C"

namespace ks {

// What each instruction set provides; one table per set, chosen when the library is loaded.
struct Kernels {
    const char *name;
    size_t (*reserve)(const KsProblem &, bool wide);
    void (*forward)(const KsProblem &, bool wide);
    void (*backward)(const KsProblem &, bool wide);
    void (*linear)(const KsLinear &, bool wide);
    void (*linear_gradient)(const KsLinear &, bool wide);
    void (*chain)(const KsChain &, bool wide);
    void (*chain_gradient)(const KsChain &, bool wide);
};

extern const Kernels portable;
#if defined(__x86_64__)
extern const Kernels avx2, avx512;
#endif

}  // namespace ks
