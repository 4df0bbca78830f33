// Products of small matrices: register blocks over packed panels. Included once per instruction
// set, inside its namespace; KS_ROWS is how many rows a register block of four vectors holds.

constexpr int kPanel = 4;  // vectors of a packed panel

KS_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
KS_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
KS_INLINE int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

// to[r] = start[r] + sum over k of a[r][k] b[k], for MR rows and NV whole vectors of columns; b is a
// packed panel. The one place where the time of a product goes.
template <class T, int MR, int NV>
KS_NOINLINE void multiply(const T *start, ptrdiff_t ld_start, const T *a, ptrdiff_t lda, const T *b,
                          int64_t depth, T *to, ptrdiff_t ldt) {
    constexpr int L = lanes<T>;
    Vec<T> acc[MR][NV];
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) acc[r][v] = load(start + r * ld_start + v * L);
    for (int64_t k = 0; k < depth; ++k, b += NV * L) {
        Vec<T> column[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) column[v] = load(b + v * L);
#pragma GCC unroll 8
        for (int r = 0; r < MR; ++r) {
            T s = a[r * lda + k];
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v) acc[r][v] += s * column[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(to + r * ldt + v * L, acc[r][v]);
}

template <class T, int NV, int MR = KS_ROWS>
KS_INLINE void multiply_rows(int rows, const T *start, ptrdiff_t ld_start, const T *a, ptrdiff_t lda,
                             const T *b, int64_t depth, T *to, ptrdiff_t ldt) {
    if constexpr (MR > 1)
        if (rows < MR)
            return multiply_rows<T, NV, MR - 1>(rows, start, ld_start, a, lda, b, depth, to, ldt);
    multiply<T, MR, NV>(start, ld_start, a, lda, b, depth, to, ldt);
}

// Calls body(first row, rows) for blocks of nearly equal height, at most KS_ROWS.
template <class F> KS_INLINE void by_rows(int64_t rows, F body) {
    int64_t blocks = ceiling(rows, KS_ROWS), row = 0;
    for (int64_t i = 1; i <= blocks; ++i) {
        int64_t end = rows * i / blocks;
        body(row, int(end - row));
        row = end;
    }
}

// Where the rows of a product lie: `outer` groups of `inner` rows, each with its strides, so that
// rows of one timestep and timesteps of one row are walked alike.
struct Walk {
    int64_t outer, inner;
    ptrdiff_t a_outer, a_inner, c_outer, c_inner;
};

// c (+)= a b for all rows of a walk. `b` is packed in panels of kPanel vectors, the last one
// narrower; the last of `columns` columns may end inside a vector. `start` is what every row starts
// from, where it does not add to what is there.
template <class T, int NV>
KS_NOINLINE void panel_product(const Walk &walk, const T *a, const T *b, const T *start, T *c,
                               int64_t depth, int64_t columns, bool add) {
    constexpr int L = lanes<T>;
    static const T zeros[NV * L] = {};
    bool ragged = columns < NV * L;
    for (int64_t o = 0; o < walk.outer; ++o)
        by_rows(walk.inner, [&](int64_t row, int rows) {
            T tile[KS_ROWS * NV * L];
            const T *left = a + o * walk.a_outer + row * walk.a_inner;
            T *to = c + o * walk.c_outer + row * walk.c_inner;
            if (!ragged) {
                const T *from = add ? to : start ? start : zeros;
                ptrdiff_t ld = add ? walk.c_inner : 0;
                multiply_rows<T, NV>(rows, from, ld, left, walk.a_inner, b, depth, to, walk.c_inner);
                return;
            }
            for (int r = 0; r < rows; ++r)
                for (int v = 0; v < NV; ++v) {
                    Vec<T> from = start ? load(start + v * L) : Vec<T>{};
                    if (add) from = load(to + r * walk.c_inner + v * L, columns - v * L);
                    store(tile + (r * NV + v) * L, from);
                }
            multiply_rows<T, NV>(rows, tile, NV * L, left, walk.a_inner, b, depth, tile, NV * L);
            for (int r = 0; r < rows; ++r)
                for (int v = 0; v < NV; ++v)
                    store(to + r * walk.c_inner + v * L, load(tile + (r * NV + v) * L),
                          columns - v * L);
        });
}

template <class T>
void product(const Walk &walk, const T *a, const T *b, const T *start, T *c, int64_t depth,
             int64_t columns, bool add) {
    constexpr int L = lanes<T>;
    for (int64_t first = 0; first < columns; first += kPanel * L) {
        int64_t left = columns - first;
        int vectors = int(smaller(ceiling(left, L), kPanel));
        const T *begin = start ? start + first : nullptr;
        switch (vectors) {
        case 4: panel_product<T, 4>(walk, a, b, begin, c + first, depth, left, add); break;
        case 3: panel_product<T, 3>(walk, a, b, begin, c + first, depth, left, add); break;
        case 2: panel_product<T, 2>(walk, a, b, begin, c + first, depth, left, add); break;
        default: panel_product<T, 1>(walk, a, b, begin, c + first, depth, left, add);
        }
        b += depth * vectors * L;
    }
}

// Elements of a packed matrix.
template <class T> size_t packed_size(int64_t depth, int64_t columns) {
    return size_t(depth * ceiling(columns, lanes<T>) * lanes<T>);
}

// Packs vector(k, v), row k and v-th vector of columns, into panels of `width` vectors.
template <class T, class F>
KS_INLINE void pack(T *to, int64_t depth, int64_t vectors, int width, F vector) {
    for (int64_t first = 0; first < vectors; first += width) {
        int64_t count = smaller(width, vectors - first);
        for (int64_t k = 0; k < depth; ++k)
            for (int64_t v = 0; v < count; ++v, to += lanes<T>) store(to, vector(k, first + v));
    }
}

// sum[i][column] += sum over rows of a[row][i] d[row][column]: a weight gradient.
template <class T, int MR, int NV>
KS_NOINLINE void outer_block(const Walk &walk, const T *a, const T *d, T *sum, ptrdiff_t ld) {
    constexpr int L = lanes<T>;
    Vec<T> acc[MR][NV];
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) acc[r][v] = load(sum + r * ld + v * L);
    for (int64_t o = 0; o < walk.outer; ++o) {
        const T *left = a + o * walk.a_outer, *right = d + o * walk.c_outer;
        for (int64_t i = 0; i < walk.inner; ++i, left += walk.a_inner, right += walk.c_inner) {
            Vec<T> row[NV];
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v) row[v] = load(right + v * L);
#pragma GCC unroll 8
            for (int r = 0; r < MR; ++r) {
                T s = left[r];
#pragma GCC unroll 8
                for (int v = 0; v < NV; ++v) acc[r][v] += s * row[v];
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(sum + r * ld + v * L, acc[r][v]);
}

template <class T, int NV, int MR = KS_ROWS>
KS_INLINE void outer_rows(int rows, const Walk &walk, const T *a, const T *d, T *sum, ptrdiff_t ld) {
    if constexpr (MR > 1)
        if (rows < MR) return outer_rows<T, NV, MR - 1>(rows, walk, a, d, sum, ld);
    outer_block<T, MR, NV>(walk, a, d, sum, ld);
}

template <class T, int NV>
void outer_panel(const Walk &walk, const T *a, int64_t rows, const T *d, T *sum, ptrdiff_t ld) {
    by_rows(rows, [&](int64_t i, int count) {
        outer_rows<T, NV>(count, walk, a + i, d, sum + i * ld, ld);
    });
}

// `columns` is a whole number of vectors.
template <class T>
void outer_product(const Walk &walk, const T *a, int64_t rows, const T *d, int64_t columns, T *sum,
                   ptrdiff_t ld) {
    constexpr int L = lanes<T>;
    for (int64_t first = 0; first < columns; first += kPanel * L) {
        switch (int(smaller((columns - first) / L, kPanel))) {
        case 4: outer_panel<T, 4>(walk, a, rows, d + first, sum + first, ld); break;
        case 3: outer_panel<T, 3>(walk, a, rows, d + first, sum + first, ld); break;
        case 2: outer_panel<T, 2>(walk, a, rows, d + first, sum + first, ld); break;
        default: outer_panel<T, 1>(walk, a, rows, d + first, sum + first, ld);
        }
    }
}
