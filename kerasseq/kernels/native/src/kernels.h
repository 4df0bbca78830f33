// All kernels for one instruction set: included once per set, with KS_SET its name, KS_BYTES the
// width of its registers and KS_ROWS the rows of a register block.
//
// What is here is compiled for machines that not every user has. It must not be shared with other
// sources, so nothing of the standard library that is a template is used inside.
#include "pages.h"
#include "pool.h"
#include "problem.h"

#define KS_INLINE inline __attribute__((always_inline))
#define KS_NOINLINE __attribute__((noinline))

namespace ks {
namespace {  // one copy per instruction set
#include "vec.h"
// in this order
#include "gemm.h"
// in this order
#include "cells.h"
// in this order
#include "layernorm.h"
// in this order
#include "pass.h"
// in this order
#include "forward.h"
// in this order
#include "backward.h"
// in this order
#include "entry.h"
// in this order
#include "linear.h"
// in this order
#include "chain.h"

template <class C> struct Cell {
    static size_t reserve(const KsProblem &p, bool wide) {
        return wide ? reserve_size<C, double>(p) : reserve_size<C, float>(p);
    }
    static void forward_(const KsProblem &p, bool wide) {
        wide ? forward<C, double>(p) : forward<C, float>(p);
    }
    static void backward_(const KsProblem &p, bool wide) {
        wide ? backward<C, double>(p) : backward<C, float>(p);
    }
};

// Calls F::of<Cell> for the cell of a problem.
#define KS_BY_CELL(result, call)                                  \
    switch (p.cell) {                                             \
    case KS_GRU: result Cell<GRU>::call; break;                   \
    case KS_SIMPLE: result Cell<Simple>::call; break;             \
    case KS_PEEPHOLE: result Cell<Peephole>::call; break;         \
    case KS_COUPLED: result Cell<Coupled>::call; break;           \
    case KS_LAYERNORM: result Cell<LayerNorm>::call; break;       \
    default: result Cell<LSTM>::call;                             \
    }

size_t any_reserve(const KsProblem &p, bool wide) {
    size_t size;
    KS_BY_CELL(size =, reserve(p, wide))
    return size;
}
void any_forward(const KsProblem &p, bool wide) { KS_BY_CELL(, forward_(p, wide)) }
void any_backward(const KsProblem &p, bool wide) { KS_BY_CELL(, backward_(p, wide)) }
void any_linear(const KsLinear &p, bool wide) { wide ? linear<double>(p) : linear<float>(p); }
void any_linear_gradient(const KsLinear &p, bool wide) {
    wide ? linear_gradient<double>(p) : linear_gradient<float>(p);
}
void any_chain(const KsChain &p, bool wide) { wide ? chain<double>(p) : chain<float>(p); }
void any_chain_gradient(const KsChain &p, bool wide) {
    wide ? chain_gradient<double>(p) : chain_gradient<float>(p);
}

}  // namespace

extern const Kernels KS_SET;
const Kernels KS_SET = {KS_NAME, any_reserve, any_forward, any_backward, any_linear,
                        any_linear_gradient, any_chain, any_chain_gradient};

}  // namespace ks
