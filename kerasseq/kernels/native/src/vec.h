// Vectors of one instruction set, and the functions of them that cells need. Included once per
// instruction set, inside its namespace; KS_BYTES is the width of a register there.

template <class T> struct Simd;
template <> struct Simd<float> {
    typedef float V __attribute__((vector_size(KS_BYTES)));
    typedef int32_t I __attribute__((vector_size(KS_BYTES)));
    static constexpr float log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float lowest = -87.0f, highest = 88.0f;
    static constexpr float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    static constexpr int mantissa = 23, bias = 127, degree = 7;
};
template <> struct Simd<double> {
    typedef double V __attribute__((vector_size(KS_BYTES)));
    typedef int64_t I __attribute__((vector_size(KS_BYTES)));
    static constexpr double log2e = 1.4426950408889634, ln2_high = 6.93147180369123816490e-01,
                            ln2_low = 1.90821492927058770002e-10;
    static constexpr double lowest = -708.0, highest = 709.0;
    static constexpr double rounder = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr int mantissa = 52, bias = 1023, degree = 13;
};

template <class T> using Vec = typename Simd<T>::V;
template <class T> constexpr int lanes = KS_BYTES / int(sizeof(T));

template <class T> KS_INLINE Vec<T> load(const T *from) {
    Vec<T> v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

template <class T> KS_INLINE void store(T *to, Vec<T> v) { __builtin_memcpy(to, &v, sizeof v); }

template <class T> KS_INLINE Vec<T> splat(T s) {
    Vec<T> v;
    for (int i = 0; i < lanes<T>; ++i) v[i] = s;
    return v;
}

// The first `count` lanes; what is not read is zero.
template <class T> KS_INLINE Vec<T> load(const T *from, int64_t count) {
    if (count >= lanes<T>) return load(from);
    T part[lanes<T>] = {};
    for (int64_t i = 0; i < count; ++i) part[i] = from[i];
    return load(part);
}

template <class T> KS_INLINE void store(T *to, Vec<T> v, int64_t count) {
    if (count >= lanes<T>) return store(to, v);
    T part[lanes<T>];
    store(part, v);
    for (int64_t i = 0; i < count; ++i) to[i] = part[i];
}

// e^x as scale * (1 + fraction), with fraction = e^r - 1 of a small r, exact near zero.
// Comparisons are written so that a NaN stays one.
template <class T> KS_INLINE void exp_parts(Vec<T> x, Vec<T> &scale, Vec<T> &fraction) {
    typedef Simd<T> S;
    const Vec<T> low = splat<T>(S::lowest), high = splat<T>(S::highest);
    x = x < low ? low : x;
    x = x > high ? high : x;
    Vec<T> shifted = x * S::log2e + S::rounder;
    Vec<T> n = shifted - S::rounder;
    Vec<T> r = x - n * S::ln2_high;
    r = r - n * S::ln2_low;
    Vec<T> p = splat<T>(T(1));
#pragma GCC unroll 16
    for (int k = S::degree; k > 1; --k) p = p * r * T(1.0 / k) + T(1);
    fraction = p * r;
    typename S::I bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + S::bias) << S::mantissa;  // the low bits of `shifted` are n
    __builtin_memcpy(&scale, &bits, sizeof bits);
}

template <class T> KS_INLINE Vec<T> sigmoid(Vec<T> x) {
    Vec<T> scale, fraction;
    exp_parts<T>(-x, scale, fraction);
    return T(1) / (T(1) + (scale + scale * fraction));
}

template <class T> KS_INLINE Vec<T> tanh(Vec<T> x) {
    Vec<T> scale, fraction;
    Vec<T> size = x < T(0) ? -x : x;
    exp_parts<T>(T(-2) * size, scale, fraction);
    Vec<T> e = scale * fraction + (scale - T(1));  // e^(-2 |x|) - 1
    Vec<T> t = -e / (T(2) + e);
    return x < T(0) ? -t : t;
}

template <class T> KS_INLINE Vec<T> activate(int activation, Vec<T> x) {
    const Vec<T> zero = {}, one = splat<T>(T(1));
    switch (activation) {
    case KS_TANH: return tanh<T>(x);
    case KS_SIGMOID: return sigmoid<T>(x);
    case KS_RELU: return x < zero ? zero : x;
    case KS_HARD_SIGMOID:
        x = x / T(6) + T(0.5);
        x = x < zero ? zero : x;
        return x > one ? one : x;
    default: return x;
    }
}

// The derivative of an activation, from its value.
template <class T> KS_INLINE Vec<T> slope(int activation, Vec<T> y) {
    const Vec<T> zero = {}, one = splat<T>(T(1));
    switch (activation) {
    case KS_TANH: return T(1) - y * y;
    case KS_SIGMOID: return y * (T(1) - y);
    case KS_RELU: return y > zero ? one : zero;
    case KS_HARD_SIGMOID: return (y > zero) & (y < one) ? splat<T>(T(1) / T(6)) : zero;
    default: return one;
    }
}
