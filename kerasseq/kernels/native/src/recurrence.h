// A recurrence over a batch of sequences. Threads split the batch and run the whole sequence
// without meeting; a thread projects the inputs of a stretch of timesteps at a time, so that
// projections and their gradients stay in its cache. Included once per instruction set, inside
// its namespace.

constexpr size_t kStretch = 384 * 1024;  // bytes of projections that a thread holds

// Sizes of a problem for one cell and dtype. Units are padded to whole vectors. Projections and
// saved values lie vector by vector with a unit's gates side by side, gradients gate by gate.
template <class C, class T> struct Sizes {
    static constexpr int L = lanes<T>;
    int64_t batch, time, inputs, units, blocks, padded, sums, slots;
    int tasks;

    explicit Sizes(const KsProblem &p)
        : batch(p.batch), time(p.time), inputs(p.inputs), units(p.units),
          blocks(ceiling(units, L)), padded(blocks * L), sums(padded * C::gates),
          // An odd number of vectors, lest rows fall on the same lines of a cache.
          slots(padded * C::slots + L) {
        double work = double(batch) * double(time) * double(inputs + units) * double(sums);
        int64_t most = smaller(p.threads, batch);
        tasks = int(work < 1e6 ? smaller(1, most) : most);  // waking a thread costs as much
    }

    int64_t first(int task) const { return batch * task / tasks; }
    int64_t stretch(int64_t rows, int64_t width) const {
        int64_t steps = int64_t(kStretch / (size_t(rows * width) * sizeof(T)));
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
        int64_t row = (s.time + 1) * s.padded * C::states + s.time * s.padded * C::saved;
        return p.reserve ? out<T>(p.reserve) + first * row : nullptr;
    }
};

template <class C, class T> size_t reserve_size(const KsProblem &p) {
    Sizes<C, T> s(p);
    int64_t row = (s.time + 1) * s.padded * C::states + s.time * s.padded * C::saved;
    return size_t(s.batch * row);
}

// Forward

