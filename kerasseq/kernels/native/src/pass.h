// What both directions of a recurrence share: sizes, memory, masks. Included once per instruction
// set, inside its namespace.

constexpr size_t kStretch = 384 * 1024;  // bytes of projections that a thread holds

// Sizes of a problem for one cell and dtype. Units are padded to whole vectors. Projections and
// saved values lie vector by vector with a unit's gates side by side, gradients gate by gate.
template <class C, class T> struct Sizes {
    static constexpr int L = lanes<T>;
    int64_t batch, time, inputs, units, blocks, padded, sums, slots;
    int64_t saved;  // elements that a row keeps of a step
    int tasks;

    explicit Sizes(const KsProblem &p)
        : batch(p.batch), time(p.time), inputs(p.inputs), units(p.units),
          blocks(ceiling(units, L)), padded(blocks * L), sums(padded * C::gates),
          // An odd number of vectors, lest rows fall on the same lines of a cache.
          slots(padded * C::slots + L), saved(padded * C::saved + C::scalars * L) {
        double work = double(batch) * double(time) * double(inputs + units) * double(sums);
        int64_t most = smaller(larger(1, p.threads), batch);
        // Where another process holds one thread up, the others take what it has not begun.
        if (most > 1 && batch >= 32 * most) most *= 2;
        tasks = int(work < 1e6 ? smaller(1, most) : most);  // waking a thread costs as much
    }

    // Elements that the backward pass needs of one row: states, then what steps saved.
    int64_t kept() const { return (time + 1) * padded * C::states + time * saved; }
    int64_t first(int task) const { return batch * task / tasks; }
    int64_t most() const { return ceiling(batch, larger(tasks, 1)); }  // rows of a task
    // Steps at a time, the same for tasks of fewer rows, lest they need more memory.
    int64_t stretch(int64_t width) const {
        int64_t steps = int64_t(kStretch / (size_t(larger(1, most()) * width) * sizeof(T)));
        return larger(1, smaller(steps, time));
    }
};

// Hands out parts of a block, each on a cache line of its own; counts alone without a block.
struct Parts {
    char *base;
    size_t used;
    template <class T> T *take(size_t count) {
        T *part = base ? reinterpret_cast<T *>(base + used) : nullptr;
        used += (count * sizeof(T) + 63) / 64 * 64;
        return part;
    }
};

template <class T> KS_INLINE const T *in(const void *p) { return static_cast<const T *>(p); }
template <class T> KS_INLINE T *out(void *p) { return static_cast<T *>(p); }

template <class T> KS_INLINE void zero(T *to, int64_t count) {
    __builtin_memset(to, 0, size_t(count) * sizeof(T));
}
template <class T> KS_INLINE void copy(T *to, const T *from, int64_t count) {
    __builtin_memcpy(to, from, size_t(count) * sizeof(T));
}

// (rows, units) to and from (rows, padded); zeros without a source.
template <class T>
void widen(T *to, const T *from, int64_t rows, int64_t units, int64_t padded) {
    zero(to, rows * padded);
    if (from)
        for (int64_t r = 0; r < rows; ++r) copy(to + r * padded, from + r * units, units);
}
template <class T>
void narrow(T *to, const T *from, int64_t rows, int64_t units, int64_t padded) {
    for (int64_t r = 0; r < rows; ++r) copy(to + r * units, from + r * padded, units);
}

// Rows of (timestep, row) order walked against inputs of (row, timestep) order, the longer way
// inside. `ld` is the length of a row of the former.
inline Walk walk_inputs(int64_t steps, int64_t rows, int64_t time, int64_t inputs, ptrdiff_t ld,
                        bool backwards) {
    ptrdiff_t along = backwards ? -ptrdiff_t(inputs) : ptrdiff_t(inputs), across = time * inputs;
    if (rows >= steps) return {steps, rows, along, across, rows * ld, ld};
    return {rows, steps, across, along, ld, rows * ld};
}

// Small constants, [block][constant][lane]: the inner gate's own bias, or the cell's extra weights.
template <class C, class T>
void pack_small(const KsProblem &p, const Sizes<C, T> &s, T *to) {
    const T *from = in<T>(p.extra);
    if (C::inner >= 0) from = p.bias ? in<T>(p.bias) + (C::gates + C::inner) * s.units : nullptr;
    for (int64_t b = 0; b < s.blocks; ++b)
        for (int k = 0; k < C::small; ++k, to += s.L)
            store(to, from ? load(from + k * s.units + b * s.L, s.units - b * s.L) : Vec<T>{});
}

// Which rows count at a step, and which show their state rather than zeros.
struct Marks {
    uint8_t *counts, *shows, *seen;
    int64_t rows;
    bool any;

    void at(const KsProblem &p, int64_t first, int64_t t) {
        any = !p.mask;
        if (!p.mask) return;
        int64_t place = p.go_backwards ? p.time - 1 - t : t;
        for (int64_t r = 0; r < rows; ++r) {
            counts[r] = p.mask[(first + r) * p.time + place] != 0;
            seen[r] |= counts[r];
            shows[r] = p.zero_output ? counts[r] : seen[r];
            any |= counts[r] != 0;
        }
    }
};

// One pass over some rows of the batch: what both directions share.
template <class C, class T> struct Pass {
    static constexpr int L = lanes<T>, G = C::gates;
    const KsProblem &p;
    Sizes<C, T> s;
    Functions f;
    T *small;

    Pass(const KsProblem &problem, Parts &parts)
        : p(problem), s(problem), f{problem.activation, problem.recurrent_activation},
          small(parts.take<T>(size_t(s.padded * C::small))) {}

    const T *inputs_at(int64_t first, int64_t t) const {
        return in<T>(p.x) + (first * s.time + (p.go_backwards ? s.time - 1 - t : t)) * s.inputs;
    }
    // What a task keeps for the backward pass: states before the first step and after each, h then
    // c, each (time + 1, rows, padded); then the saved values, (time, rows, padded, saved).
    T *kept(int64_t first) const {
        return p.reserve ? out<T>(p.reserve) + first * s.kept() : nullptr;
    }
};

template <class C, class T> size_t reserve_size(const KsProblem &p) {
    Sizes<C, T> s(p);
    return size_t(s.batch * s.kept());
}
