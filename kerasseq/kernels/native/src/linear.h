// The linear recurrence h = a h' + b. Included once per instruction set, inside its namespace.

template <class T> struct Linear {
    static constexpr int L = lanes<T>;
    const KsLinear &p;
    int tasks;

    explicit Linear(const KsLinear &problem) : p(problem) {
        double work = double(p.batch) * double(p.time) * double(p.units) * p.parts;
        tasks = int(smaller(work < 1e5 ? 1 : larger(1, p.threads), p.batch));
    }

    int64_t part() const { return p.batch * p.time * p.units; }

    // Units of one row that fit the registers run through time together.
    void run(int task) const {
        for (int64_t row = p.batch * task / tasks; row < p.batch * (task + 1) / tasks; ++row)
            for (int64_t unit = 0; unit < p.units; unit += L) {
                if (p.parts == 1) real(row, unit);
                else complex(row, unit);
            }
    }
    void run_gradient(int task) const {
        for (int64_t row = p.batch * task / tasks; row < p.batch * (task + 1) / tasks; ++row)
            for (int64_t unit = 0; unit < p.units; unit += L) {
                if (p.parts == 1) real_gradient(row, unit);
                else complex_gradient(row, unit);
            }
    }

    KS_INLINE Vec<T> start(int64_t row, int64_t unit, int64_t k = 0) const {
        const T *from = in<T>(p.h0);
        return from ? load(from + (k * p.batch + row) * p.units + unit, p.units - unit) : Vec<T>{};
    }

    KS_INLINE void real(int64_t row, int64_t unit) const {
        int64_t at = row * p.time * p.units + unit, left = p.units - unit;
        const T *a = in<T>(p.a) + at, *b = in<T>(p.b) + at;
        T *to = out<T>(p.trail) + at;
        Vec<T> h = start(row, unit);
        for (int64_t t = 0; t < p.time; ++t, a += p.units, b += p.units, to += p.units) {
            h = load(a, left) * h + load(b, left);
            store(to, h, left);
        }
    }

    KS_INLINE void real_gradient(int64_t row, int64_t unit) const {
        int64_t at = row * p.time * p.units + unit, left = p.units - unit, n = p.units;
        const T *a = in<T>(p.a) + at, *trail = in<T>(p.trail) + at, *dtrail = in<T>(p.dtrail) + at;
        T *da = out<T>(p.da) + at, *db = out<T>(p.db) + at;
        Vec<T> dh = {};
        for (int64_t t = p.time - 1; t >= 0; --t) {
            dh += load(dtrail + t * n, left);
            store(db + t * n, dh, left);
            Vec<T> old = t ? load(trail + (t - 1) * n, left) : start(row, unit);
            store(da + t * n, dh * old, left);
            dh = dh * load(a + t * n, left);
        }
        if (p.dh0) store(out<T>(p.dh0) + row * n + unit, dh, left);
    }

    KS_INLINE void complex(int64_t row, int64_t unit) const {
        int64_t at = row * p.time * p.units + unit, left = p.units - unit, other = part();
        const T *a = in<T>(p.a) + at, *b = in<T>(p.b) + at;
        T *to = out<T>(p.trail) + at;
        Vec<T> re = start(row, unit), im = start(row, unit, 1);
        for (int64_t t = 0; t < p.time; ++t, a += p.units, b += p.units, to += p.units) {
            Vec<T> x = load(a, left), y = load(a + other, left), old = re;
            re = x * old - y * im + load(b, left);
            im = x * im + y * old + load(b + other, left);
            store(to, re, left), store(to + other, im, left);
        }
    }

    KS_INLINE void complex_gradient(int64_t row, int64_t unit) const {
        int64_t at = row * p.time * p.units + unit, left = p.units - unit, n = p.units;
        int64_t other = part();
        const T *a = in<T>(p.a) + at, *trail = in<T>(p.trail) + at, *dtrail = in<T>(p.dtrail) + at;
        T *da = out<T>(p.da) + at, *db = out<T>(p.db) + at;
        Vec<T> dre = {}, dim = {};
        for (int64_t t = p.time - 1; t >= 0; --t) {
            dre += load(dtrail + t * n, left), dim += load(dtrail + other + t * n, left);
            store(db + t * n, dre, left), store(db + other + t * n, dim, left);
            Vec<T> re = t ? load(trail + (t - 1) * n, left) : start(row, unit);
            Vec<T> im = t ? load(trail + other + (t - 1) * n, left) : start(row, unit, 1);
            store(da + t * n, dre * re + dim * im, left);
            store(da + other + t * n, dim * re - dre * im, left);
            Vec<T> x = load(a + t * n, left), y = load(a + other + t * n, left), old = dre;
            dre = x * old + y * dim;
            dim = x * dim - y * old;
        }
        if (p.dh0) {
            store(out<T>(p.dh0) + row * n + unit, dre, left);
            store(out<T>(p.dh0) + (p.batch + row) * n + unit, dim, left);
        }
    }
};

template <class T> size_t bytes_of_all_steps(const KsLinear &p) {
    return size_t(p.parts * p.batch * p.time * p.units) * sizeof(T);
}

template <class T> void linear(const KsLinear &p) {
    prefer_large_pages(p.trail, bytes_of_all_steps<T>(p));
    Linear<T> pass(p);
    parallel(pass.tasks, [](void *c, int i) { static_cast<Linear<T> *>(c)->run(i); }, &pass);
}

template <class T> void linear_gradient(const KsLinear &p) {
    prefer_large_pages(p.da, bytes_of_all_steps<T>(p));
    prefer_large_pages(p.db, bytes_of_all_steps<T>(p));
    Linear<T> pass(p);
    parallel(pass.tasks, [](void *c, int i) { static_cast<Linear<T> *>(c)->run_gradient(i); }, &pass);
}