template <class C, class T> struct Forward : Pass<C, T> {
    using Base = Pass<C, T>;
    using Base::f, Base::G, Base::L, Base::p, Base::s, Base::small;
    static constexpr int wide = G < kPanel ? kPanel / G : 1;  // blocks of units in a packed panel

    T *kernel, *recurrent, *bias;
    char *work;
    size_t each;  // bytes of work per task

    Forward(const KsProblem &problem, Parts &parts) : Base(problem, parts) {
        kernel = parts.take<T>(packed_size<T>(s.inputs, s.sums));
        recurrent = parts.take<T>(packed_size<T>(s.units, s.sums));
        bias = parts.take<T>(size_t(s.sums));
        Parts own{nullptr, 0};
        Work(*this, own, ceiling(s.batch, larger(s.tasks, 1)));
        each = own.used;
        work = parts.take<char>(each * size_t(s.tasks));
    }

    struct Work {
        int64_t most;  // steps of a stretch
        T *projected, *states, *dropped;
        Marks marks;
        Work(const Forward &o, Parts &parts, int64_t rows) : most(o.s.stretch(rows, o.s.sums)) {
            int64_t area = rows * o.s.padded;
            projected = parts.take<T>(size_t(most * rows * o.s.sums));
            states = parts.take<T>(size_t(2 * C::states * area));
            dropped = parts.take<T>(size_t(o.p.recurrent_mask ? area : 0));
            uint8_t *bytes = parts.take<uint8_t>(size_t(3 * rows));
            marks = {bytes, bytes + rows, bytes + 2 * rows, rows, true};
        }
    };

    void pack_weights() {
        const T *w = in<T>(p.kernel), *r = in<T>(p.recurrent), *b = in<T>(p.bias);
        int64_t units = s.units, width = units * G;
        auto vector = [&](const T *row, int64_t v) {
            return load(row + v % G * units + v / G * L, units - v / G * L);
        };
        pack<T>(kernel, s.inputs, s.blocks * G, kPanel,
                [&](int64_t k, int64_t v) { return vector(w + k * width, v); });
        int64_t whole = s.blocks / wide * wide * G;
        pack<T>(recurrent, units, whole, wide * G,
                [&](int64_t k, int64_t v) { return vector(r + k * width, v); });
        pack<T>(recurrent + units * whole * L, units, s.blocks * G - whole, G,
                [&](int64_t k, int64_t v) { return vector(r + k * width, whole + v); });
        for (int64_t v = 0; v < s.blocks * G; ++v) {
            Vec<T> sum = b ? vector(b, v) : Vec<T>{};
            // A second bias, where the two only ever meet in a sum.
            if (b && C::inner >= 0 && v % G != C::inner) sum += vector(b + width, v);
            store(bias + v * L, sum);
        }
        pack_small<C, T>(p, s, small);
    }

    // What one step reads and writes; states and outputs of the first row.
    struct Step {
        const T *projected, *seen, *h_old, *c_old;
        T *h, *c, *save, *y;
        const Marks *marks;
    };

    // One step of UB blocks of units from `block` on.
    template <int UB>
    void advance_blocks(const Step &step, int64_t rows, const T *weights, int64_t block) const {
        constexpr int tile_width = UB * G * L;
        by_rows(rows, [&](int64_t row, int count) {
            T tile[KS_ROWS * tile_width];
            const T *projected = step.projected + row * s.sums + block * G * L;
            ptrdiff_t ld = s.sums;
            if (C::inner >= 0) {  // this gate's sum starts without its inputs
                for (int r = 0; r < count; ++r)
                    for (int v = 0; v < UB * G; ++v)
                        store(tile + r * tile_width + v * L,
                              v % G == C::inner ? load(small + (block + v / G) * C::small * L)
                                                : load(projected + r * s.sums + v * L));
                projected = tile, ld = tile_width;
            }
            multiply_rows<T, UB * G>(count, projected, ld, step.seen + row * s.padded, s.padded,
                                     weights, s.units, tile, tile_width);
            for (int r = 0; r < count; ++r)
                for (int u = 0; u < UB; ++u)
                    finish(step, row + r, block + u, tile + r * tile_width + u * G * L);
        });
    }

    KS_NOINLINE void finish(const Step &step, int64_t row, int64_t block, const T *tile) const {
        int64_t unit = block * L, at = row * s.padded + unit;
        Vec<T> sums[G], h = load(step.h_old + at), c = {};
        for (int g = 0; g < G; ++g) sums[g] = load(tile + g * L);
        if (C::states > 1) c = load(step.c_old + at);
        const Marks *marks = step.marks;
        if (!marks || marks->counts[row])
            C::template forward<T>(f, small + unit * C::small, sums,
                                   step.projected + row * s.sums + unit * G, h, c,
                                   step.save ? step.save + at * C::saved : nullptr);
        store(step.h + at, h);
        if (C::states > 1) store(step.c + at, c);
        if (step.y)
            store(step.y + row * s.time * s.units + unit,
                  marks && !marks->shows[row] ? Vec<T>{} : h, s.units - unit);
    }

    void advance(const Step &step, int64_t rows) const {
        int64_t block = 0;
        const T *weights = recurrent;
        for (; block + wide <= s.blocks; block += wide, weights += s.units * wide * G * L)
            advance_blocks<wide>(step, rows, weights, block);
        for (; block < s.blocks; ++block, weights += s.units * G * L)
            advance_blocks<1>(step, rows, weights, block);
    }

    void run(int task) const {
        int64_t first = s.first(task), rows = s.first(task + 1) - first, time = s.time;
        Parts parts{work + each * size_t(task), 0};
        Work own(*this, parts, rows);
        int64_t area = rows * s.padded;
        T *kept = this->kept(first), *saved = kept ? kept + (time + 1) * area * C::states : nullptr;
        // The states after t steps: all of them are kept, or the last two in turn.
        auto h_at = [&](int64_t t) { return kept ? kept + t * area : own.states + (t & 1) * area; };
        auto c_at = [&](int64_t t) {
            return kept ? kept + (time + 1 + t) * area : own.states + (2 + (t & 1)) * area;
        };
        const T *h0 = in<T>(p.h0), *c0 = in<T>(p.c0), *drop = in<T>(p.recurrent_mask);
        int64_t offset = first * s.units;
        widen(h_at(0), h0 ? h0 + offset : nullptr, rows, s.units, s.padded);
        if (C::states > 1) widen(c_at(0), c0 ? c0 + offset : nullptr, rows, s.units, s.padded);
        zero(own.marks.seen, rows);
        for (int64_t t = 0; t < time; ++t) {
            int64_t place = t % own.most;
            if (place == 0)
                product(walk_inputs(smaller(own.most, time - t), rows, time, s.inputs, s.sums,
                                    p.go_backwards != 0),
                        this->inputs_at(first, t), kernel, bias, own.projected, s.inputs, s.sums,
                        false);
            own.marks.at(p, first, t);
            Step step{own.projected + place * rows * s.sums, h_at(t), h_at(t), nullptr,
                      h_at(t + 1), nullptr, saved ? saved + t * area * C::saved : nullptr,
                      p.y ? out<T>(p.y) + (first * time + t) * s.units : nullptr,
                      p.mask ? &own.marks : nullptr};
            if (C::states > 1) step.c_old = c_at(t), step.c = c_at(t + 1);
            if (drop) {
                dropped(own.dropped, step.h_old, drop + offset, rows);
                step.seen = own.dropped;
            }
            advance(step, rows);
        }
        if (p.h) narrow(out<T>(p.h) + offset, h_at(time), rows, s.units, s.padded);
        if (C::states > 1 && p.c) narrow(out<T>(p.c) + offset, c_at(time), rows, s.units, s.padded);
    }

    void dropped(T *to, const T *h, const T *drop, int64_t rows) const {
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t u = 0; u < s.units; ++u)
                to[r * s.padded + u] = h[r * s.padded + u] * drop[r * s.units + u];
    }
};

