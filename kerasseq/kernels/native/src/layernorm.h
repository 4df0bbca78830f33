// The layer-normalised LSTM: sums are normalised over all gates of a row, and the cell state over
// its units, so that a step takes a whole row at a time. Included once per instruction set, inside
// its namespace.

template <class T> KS_INLINE T total(Vec<T> v) {
    T sum = v[0];
    for (int i = 1; i < lanes<T>; ++i) sum += v[i];
    return sum;
}

// Only the lanes below `count`; zeros elsewhere.
template <class T> KS_INLINE Vec<T> only(Vec<T> v, int64_t count) {
    if (count >= lanes<T>) return v;
    for (int i = 0; i < lanes<T>; ++i)
        if (i >= count) v[i] = T(0);
    return v;
}

struct LayerNorm {
    static constexpr int gates = 4, states = 2, inner = -1;
    // Gates, normalised sums of the inputs, of the state; then a vector with what scales the sums.
    static constexpr int saved = 12, scalars = 1;
    // Gains of the inputs' sums and of the state's, gain and shift of the cell state.
    static constexpr int small = 10;
    static constexpr int gain_x = 0, gain_h = 4, gain_c = 8, shift_c = 9;
    // Gradients of those, and of the bias.
    static constexpr int dsmall = 14, bias = 10;
    static constexpr int slots = 8, recurrent = 0, input = 4, count = 4;
    static constexpr int gate_of(int slot) { return slot % 4; }
    static constexpr bool rowwise = true;

    // A row of one step: blocks of units, and how many units there are.
    struct Row {
        int64_t blocks, units;
    };

    // Normalises `width` vectors a block, in place; returns 1 / deviation.
    template <class T> static T normalize(T *row, int width, Row size) {
        constexpr int L = lanes<T>;
        Vec<T> sum = {};
        for (int64_t v = 0; v < size.blocks * width; ++v) sum += load(row + v * L);  // pads are zero
        T count = T(size.units * width), mean = total<T>(sum) / count;
        Vec<T> squares = {};
        for (int64_t v = 0; v < size.blocks * width; ++v) {
            Vec<T> x = load(row + v * L) - mean;
            store(row + v * L, x);
            x = only<T>(x, size.units - v / width * L);
            squares += x * x;
        }
        T scale = T(1) / __builtin_sqrt(total<T>(squares) / count + T(1e-5));
        for (int64_t v = 0; v < size.blocks * width; ++v) store(row + v * L, load(row + v * L) * scale);
        return scale;
    }

    // What reaches sums through their normalisation, from the gradient of the normalised ones:
    // both lie `ld` apart per gate, `width` of them.
    template <class T>
    static void denormalize(T *d, const T *normal, int64_t ld, int64_t normal_gate,
                            int64_t normal_block, T scale, int width, Row size) {
        constexpr int L = lanes<T>;
        Vec<T> sum = {}, product = {};
        for (int g = 0; g < width; ++g)
            for (int64_t b = 0; b < size.blocks; ++b) {
                Vec<T> x = load(d + g * ld + b * L);
                sum += x;
                product += x * load(normal + g * normal_gate + b * normal_block);
            }
        T count = T(size.units * width), mean = total<T>(sum) / count;
        T slope = total<T>(product) / count;
        for (int g = 0; g < width; ++g)
            for (int64_t b = 0; b < size.blocks; ++b) {
                T *at = d + g * ld + b * L;
                Vec<T> x = load(normal + g * normal_gate + b * normal_block);
                store(at, scale * (load(at) - mean - x * slope));
            }
    }

    // Projected inputs: normalised, scaled and shifted.
    template <class T>
    static KS_NOINLINE void project(T *row, const T *small, const T *bias, T *save, Row size) {
        constexpr int L = lanes<T>;
        T scale = normalize(row, gates, size);
        for (int64_t b = 0; b < size.blocks; ++b)
            for (int g = 0; g < gates; ++g) {
                T *at = row + (b * gates + g) * L;
                Vec<T> x = load(at);
                if (save) store(save + (b * saved + 4 + g) * L, x);
                store(at, x * load(small + (b * LayerNorm::small + gain_x + g) * L) +
                              load(bias + (b * gates + g) * L));
            }
        if (save) save[size.blocks * saved * L] = scale;
    }

