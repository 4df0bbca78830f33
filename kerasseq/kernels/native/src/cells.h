// What each cell does with a vector of its units in one step, forward and backward. Included once
// per instruction set, inside its namespace.
//
// gates    sums per unit, in the order of Keras
// saved    values per unit that the backward step reads; scalars, vectors of them per row
// states   1, or 2 where there is a cell state c beside h
// small    constants per unit: a bias inside a gate, peepholes
// slots    gradients per unit and step. Those of the sums from the recurrent product are `count`
//          slots from `recurrent` on, those from the inputs `count` slots from `input` on;
//          gate_of says which gate a slot belongs to.
// inner    the gate whose recurrent sum stays apart from its projected inputs, -1 for none
// rowwise  whether a step needs all units of a row at once
// dsmall   gradients of the small constants that no sum's gradient gives

struct Functions {
    int activation, gate;
};

struct LSTM {
    static constexpr int gates = 4, saved = 4, states = 2, small = 0, dsmall = 0;
    static constexpr int slots = 4, recurrent = 0, input = 0, count = 4;
    static constexpr int gate_of(int slot) { return slot; }
    static constexpr int inner = -1, scalars = 0;
    static constexpr bool rowwise = false;

    template <class T>
    static KS_INLINE void forward(Functions f, const T *, const Vec<T> *sums, const T *, Vec<T> &h,
                                  Vec<T> &c, T *save) {
        Vec<T> i = activate<T>(f.gate, sums[0]), k = activate<T>(f.gate, sums[1]);
        Vec<T> g = activate<T>(f.activation, sums[2]), o = activate<T>(f.gate, sums[3]);
        c = k * c + i * g;
        h = o * activate<T>(f.activation, c);
        if (save) {
            store(save, i), store(save + lanes<T>, k);
            store(save + 2 * lanes<T>, g), store(save + 3 * lanes<T>, o);
        }
    }

    template <class T>
    static KS_INLINE void backward(Functions f, const T *, const T *save, Vec<T>, Vec<T> c_old,
                                   Vec<T>, Vec<T> c, Vec<T> &dh, Vec<T> &dc, Vec<T> *d, Vec<T> *) {
        Vec<T> i = load(save), k = load(save + lanes<T>);
        Vec<T> g = load(save + 2 * lanes<T>), o = load(save + 3 * lanes<T>);
        Vec<T> shown = activate<T>(f.activation, c);
        d[3] = dh * shown * slope<T>(f.gate, o);
        dc += dh * o * slope<T>(f.activation, shown);
        d[0] = dc * g * slope<T>(f.gate, i);
        d[1] = dc * c_old * slope<T>(f.gate, k);
        d[2] = dc * i * slope<T>(f.activation, g);
        dc = dc * k;
        dh = Vec<T>{};
    }
};

// Input and forget gates see the old cell state, the output gate the new one.
struct Peephole {
    static constexpr int gates = 4, saved = 4, states = 2, small = 3, dsmall = 3;
    static constexpr int slots = 4, recurrent = 0, input = 0, count = 4;
    static constexpr int gate_of(int slot) { return slot; }
    static constexpr int inner = -1, scalars = 0;
    static constexpr bool rowwise = false;

    template <class T>
    static KS_INLINE void forward(Functions f, const T *small, const Vec<T> *sums, const T *,
                                  Vec<T> &h, Vec<T> &c, T *save) {
        Vec<T> i = activate<T>(f.gate, sums[0] + load(small) * c);
        Vec<T> k = activate<T>(f.gate, sums[1] + load(small + lanes<T>) * c);
        Vec<T> g = activate<T>(f.activation, sums[2]);
        c = k * c + i * g;
        Vec<T> o = activate<T>(f.gate, sums[3] + load(small + 2 * lanes<T>) * c);
        h = o * activate<T>(f.activation, c);
        if (save) {
            store(save, i), store(save + lanes<T>, k);
            store(save + 2 * lanes<T>, g), store(save + 3 * lanes<T>, o);
        }
    }

    template <class T>
    static KS_INLINE void backward(Functions f, const T *small, const T *save, Vec<T>, Vec<T> c_old,
                                   Vec<T>, Vec<T> c, Vec<T> &dh, Vec<T> &dc, Vec<T> *d,
                                   Vec<T> *dsmall) {
        Vec<T> i = load(save), k = load(save + lanes<T>);
        Vec<T> g = load(save + 2 * lanes<T>), o = load(save + 3 * lanes<T>);
        Vec<T> shown = activate<T>(f.activation, c);
        d[3] = dh * shown * slope<T>(f.gate, o);
        dc += dh * o * slope<T>(f.activation, shown) + d[3] * load(small + 2 * lanes<T>);
        d[0] = dc * g * slope<T>(f.gate, i);
        d[1] = dc * c_old * slope<T>(f.gate, k);
        d[2] = dc * i * slope<T>(f.activation, g);
        dc = dc * k + d[0] * load(small) + d[1] * load(small + lanes<T>);
        dh = Vec<T>{};
        dsmall[0] += d[0] * c_old;
        dsmall[1] += d[1] * c_old;
        dsmall[2] += d[3] * c;
    }
};