// Backward

template <class C, class T> struct Backward : Pass<C, T> {
    using Base = Pass<C, T>;
    using Base::f, Base::G, Base::L, Base::p, Base::s, Base::small;

    int64_t width;         // columns of a gradient of sums: `count` slots
    T *kernel, *recurrent; // transposed
    T *partial;            // per task: gradients of recurrent, kernel, slots and small constants
    size_t each_partial;
    char *work;
    size_t each;

    Backward(const KsProblem &problem, Parts &parts) : Base(problem, parts) {
        width = s.padded * C::count;
        kernel = parts.take<T>(p.dx ? packed_size<T>(width, s.inputs) : 0);
        recurrent = parts.take<T>(packed_size<T>(width, s.units));
        each_partial = size_t((s.units + s.inputs) * width + s.slots + s.padded * C::dsmall);
        each_partial = (each_partial + 63) / 64 * 64;
        partial = parts.take<T>(each_partial * size_t(s.tasks));
        Parts own{nullptr, 0};
        Work(*this, own, ceiling(s.batch, larger(s.tasks, 1)));
        each = own.used;
        work = parts.take<char>(each * size_t(s.tasks));
    }

    struct Work {
        int64_t most;
        T *slots, *dh, *dc, *product, *dropped;
        Marks marks;
        uint8_t *shows;  // of all steps, since they are found forwards
        Work(const Backward &o, Parts &parts, int64_t rows) : most(o.s.stretch(rows, o.s.slots)) {
            int64_t area = rows * o.s.padded;
            bool drop = o.p.recurrent_mask != nullptr;
            slots = parts.take<T>(size_t(most * rows * o.s.slots));
            dh = parts.take<T>(size_t(area));
            dc = parts.take<T>(size_t(C::states > 1 ? area : 0));
            product = parts.take<T>(size_t(drop ? area : 0));
            dropped = parts.take<T>(size_t(drop ? most * area : 0));
            uint8_t *bytes = parts.take<uint8_t>(size_t(3 * rows));
            marks = {bytes, bytes + rows, bytes + 2 * rows, rows, true};
            shows = parts.take<uint8_t>(size_t(o.p.mask ? 2 * rows * o.s.time : 0));
        }
    };

    // Rows are slots of gradients, in their order; columns are inputs, or units of the old state.
    void transpose(T *to, const T *from, int64_t columns, int slot) const {
        int64_t line = s.units * G, vectors = ceiling(columns, L);
        zero(to, int64_t(packed_size<T>(width, columns)));
        for (int64_t panel = 0; panel < vectors; panel += kPanel) {
            int64_t across = smaller(kPanel, vectors - panel) * L;
            int64_t filled = smaller(across, columns - panel * L);
            for (int k = 0; k < C::count; ++k) {
                const T *gate = from + C::gate_of(slot + k) * s.units + panel * L * line;
                T *block = to + k * s.padded * across;
                for (int64_t u = 0; u < s.units; ++u)
                    for (int64_t j = 0; j < filled; ++j) block[u * across + j] = gate[j * line + u];
            }
            to += width * across;
        }
    }

    void pack_weights() {
        transpose(recurrent, in<T>(p.recurrent), s.units, C::recurrent);
        if (p.dx) transpose(kernel, in<T>(p.kernel), s.inputs, C::input);
        pack_small<C, T>(p, s, small);
    }

    struct Step {
        const T *save, *h_old, *c_old, *h, *c, *dy;
        T *slots, *dh, *dc, *dsmall;
        const uint8_t *counts, *shows;
    };

    void retreat(const Step &step, int64_t rows) const {
        for (int64_t r = 0; r < rows; ++r) {
            bool counts = !step.counts || step.counts[r], shows = !step.shows || step.shows[r];
            T *slots = step.slots + r * s.slots;
            for (int64_t unit = 0; unit < s.padded; unit += L) {
                int64_t at = r * s.padded + unit;
                Vec<T> dh = load(step.dh + at), d[C::slots] = {};
                if (step.dy && shows)
                    dh += load(step.dy + r * s.time * s.units + unit, s.units - unit);
                if (counts) {
                    Vec<T> dc = {}, c_old = {}, c = {}, dsmall[C::dsmall + 1] = {};
                    if (C::states > 1)
                        dc = load(step.dc + at), c_old = load(step.c_old + at), c = load(step.c + at);
                    C::template backward<T>(f, small + unit * C::small, step.save + at * C::saved,
                                            load(step.h_old + at), c_old, load(step.h + at), c, dh,
                                            dc, d, dsmall);
                    if (C::states > 1) store(step.dc + at, dc);
                    for (int k = 0; k < C::dsmall; ++k) {
                        T *sum = step.dsmall + k * s.padded + unit;
                        store(sum, load(sum) + dsmall[k]);
                    }
                }
                store(step.dh + at, dh);
#pragma GCC unroll 8
                for (int k = 0; k < C::slots; ++k) store(slots + k * s.padded + unit, d[k]);
            }
        }
    }

    void run(int task) const {
        int64_t first = s.first(task), rows = s.first(task + 1) - first, time = s.time;
        Parts parts{work + each * size_t(task), 0};
        Work own(*this, parts, rows);
        int64_t area = rows * s.padded, offset = first * s.units;
        const T *kept = this->kept(first), *saved = kept + (time + 1) * area * C::states;
        const T *dh = in<T>(p.dh), *dc = in<T>(p.dc), *drop = in<T>(p.recurrent_mask);
        widen(own.dh, dh ? dh + offset : nullptr, rows, s.units, s.padded);
        if (C::states > 1) widen(own.dc, dc ? dc + offset : nullptr, rows, s.units, s.padded);
        T *drecurrent = partial + each_partial * size_t(task);
        T *dkernel = drecurrent + s.units * width, *sums = dkernel + s.inputs * width;
        T *dsmall = sums + s.slots;
        zero(drecurrent, int64_t(each_partial));
        if (p.mask) {
            zero(own.marks.seen, rows);
            for (int64_t t = 0; t < time; ++t) {
                own.marks.at(p, first, t);
                copy(own.shows + 2 * t * rows, own.marks.counts, rows);
                copy(own.shows + (2 * t + 1) * rows, own.marks.shows, rows);
            }
        }
        const Walk along{1, rows, 0, ptrdiff_t(s.slots), 0, ptrdiff_t(s.padded)};
        for (int64_t end = time; end > 0;) {
            int64_t begin = larger(0, end - own.most), steps = end - begin;
            for (int64_t t = end - 1; t >= begin; --t) {
                T *slots = own.slots + (t - begin) * rows * s.slots;
                Step step{saved + t * area * C::saved, kept + t * area, nullptr,
                          kept + (t + 1) * area, nullptr,
                          p.dy ? in<T>(p.dy) + (first * time + t) * s.units : nullptr,
                          slots, own.dh, own.dc, dsmall, nullptr, nullptr};
                if (C::states > 1) {
                    step.c_old = kept + (time + 1 + t) * area;
                    step.c = step.c_old + area;
                }
                if (p.mask)
                    step.counts = own.shows + 2 * t * rows, step.shows = step.counts + rows;
                retreat(step, rows);
                const T *gradient = slots + C::recurrent * s.padded;
                product(along, gradient, recurrent, static_cast<const T *>(nullptr),
                        drop ? own.product : own.dh, width, s.units, !drop);
                if (drop) restore(own, step.h_old, drop + offset, rows, (t - begin) * area);
            }
            gradients(own, first, rows, begin, steps, kept, drecurrent, dkernel, sums);
            end = begin;
        }
        if (p.dh0) narrow(out<T>(p.dh0) + offset, own.dh, rows, s.units, s.padded);
        if (C::states > 1 && p.dc0)
            narrow(out<T>(p.dc0) + offset, own.dc, rows, s.units, s.padded);
    }

    // The dropped state met the product: its gradient is dropped too, and the weights' gradient
    // needs it again.
    void restore(const Work &own, const T *h, const T *drop, int64_t rows, int64_t at) const {
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t u = 0; u < s.units; ++u) {
                int64_t i = r * s.padded + u;
                own.dh[i] += own.product[i] * drop[r * s.units + u];
                own.dropped[at + i] = h[i] * drop[r * s.units + u];
            }
    }

    // Gradients of weights and inputs from a stretch of steps, while its slots are in the cache.
    void gradients(const Work &own, int64_t first, int64_t rows, int64_t begin, int64_t steps,
                   const T *kept, T *drecurrent, T *dkernel, T *sums) const {
        bool backwards = p.go_backwards != 0;
        const T *states = p.recurrent_mask ? own.dropped : kept + begin * rows * s.padded;
        Walk through{1, steps * rows, 0, ptrdiff_t(s.padded), 0, ptrdiff_t(s.slots)};
        const T *inner = own.slots + C::recurrent * s.padded, *outer = own.slots + C::input * s.padded;
        outer_product(through, states, s.units, inner, width, drecurrent, ptrdiff_t(width));
        Walk walk = walk_inputs(steps, rows, s.time, s.inputs, ptrdiff_t(s.slots), backwards);
        const T *x = this->inputs_at(first, begin);
        outer_product(walk, x, s.inputs, outer, width, dkernel, ptrdiff_t(width));
        for (int64_t r = 0; r < steps * rows; ++r)
            for (int64_t v = 0; v < s.padded * C::slots; v += L)
                store(sums + v, load(sums + v) + load(own.slots + r * s.slots + v));
        if (p.dx) {
            Walk back{walk.outer, walk.inner, walk.c_outer, walk.c_inner, walk.a_outer, walk.a_inner};
            T *dx = out<T>(p.dx) + (x - in<T>(p.x));
            product(back, outer, kernel, static_cast<const T *>(nullptr), dx, width, s.inputs, false);
        }
    }

    // Sums over tasks, in their order, into the layout of Keras. `part` of `parts` parts of rows.
    void reduce(int part, int parts) const {
        rows(out<T>(p.drecurrent), 0, s.units, C::recurrent, part, parts);
        rows(out<T>(p.dkernel), s.units * width, s.inputs, C::input, part, parts);
        if (part > 0) return;
        int64_t sums = (s.units + s.inputs) * width, dsmall = sums + s.slots;
        if (T *to = out<T>(p.dbias)) {
            line(to, sums + C::input * s.padded, C::input);
            if (C::inner >= 0) line(to + G * s.units, sums + C::recurrent * s.padded, C::recurrent);
        }
        if (T *to = out<T>(p.dextra))
            for (int k = 0; k < C::dsmall; ++k) sum(to + k * s.units, dsmall + k * s.padded);
    }

    void rows(T *to, int64_t offset, int64_t count, int slot, int part, int parts) const {
        if (to)
            for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i)
                line(to + i * G * s.units, offset + i * width, slot);
    }
    void line(T *to, int64_t offset, int slot) const {
        for (int k = 0; k < C::count; ++k)
            sum(to + C::gate_of(slot + k) * s.units, offset + k * s.padded);
    }
    void sum(T *to, int64_t offset) const {
        for (int64_t unit = 0; unit < s.units; unit += L) {
            Vec<T> total = load(partial + offset + unit);
            for (int task = 1; task < s.tasks; ++task)
                total += load(partial + each_partial * size_t(task) + offset + unit);
            store(to + unit, total, s.units - unit);
        }
    }
};

// Entry points of one cell and dtype

template <class C, class T> void forward(const KsProblem &p) {
    Parts count{nullptr, 0};
    Forward<C, T> planned(p, count);
    Scratch block(count.used);
    Parts parts{static_cast<char *>(block.memory), 0};
    Forward<C, T> pass(p, parts);
    pass.pack_weights();
    parallel(pass.s.tasks, [](void *c, int i) { static_cast<Forward<C, T> *>(c)->run(i); }, &pass);
}

template <class C, class T> void backward(const KsProblem &p) {
    Parts count{nullptr, 0};
    Backward<C, T> planned(p, count);
    Scratch block(count.used);
    Parts parts{static_cast<char *>(block.memory), 0};
    Backward<C, T> pass(p, parts);
    pass.pack_weights();
    parallel(pass.s.tasks, [](void *c, int i) { static_cast<Backward<C, T> *>(c)->run(i); }, &pass);
    parallel(larger(pass.s.tasks, 1),
             [](void *c, int i) {
                 auto *o = static_cast<Backward<C, T> *>(c);
                 o->reduce(i, int(larger(o->s.tasks, 1)));
             },
             &pass);
}