    // One step of a row, from recurrent sums (spoilt) and projected inputs; `c` is normalised in `work`.
    template <class T>
    static KS_NOINLINE void forward(Functions f, const T *small, T *sums, const T *projected, T *h,
                                    const T *c_old, T *c, T *save, T *work, Row size) {
        constexpr int L = lanes<T>;
        T scale = normalize(sums, gates, size);
        for (int64_t b = 0; b < size.blocks; ++b, small += LayerNorm::small * L) {
            Vec<T> gate[gates];
            for (int g = 0; g < gates; ++g) {
                Vec<T> r = load(sums + (b * gates + g) * L);
                if (save) store(save + (b * saved + 8 + g) * L, r);
                gate[g] = activate<T>(g == 2 ? f.activation : f.gate,
                                      load(projected + (b * gates + g) * L) +
                                          r * load(small + (gain_h + g) * L));
                if (save) store(save + (b * saved + g) * L, gate[g]);
            }
            Vec<T> state = gate[1] * load(c_old + b * L) + gate[0] * gate[2];
            state = only<T>(state, size.units - b * L);  // whatever an activation makes of zero
            store(c + b * L, state);
            store(work + b * L, state);
            store(sums + b * gates * L, gate[3]);  // read before it was written
        }
        if (save) save[size.blocks * saved * L + 1] = scale;
        normalize(work, 1, size);
        small -= size.blocks * LayerNorm::small * L;
        for (int64_t b = 0; b < size.blocks; ++b, small += LayerNorm::small * L) {
            Vec<T> shown = load(work + b * L) * load(small + gain_c * L) + load(small + shift_c * L);
            store(h + b * L, load(sums + b * gates * L) * activate<T>(f.activation, shown));
        }
    }

    // Gradients of one step of a row. Slots and sums of small gradients lie gate by gate, `padded`
    // apart.
    template <class T>
    static KS_NOINLINE void backward(Functions f, const T *small, const T *save, const T *c_old,
                                     const T *c, T *dh, T *dc, T *slots, T *dsmall, T *work,
                                     Row size) {
        constexpr int L = lanes<T>;
        int64_t padded = size.blocks * L;
        T *normal = work, *dnormal = work + padded;
        __builtin_memcpy(normal, c, size_t(padded) * sizeof(T));
        T scale = normalize(normal, 1, size);
        auto add = [&](int k, int64_t b, Vec<T> v) {
            T *at = dsmall + k * padded + b * L;
            store(at, load(at) + v);
        };
        for (int64_t b = 0; b < size.blocks; ++b) {
            const T *constants = small + b * LayerNorm::small * L;
            Vec<T> o = load(save + (b * saved + 3) * L), d = load(dh + b * L);
            Vec<T> n = load(normal + b * L);
            Vec<T> shown = activate<T>(f.activation,
                                       n * load(constants + gain_c * L) + load(constants + shift_c * L));
            store(slots + 3 * padded + b * L, d * shown * slope<T>(f.gate, o));
            Vec<T> dshown = d * o * slope<T>(f.activation, shown);
            add(gain_c, b, dshown * n);
            add(shift_c, b, dshown);
            store(dnormal + b * L, dshown * load(constants + gain_c * L));
            store(dh + b * L, Vec<T>{});
        }
        denormalize<T>(dnormal, normal, padded, 0, L, scale, 1, size);
        for (int64_t b = 0; b < size.blocks; ++b) {
            const T *constants = small + b * LayerNorm::small * L, *kept = save + b * saved * L;
            Vec<T> i = load(kept), k = load(kept + L), g = load(kept + 2 * L);
            Vec<T> d = load(dc + b * L) + load(dnormal + b * L);
            Vec<T> sums[gates] = {d * g * slope<T>(f.gate, i),
                                  d * load(c_old + b * L) * slope<T>(f.gate, k),
                                  d * i * slope<T>(f.activation, g), load(slots + 3 * padded + b * L)};
            store(dc + b * L, d * k);
            for (int n = 0; n < gates; ++n) {
                add(bias + n, b, sums[n]);
                add(gain_x + n, b, sums[n] * load(kept + (4 + n) * L));
                add(gain_h + n, b, sums[n] * load(kept + (8 + n) * L));
                store(slots + n * padded + b * L, sums[n] * load(constants + (gain_h + n) * L));
                store(slots + (4 + n) * padded + b * L, sums[n] * load(constants + (gain_x + n) * L));
            }
        }
        const T *scales = save + size.blocks * saved * L;
        denormalize<T>(slots, save + 8 * L, padded, L, saved * L, scales[1], gates, size);
        denormalize<T>(slots + 4 * padded, save + 4 * L, padded, L, saved * L, scales[0], gates, size);
    }
};
