// Sums over all paths through a linear chain, and their gradient; kerasseq/kernels/linear_chain.py
// says what a path is. Included once per instruction set, inside its namespace.
//
// A message has, for each label, the sum over all paths that end there. It is computed in float64 as
// a product with e^transitions, and divided by its largest element at each timestep. What is 700
// nats below that element is lost, and a forbidden transition weighs `tiny`, so that no sum is 0.

template <class T> struct Chain {
    static constexpr int L = lanes<double>;
    static constexpr double tiny = 1e-290;

    // What a task needs for one row: unmasked timesteps, e^unary and messages of each, (time, width).
    struct Row {
        int64_t *places;
        double *unary, *message, *after, *weighted, *sums;
        int64_t count;
    };

    const KsChain &p;
    int64_t width;  // labels, padded to whole vectors
    int tasks;
    double *into, *from;  // e^(transitions - shift), (label, next label), and transposed
    double shift = 0;
    Row *rows;

    Chain(const KsChain &problem, Parts &parts) : p(problem) {
        width = (p.labels + L - 1) / L * L;
        double work = double(p.batch) * double(p.time) * double(p.labels) * double(p.labels);
        tasks = int(smaller(work < 1e5 ? 1 : larger(1, p.threads), larger(1, p.batch)));
        into = parts.take<double>(size_t(width * width));
        from = parts.take<double>(size_t(width * width));
        rows = parts.take<Row>(size_t(tasks));
        for (int task = 0; task < tasks; ++task) {
            Row row = {parts.take<int64_t>(size_t(p.time)),
                       parts.take<double>(size_t(p.time * width)),
                       parts.take<double>(size_t(p.time * width)),
                       parts.take<double>(size_t(width)),
                       parts.take<double>(size_t(width)),
                       parts.take<double>(size_t(p.dtransitions ? width * width : 0)),
                       0};
            if (rows) rows[task] = row;
        }
    }

    void exponentials() {
        const T *transitions = in<T>(p.transitions);
        int64_t n = p.labels;
        shift = n ? double(transitions[0]) : 0;
        for (int64_t k = 0; k < n * n; ++k) shift = larger_of(shift, double(transitions[k]));
        zero(into, width * width), zero(from, width * width);
        for (int64_t i = 0; i < n; ++i) {
            double *row = into + i * width;
            for (int64_t j = 0; j < n; ++j) row[j] = double(transitions[i * n + j]) - shift;
            exponential(row, n);
            for (int64_t j = 0; j < n; ++j) row[j] += tiny, from[j * width + i] = row[j];
        }
        for (int task = 0; p.dtransitions && task < tasks; ++task)
            zero(rows[task].sums, width * width);
    }

    void run(int task) const {
        for (int64_t row = first(task); row < first(task + 1); ++row)
            out<T>(p.total)[row] = T(forward(row, rows[task]));
    }

    // Messages from the first timestep on. Returns the logarithm of the sum over all paths.
    double forward(int64_t row, Row &w) const {
        const T *unary = in<T>(p.unary) + row * p.time * p.labels;
        const uint8_t *mask = p.mask + row * p.time;
        double total = 0;
        w.count = 0;
        for (int64_t t = 0; t < p.time; ++t, unary += p.labels) {
            if (!mask[t]) continue;
            double *terms = w.unary + w.count * width, *message = w.message + w.count * width;
            double peak = double(unary[0]);
            for (int64_t j = 0; j < p.labels; ++j) peak = larger_of(peak, double(unary[j]));
            for (int64_t j = 0; j < p.labels; ++j) terms[j] = double(unary[j]) - peak;
            exponential(terms, p.labels);
            total += peak;
            if (w.count) {
                product(message, message - width, into);
                for (int64_t j = 0; j < width; ++j) message[j] *= terms[j];
                total += shift;
            } else copy(message, terms, width);
            total += __builtin_log(divide_by_peak(message));
            w.places[w.count++] = t;
        }
        return w.count ? total + __builtin_log(sum(w.message + (w.count - 1) * width)) : 0;
    }

    // With the messages from the last timestep back, the probabilities of labels and transitions.
    void run_gradient(int task) const {
        Row &w = rows[task];
        for (int64_t row = first(task); row < first(task + 1); ++row) {
            T *dunary = out<T>(p.dunary) + row * p.time * p.labels;
            double gradient = double(in<T>(p.gradient)[row]);
            if (dunary) zero(dunary, p.time * p.labels);
            forward(row, w);
            for (int64_t j = 0; j < width; ++j) w.after[j] = j < p.labels ? 1 : 0;
            for (int64_t k = w.count - 1; k >= 0; --k) {
                double *message = w.message + k * width, *terms = w.unary + k * width;
                T *to = dunary + w.places[k] * p.labels;
                double share = gradient / (dot(message, w.after) + tiny);
                for (int64_t j = 0; j < p.labels; ++j) to[j] = T(share * message[j] * w.after[j]);
                if (!k) break;
                for (int64_t j = 0; j < width; ++j) w.weighted[j] = terms[j] * w.after[j];
                product(w.after, w.weighted, from);
                add_transitions(w, message - width, gradient);
                divide_by_peak(w.after);
            }
        }
    }

    // The gradient of the transitions from all tasks, in their order.
    void reduce() const {
        T *to = out<T>(p.dtransitions);
        for (int64_t i = 0; i < p.labels; ++i)
            for (int64_t j = 0; j < p.labels; ++j) {
                double all = 0;
                for (int task = 0; task < tasks; ++task) all += rows[task].sums[i * width + j];
                to[i * p.labels + j] = T(all * into[i * width + j]);
            }
    }

  private:
    int64_t first(int task) const { return p.batch * task / tasks; }

    // A NaN stays one.
    static double larger_of(double peak, double x) { return x > peak || x != x ? x : peak; }

    // Adds the probabilities of the transitions between two timesteps, without the factor
    // e^transitions, which `reduce` multiplies once for all timesteps.
    void add_transitions(Row &w, const double *before, double gradient) const {
        double share = gradient / (dot(before, w.after) + tiny);
        for (int64_t i = 0; i < p.labels; ++i) {
            const double factor = share * before[i];
            double *to = w.sums + i * width;
            for (int64_t j = 0; j < width; j += L)
                store(to + j, load(to + j) + factor * load(w.weighted + j));
        }
    }

    void exponential(double *x, int64_t count) const {
        for (int64_t j = 0; j < width; j += L) {
            Vec<double> scale, fraction;
            exp_parts<double>(load(x + j, larger(0, count - j)), scale, fraction);
            store(x + j, scale + scale * fraction);
        }
        for (int64_t j = count; j < width; ++j) x[j] = 0;
    }

    void product(double *to, const double *x, const double *matrix) const {
        for (int64_t j = 0; j < width; j += L) {
            Vec<double> all = {};
            for (int64_t i = 0; i < p.labels; ++i) all += x[i] * load(matrix + i * width + j);
            store(to + j, all);
        }
    }

    double sum(const double *x) const {
        double all = 0;
        for (int64_t j = 0; j < width; ++j) all += x[j];
        return all;
    }

    double dot(const double *x, const double *y) const {
        double all = 0;
        for (int64_t j = 0; j < width; ++j) all += x[j] * y[j];
        return all;
    }

    double divide_by_peak(double *x) const {
        double peak = x[0];
        for (int64_t j = 1; j < width; ++j) peak = larger_of(peak, x[j]);
        for (int64_t j = 0; j < width; ++j) x[j] /= peak;
        return peak;
    }
};

template <class T, class F> void with_chain(const KsChain &p, F use) {
    Parts count{nullptr, 0};
    Chain<T> planned(p, count);
    Scratch block(count.used);
    Parts parts{static_cast<char *>(block.memory), 0};
    Chain<T> pass(p, parts);
    pass.exponentials();
    use(pass);
}

template <class T> void chain(const KsChain &p) {
    with_chain<T>(p, [](Chain<T> &pass) {
        parallel(pass.tasks, [](void *c, int i) { static_cast<Chain<T> *>(c)->run(i); }, &pass);
    });
}

template <class T> void chain_gradient(const KsChain &p) {
    with_chain<T>(p, [](Chain<T> &pass) {
        parallel(pass.tasks, [](void *c, int i) { static_cast<Chain<T> *>(c)->run_gradient(i); }, &pass);
        pass.reduce();
    });
}
