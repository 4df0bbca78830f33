// The gradient of a recurrence, a stretch of timesteps at a time from the last: first the gradients
// of the sums, which only the state carries backwards, then those of weights and inputs from all of
// them at once. Included once per instruction set, inside its namespace.

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
        Work(*this, own, s.most());
        each = own.used;
        work = parts.take<char>(each * size_t(s.tasks));
    }

    struct Work {
        int64_t most;
        T *slots, *dh, *dc, *product, *dropped, *row;
        Marks marks;
        uint8_t *shows;  // of all steps, since they are found forwards
        Work(const Backward &o, Parts &parts, int64_t rows) : most(o.s.stretch(o.s.slots)) {
            int64_t area = rows * o.s.padded;
            bool drop = o.p.recurrent_mask != nullptr;
            slots = parts.take<T>(size_t(most * rows * o.s.slots));
            dh = parts.take<T>(size_t(area));
            dc = parts.take<T>(size_t(C::states > 1 ? area : 0));
            product = parts.take<T>(size_t(drop ? area : 0));
            dropped = parts.take<T>(size_t(drop ? most * area : 0));
            row = parts.take<T>(size_t(C::rowwise ? 2 * o.s.padded : 0));
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

    // The same for cells that need all units of a row at once.
    void retreat_rows(const Step &step, int64_t rows, T *work) const {
        for (int64_t r = 0; r < rows; ++r) {
            T *dh = step.dh + r * s.padded, *slots = step.slots + r * s.slots;
            const T *dy = step.dy + r * s.time * s.units;
            if (step.dy && (!step.shows || step.shows[r]))
                for (int64_t u = 0; u < s.units; ++u) dh[u] += dy[u];
            int64_t at = r * s.padded;
            if (!step.counts || step.counts[r])
                C::template backward<T>(f, small, step.save + r * s.saved, step.c_old + at,
                                        step.c + at, dh, step.dc + at, slots, step.dsmall, work,
                                        {s.blocks, s.units});
            else zero(slots, s.slots);
        }
    }

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
                    C::template backward<T>(f, small + unit * C::small, step.save + r * s.saved + unit * C::saved,
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
                Step step{saved + t * rows * s.saved, kept + t * area, nullptr,
                          kept + (t + 1) * area, nullptr,
                          p.dy ? in<T>(p.dy) + (first * time + t) * s.units : nullptr,
                          slots, own.dh, own.dc, dsmall, nullptr, nullptr};
                if (C::states > 1) {
                    step.c_old = kept + (time + 1 + t) * area;
                    step.c = step.c_old + area;
                }
                if (p.mask)
                    step.counts = own.shows + 2 * t * rows, step.shows = step.counts + rows;
                if constexpr (C::rowwise) retreat_rows(step, rows, own.row);
                else retreat(step, rows);
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
        if (T *to = out<T>(p.dbias); to && C::rowwise) {
            for (int g = 0; g < G; ++g) sum(to + g * s.units, dsmall + (C::small + g) * s.padded);
        } else if (to) {
            line(to, sums + C::input * s.padded, C::input);
            if (C::inner >= 0) line(to + G * s.units, sums + C::recurrent * s.padded, C::recurrent);
        }
        if (T *to = out<T>(p.dextra))
            for (int k = 0; k < C::small; ++k) sum(to + k * s.units, dsmall + k * s.padded);
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
            Vec<T> total = {};
            for (int task = 0; task < s.tasks; ++task)
                total += load(partial + each_partial * size_t(task) + offset + unit);
            store(to + unit, total, s.units - unit);
        }
    }
};
