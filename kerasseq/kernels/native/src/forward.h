// A recurrence over a batch of sequences. Threads split the batch and run the whole sequence
// without meeting; a thread projects the inputs of a stretch of timesteps at a time, so that
// projections stay in its cache. Included once per instruction set, inside its namespace.

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
        Work(*this, own, s.most());
        each = own.used;
        work = parts.take<char>(each * size_t(s.tasks));
    }

    struct Work {
        int64_t most;  // steps of a stretch
        T *projected, *states, *dropped, *sums, *row;
        Marks marks;
        Work(const Forward &o, Parts &parts, int64_t rows) : most(o.s.stretch(o.s.sums)) {
            int64_t area = rows * o.s.padded;
            projected = parts.take<T>(size_t(most * rows * o.s.sums));
            states = parts.take<T>(size_t(2 * C::states * area));
            dropped = parts.take<T>(size_t(o.p.recurrent_mask ? area : 0));
            sums = parts.take<T>(size_t(C::rowwise ? rows * o.s.sums : 0));
            row = parts.take<T>(size_t(C::rowwise ? o.s.padded : 0));
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
                                   step.save ? step.save + row * s.saved + unit * C::saved : nullptr);
        store(step.h + at, h);
        if (C::states > 1) store(step.c + at, c);
        show(step, row, unit, h);
    }

    KS_INLINE void show(const Step &step, int64_t row, int64_t unit, Vec<T> h) const {
        if (!step.y) return;
        bool zeros = step.marks && !step.marks->shows[row];
        store(step.y + row * s.time * s.units + unit, zeros ? Vec<T>{} : h, s.units - unit);
    }

    // A step of cells that need all units of a row at once.
    void advance_rows(const Step &step, int64_t rows, const Work &own) const {
        const Walk along{1, rows, 0, ptrdiff_t(s.padded), 0, ptrdiff_t(s.sums)};
        product(along, step.seen, recurrent, static_cast<const T *>(nullptr), own.sums, s.units,
                s.sums, false);
        for (int64_t row = 0; row < rows; ++row) {
            int64_t at = row * s.padded;
            if (!step.marks || step.marks->counts[row]) {
                C::template forward<T>(f, small, own.sums + row * s.sums,
                                       step.projected + row * s.sums, step.h + at, step.c_old + at,
                                       step.c + at, step.save ? step.save + row * s.saved : nullptr,
                                       own.row, {s.blocks, s.units});
            } else {
                copy(step.h + at, step.h_old + at, s.padded);
                copy(step.c + at, step.c_old + at, s.padded);
            }
            for (int64_t unit = 0; unit < s.padded; unit += L)
                show(step, row, unit, load(step.h + at + unit));
        }
    }

    // Inputs of a stretch of steps, projected; `save` is where its first step saves.
    void project(const Work &own, int64_t first, int64_t rows, int64_t t, int64_t steps,
                 T *save) const {
        product(walk_inputs(steps, rows, s.time, s.inputs, s.sums, p.go_backwards != 0),
                this->inputs_at(first, t), kernel, C::rowwise ? nullptr : bias, own.projected,
                s.inputs, s.sums, false);
        if constexpr (C::rowwise)
            for (int64_t r = 0; r < steps * rows; ++r)
                C::template project<T>(own.projected + r * s.sums, small, bias,
                                       save ? save + r * s.saved : nullptr, {s.blocks, s.units});
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
            T *save = saved ? saved + t * rows * s.saved : nullptr;
            if (place == 0) project(own, first, rows, t, smaller(own.most, time - t), save);
            own.marks.at(p, first, t);
            Step step{own.projected + place * rows * s.sums, h_at(t), h_at(t), nullptr,
                      h_at(t + 1), nullptr, save,
                      p.y ? out<T>(p.y) + (first * time + t) * s.units : nullptr,
                      p.mask ? &own.marks : nullptr};
            if (C::states > 1) step.c_old = c_at(t), step.c = c_at(t + 1);
            if (drop) {
                dropped(own.dropped, step.h_old, drop + offset, rows);
                step.seen = own.dropped;
            }
            if constexpr (C::rowwise) advance_rows(step, rows, own);
            else advance(step, rows);
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
