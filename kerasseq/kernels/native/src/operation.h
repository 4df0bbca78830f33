// The operations that a framework registers, whichever it is: inputs are checked against each other,
// and outputs written where the framework has them.
//
// `Call` is one call of a framework. Its first fault is reported and ends it (`good` is false then,
// and everything it gives is null):
//   bool good(), void invalid(message), void exhausted(message)
//   int rank(i), int64_t size(i, axis), bool wide(i): of input i
//   const void *data(i, name, count, optional), bytes(...) of booleans: of input i, which has
//     `count` elements; null where it has none, and `optional` says that it may
//   void *output(i, rank, shape, wide), void *like(i, input, wide): where output i goes; null where
//     it has no elements
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "problem.h"

extern "C" {
size_t ks_reserve(const KsProblem *, int);
int ks_forward(const KsProblem *, int);
int ks_backward(const KsProblem *, int);
int ks_linear(const KsLinear *, int);
int ks_linear_gradient(const KsLinear *, int);
int ks_chain(const KsChain *, int);
int ks_chain_gradient(const KsChain *, int);
}

namespace ks {

// Attributes of a recurrence, in this order.
struct Settings {
    int32_t cell, activation, recurrent_activation, go_backwards, zero_output, threads, sequences,
        keep;
};

inline int64_t gates_of(int cell) {
    switch (cell) {
    case KS_GRU: case KS_COUPLED: return 3;
    case KS_SIMPLE: return 1;
    default: return 4;
    }
}

inline int64_t extra_of(int cell) {
    return cell == KS_PEEPHOLE ? 3 : cell == KS_LAYERNORM ? 10 : 0;
}

template <class Call> void finish(Call &call, int code) {
    if (code) call.exhausted("a layer ran out of memory");
}

// The first nine inputs of both operations: x, kernel, recurrent kernel, bias, extra weights, h, c,
// mask, recurrent mask.
template <class Call> KsProblem problem(Call &call, const Settings &s, bool &wide) {
    KsProblem p = {};
    p.cell = s.cell, p.activation = s.activation, p.recurrent_activation = s.recurrent_activation;
    p.go_backwards = s.go_backwards, p.zero_output = s.zero_output, p.threads = s.threads;
    int ranks[] = {call.rank(0), call.rank(2)};
    if (!call.good()) return p;
    if (ranks[0] != 3 || ranks[1] != 2) {
        call.invalid("x must be (batch, time, inputs), and the recurrent kernel a matrix");
        return p;
    }
    wide = call.wide(0);
    p.batch = call.size(0, 0), p.time = call.size(0, 1), p.inputs = call.size(0, 2);
    p.units = call.size(2, 0);
    int64_t columns = gates_of(s.cell) * p.units, states = p.batch * p.units;
    p.x = call.data(0, "x", p.batch * p.time * p.inputs);
    p.kernel = call.data(1, "kernel", p.inputs * columns);
    p.recurrent = call.data(2, "recurrent kernel", p.units * columns);
    p.bias = call.data(3, "bias", s.cell == KS_GRU ? 2 * columns : columns, true);
    p.extra = call.data(4, "extra weights", extra_of(s.cell) * p.units);
    p.h0 = call.data(5, "h", states, true), p.c0 = call.data(6, "c", states, true);
    p.mask = static_cast<const uint8_t *>(call.bytes(7, "mask", p.batch * p.time, true));
    p.recurrent_mask = call.data(8, "recurrent mask", states, true);
    return p;
}

// Outputs: all outputs, h, c, and what the backward pass needs; the first and the last are empty
// unless asked for.
template <class Call> void forward(Call &call, const Settings &s) {
    bool wide = false;
    KsProblem p = problem(call, s, wide);
    if (!call.good()) return;
    int64_t sequence[] = {p.batch, s.sequences ? p.time : 0, p.units};
    int64_t state[] = {p.batch, p.units};
    int64_t reserve[] = {s.keep ? int64_t(ks_reserve(&p, wide)) : 0};
    p.y = call.output(0, 3, sequence, wide);
    p.h = call.output(1, 2, state, wide), p.c = call.output(2, 2, state, wide);
    p.reserve = call.output(3, 1, reserve, wide);
    if (call.good()) finish(call, ks_forward(&p, wide));
}

// Further inputs: what the forward pass kept, and the gradients of its outputs. Outputs: the
// gradients of the first seven inputs.
template <class Call> void backward(Call &call, const Settings &s) {
    bool wide = false;
    KsProblem p = problem(call, s, wide);
    if (!call.good()) return;
    int64_t states = p.batch * p.units;
    p.reserve = const_cast<void *>(call.data(9, "reserve", int64_t(ks_reserve(&p, wide))));
    p.dy = call.data(10, "gradient of the outputs", p.batch * p.time * p.units, true);
    p.dh = call.data(11, "gradient of h", states, true);
    p.dc = call.data(12, "gradient of c", states, true);
    void **gradients[] = {&p.dx, &p.dkernel, &p.drecurrent, &p.dbias, &p.dextra, &p.dh0, &p.dc0};
    for (int i = 0; i < 7; ++i) *gradients[i] = call.like(i, i, wide);
    if (call.good()) finish(call, ks_backward(&p, wide));
}

// The first input, a: (parts, batch, time, units).
template <class Call> KsLinear linear_problem(Call &call, int32_t threads, bool &wide) {
    KsLinear p = {};
    p.threads = threads;
    int rank = call.rank(0);
    if (!call.good()) return p;
    if (rank != 4) {
        call.invalid("a must be (parts, batch, time, units)");
        return p;
    }
    wide = call.wide(0);
    p.parts = int32_t(call.size(0, 0)), p.batch = call.size(0, 1);
    p.time = call.size(0, 2), p.units = call.size(0, 3);
    p.a = call.data(0, "a", p.parts * p.batch * p.time * p.units);
    return p;
}

// Further inputs: b, and h of (parts, batch, units). Output: every h.
template <class Call> void linear(Call &call, int32_t threads) {
    bool wide = false;
    KsLinear p = linear_problem(call, threads, wide);
    int64_t all = p.parts * p.batch * p.time * p.units;
    p.b = call.data(1, "b", all), p.h0 = call.data(2, "h", p.parts * p.batch * p.units, true);
    p.trail = call.like(0, 0, wide);
    if (call.good()) finish(call, ks_linear(&p, wide));
}

// Further inputs: h, every h and its gradient. Outputs: the gradients of a, b and h.
template <class Call> void linear_gradient(Call &call, int32_t threads) {
    bool wide = false;
    KsLinear p = linear_problem(call, threads, wide);
    int64_t all = p.parts * p.batch * p.time * p.units;
    p.h0 = call.data(1, "h", p.parts * p.batch * p.units, true);
    p.trail = const_cast<void *>(call.data(2, "trail", all));
    p.dtrail = call.data(3, "gradient of the trail", all);
    p.da = call.like(0, 0, wide), p.db = call.like(1, 0, wide), p.dh0 = call.like(2, 1, wide);
    if (call.good()) finish(call, ks_linear_gradient(&p, wide));
}

// The first inputs: unary scores, (batch, time, labels), transitions and mask.
template <class Call> KsChain chain_problem(Call &call, int32_t threads, bool &wide) {
    KsChain p = {};
    p.threads = threads;
    int rank = call.rank(0);
    if (!call.good()) return p;
    if (rank != 3) {
        call.invalid("the unary scores must be (batch, time, labels)");
        return p;
    }
    wide = call.wide(0);
    p.batch = call.size(0, 0), p.time = call.size(0, 1), p.labels = call.size(0, 2);
    p.unary = call.data(0, "unary scores", p.batch * p.time * p.labels);
    p.transitions = call.data(1, "transitions", p.labels * p.labels);
    p.mask = static_cast<const uint8_t *>(call.bytes(2, "mask", p.batch * p.time, false));
    return p;
}

// Output: the logarithm of the sum over all paths, (batch).
template <class Call> void chain(Call &call, int32_t threads) {
    bool wide = false;
    KsChain p = chain_problem(call, threads, wide);
    p.total = call.output(0, 1, &p.batch, wide);
    if (call.good()) finish(call, ks_chain(&p, wide));
}

// A further input: the gradient of the output. Outputs: the gradients of the scores.
template <class Call> void chain_gradient(Call &call, int32_t threads) {
    bool wide = false;
    KsChain p = chain_problem(call, threads, wide);
    p.gradient = call.data(3, "gradient of the sum", p.batch);
    p.dunary = call.like(0, 0, wide), p.dtransitions = call.like(1, 1, wide);
    if (call.good()) finish(call, ks_chain_gradient(&p, wide));
}

}  // namespace ks