// One gate decides what is forgotten and what is written.
struct Coupled {
    static constexpr int gates = 3, saved = 3, states = 2, small = 0, dsmall = 0;
    static constexpr int slots = 3, recurrent = 0, input = 0, count = 3;
    static constexpr int gate_of(int slot) { return slot; }
    static constexpr int inner = -1, scalars = 0;
    static constexpr bool rowwise = false;

    template <class T>
    static KS_INLINE void forward(Functions f, const T *, const Vec<T> *sums, const T *, Vec<T> &h,
                                  Vec<T> &c, T *save) {
        Vec<T> k = activate<T>(f.gate, sums[0]), g = activate<T>(f.activation, sums[1]);
        Vec<T> o = activate<T>(f.gate, sums[2]);
        c = g + k * (c - g);
        h = o * activate<T>(f.activation, c);
        if (save) store(save, k), store(save + lanes<T>, g), store(save + 2 * lanes<T>, o);
    }

    template <class T>
    static KS_INLINE void backward(Functions f, const T *, const T *save, Vec<T>, Vec<T> c_old,
                                   Vec<T>, Vec<T> c, Vec<T> &dh, Vec<T> &dc, Vec<T> *d, Vec<T> *) {
        Vec<T> k = load(save), g = load(save + lanes<T>), o = load(save + 2 * lanes<T>);
        Vec<T> shown = activate<T>(f.activation, c);
        d[2] = dh * shown * slope<T>(f.gate, o);
        dc += dh * o * slope<T>(f.activation, shown);
        d[0] = dc * (c_old - g) * slope<T>(f.gate, k);
        d[1] = dc * (T(1) - k) * slope<T>(f.activation, g);
        dc = dc * k;
        dh = Vec<T>{};
    }
};

// The reset gate acts on the recurrent product of the candidate, which has a bias of its own.
struct GRU {
    static constexpr int gates = 3, saved = 4, states = 1, small = 1, dsmall = 0;
    // The product's candidate, update, reset, the inputs' candidate.
    static constexpr int slots = 4, recurrent = 0, input = 1, count = 3;
    static constexpr int gate_of(int slot) { return slot == 0 ? 2 : slot - 1; }
    static constexpr int inner = 2, scalars = 0;
    static constexpr bool rowwise = false;

    template <class T>
    static KS_INLINE void forward(Functions f, const T *, const Vec<T> *sums, const T *projected,
                                  Vec<T> &h, Vec<T> &, T *save) {
        Vec<T> z = activate<T>(f.gate, sums[0]), r = activate<T>(f.gate, sums[1]);
        Vec<T> n = activate<T>(f.activation, load(projected + 2 * lanes<T>) + r * sums[2]);
        h = n + z * (h - n);
        if (save) {
            store(save, z), store(save + lanes<T>, r);
            store(save + 2 * lanes<T>, n), store(save + 3 * lanes<T>, sums[2]);
        }
    }

    template <class T>
    static KS_INLINE void backward(Functions f, const T *, const T *save, Vec<T> h_old, Vec<T>,
                                   Vec<T>, Vec<T>, Vec<T> &dh, Vec<T> &, Vec<T> *d, Vec<T> *) {
        Vec<T> z = load(save), r = load(save + lanes<T>);
        Vec<T> n = load(save + 2 * lanes<T>), inner = load(save + 3 * lanes<T>);
        d[3] = dh * (T(1) - z) * slope<T>(f.activation, n);
        d[1] = dh * (h_old - n) * slope<T>(f.gate, z);
        d[2] = d[3] * inner * slope<T>(f.gate, r);
        d[0] = d[3] * r;
        dh = dh * z;
    }
};

struct Simple {
    static constexpr int gates = 1, saved = 0, states = 1, small = 0, dsmall = 0;
    static constexpr int slots = 1, recurrent = 0, input = 0, count = 1;
    static constexpr int gate_of(int slot) { return slot; }
    static constexpr int inner = -1, scalars = 0;
    static constexpr bool rowwise = false;

    template <class T>
    static KS_INLINE void forward(Functions f, const T *, const Vec<T> *sums, const T *, Vec<T> &h,
                                  Vec<T> &, T *) {
        h = activate<T>(f.activation, sums[0]);
    }

    template <class T>
    static KS_INLINE void backward(Functions f, const T *, const T *, Vec<T>, Vec<T>, Vec<T> h,
                                   Vec<T>, Vec<T> &dh, Vec<T> &, Vec<T> *d, Vec<T> *) {
        d[0] = dh * slope<T>(f.activation, h);
        dh = Vec<T>{};
    }
};
