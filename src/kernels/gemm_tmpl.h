/* Products of matrices on vectors. Every element of C sums its products one after another in the order of k, from where it
 * starts, and between blocks of k from C: so its bits do not depend on how the work is cut. */
#ifndef HEED_KERNELS_GEMM_TMPL_H
#define HEED_KERNELS_GEMM_TMPL_H

#include "kernels/kernels.h"
#include "kernels/simd.h"

/* PANEL columns are packed together. A tile of C, up to TILE_ROWS rows by one panel, is kept in registers. A block of A
 * and a panel's block of B stay in the nearest caches. */
enum {
    PANEL = 2 * VL,
    TILE_ROWS = VL == 16 ? 12 : 6,
    BLOCK_DEPTH = 256,
    BLOCK_ROWS = 8 * TILE_ROWS,
    BLOCK_COLUMNS = 16 * PANEL,
    DIRECT_ROWS = 24 * TILE_ROWS, /* an unpacked B is worth packing for more */
    COPIED_ROWS = 4 * TILE_ROWS,  /* of a transposed A, at a time */
    MOST_PANELS = 4
};

typedef struct matrix { /* element (i, j) at data[i * row + j * column] */
    const float *data;
    int64_t row, column;
} matrix;

typedef struct panels {
    const float *data;
    int64_t row, next; /* distances from row to row within a panel, and from panel to panel */
} panels;

/* What is added to starts from `start` (NULL: zeros), which lies as C does but for its row distance. */
typedef struct target {
    float *data;
    int64_t row;
    const float *start;
    int64_t start_row;
} target;

INLINE int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

INLINE target target_at(target c, int64_t i, int64_t j)
{
    return (target){c.data + i * c.row + j, c.row, c.start == NULL ? NULL : c.start + i * c.start_row + j, c.start_row};
}

/* The same target, to be added to what is there now. */
INLINE target again(target c)
{
    return (target){c.data, c.row, c.data, c.row};
}

INLINE matrix part_of(matrix a, int64_t i, int64_t j)
{
    return (matrix){a.data + i * a.row + j * a.column, a.row, a.column};
}

/* C (rows, columns) = start + A (rows, depth) B (depth, width * VL). `rows` and `width` are constants where this is
 * inlined; columns < width * VL for one panel, or the first half of one, only. */
INLINE void multiply_tile(const int rows, const int width, int64_t columns, int64_t depth, matrix a, panels b, target c)
{
    vec sums[TILE_ROWS][2 * MOST_PANELS];
    const bool whole = columns == (int64_t)width * VL;
    int64_t left[2 * MOST_PANELS];
    UNROLL for (int j = 0; j < width; j++)
        left[j] = whole ? VL : columns > j * VL ? smaller(columns - j * VL, VL) : 0;
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < width; j++)
            sums[i][j] = c.start == NULL ? v_zero() : v_load_some(c.start + i * c.start_row + j * VL, left[j]);
    }
    const float *x[(TILE_ROWS + 2) / 3]; /* one pointer for three rows: what the processor's addressing can reach */
    UNROLL for (int i = 0; i < rows; i += 3)
        x[i / 3] = a.data + i * a.row;
    const float *y = b.data;
    for (int64_t l = 0; l < depth; l++) {
        vec line[2 * MOST_PANELS];
        UNROLL for (int j = 0; j < width; j++)
            line[j] = v_load(y + (j / 2) * b.next + (j % 2) * VL);
        UNROLL for (int i = 0; i < rows; i++) {
            vec factor = v_set(x[i / 3][(i % 3) * a.row]);
            UNROLL for (int j = 0; j < width; j++)
                sums[i][j] = v_fma(factor, line[j], sums[i][j]);
        }
        UNROLL for (int i = 0; i < rows; i += 3)
            x[i / 3] += a.column;
        y += b.row;
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < width; j++)
            v_store_some(c.data + i * c.row + j * VL, left[j], sums[i][j]);
    }
}

static void multiply_one_panel(int64_t rows, int64_t columns, int64_t depth, matrix a, panels b, target c)
{
    switch (2 * rows + (columns <= VL)) {
#define TILE(rows)                                                                                                     \
    case 2 * rows: multiply_tile(rows, 2, columns, depth, a, b, c); break;                                             \
    case 2 * rows + 1: multiply_tile(rows, 1, columns, depth, a, b, c); break;
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if defined(__AVX512F__)
        TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
#undef TILE
    }
}

/* Few rows leave registers free: `count` whole panels side by side keep the adders busy. False where it is not so. */
static bool multiply_panels(int64_t rows, int count, int64_t depth, matrix a, panels b, target c)
{
    switch (8 * rows + count) {
#define TILE(rows, count)                                                                                              \
    case 8 * rows + count: multiply_tile(rows, 2 * count, count * PANEL, depth, a, b, c); return true;
        TILE(1, 4) TILE(1, 2) TILE(2, 2) TILE(3, 2)
#if defined(__AVX512F__)
        TILE(2, 4) TILE(4, 2) TILE(5, 2) TILE(6, 2)
#endif
#undef TILE
    }
    return false;
}

/* A block of rows against all columns. B's rows of a panel may lie anywhere, but short panels must be filled up. */
static void multiply_block(int64_t rows, int64_t columns, int64_t depth, matrix a, panels b, target c)
{
    int64_t j = 0;
    for (int count = MOST_PANELS; count > 1; count /= 2) {
        while (j + count * PANEL <= columns && multiply_panels(rows, count, depth, a, b, c)) {
            b.data += count * b.next;
            c = target_at(c, 0, count * PANEL);
            j += count * PANEL;
        }
    }
    /* tiles of nearly the same height; divisions are too slow to cut off each anew */
    const int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS, low = rows / tiles, higher = rows % tiles;
    for (; j < columns; j += PANEL) {
        for (int64_t t = 0, i = 0; t < tiles; t++) {
            int64_t some = low + (t < higher);
            multiply_one_panel(some, smaller(PANEL, columns - j), depth, part_of(a, i, 0), b, target_at(c, i, 0));
            i += some;
        }
        b.data += b.next;
        c = target_at(c, 0, PANEL);
    }
}

/* A block of a transposed A, (rows, depth), so that its columns lie close together */
static matrix copy_transposed(int64_t rows, int64_t depth, matrix a, float *copy)
{
    for (int64_t l = 0; l < depth; l++)
        for (int64_t i = 0; i < rows; i += VL)
            v_store_some(copy + l * COPIED_ROWS + i, rows - i, v_load_some(a.data + l * a.column + i, rows - i));
    return (matrix){copy, 1, COPIED_ROWS};
}

static void multiply_transposed(int64_t rows, int64_t columns, int64_t depth, matrix a, panels b, target c)
{
    float copy[BLOCK_DEPTH * COPIED_ROWS];
    for (int64_t i = 0; i < rows; i += COPIED_ROWS) {
        int64_t some = smaller(COPIED_ROWS, rows - i);
        multiply_block(some, columns, depth, copy_transposed(some, depth, part_of(a, i, 0), copy), b, target_at(c, i, 0));
    }
}

static void multiply(int64_t rows, int64_t columns, int64_t depth, matrix a, panels b, target c)
{
    if (a.row == 1 && a.column != 1 && rows > 1) {
        multiply_transposed(rows, columns, depth, a, b, c);
        return;
    }
    for (int64_t i = 0; i < rows; i += BLOCK_ROWS)
        multiply_block(smaller(BLOCK_ROWS, rows - i), columns, depth, part_of(a, i, 0), b, target_at(c, i, 0));
}

/* One block of columns, over the whole depth: what it works on of B and C stays in the second cache. */
static void multiply_columns(int64_t m, int64_t n, int64_t k, matrix a, panels b, target c)
{
    int64_t l = 0;
    do { /* once also for k = 0, which clears C */
        int64_t depth = smaller(BLOCK_DEPTH, k - l);
        multiply(m, n, depth, part_of(a, 0, l), b, c);
        b.data += depth * b.row;
        c = again(c);
        l += depth;
    } while (l < k);
}

static void gemm_packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                        const float *packed, float *c, int64_t ldc, const float *start, int64_t start_row)
{
    target all = {c, ldc, start, start_row};
    for (int64_t j = 0; j < n; j += BLOCK_COLUMNS)
        multiply_columns(m, smaller(BLOCK_COLUMNS, n - j), k, (matrix){a, a_row, a_column},
                         (panels){packed + j * k, PANEL, k * PANEL}, target_at(all, 0, j));
}

/* PANEL columns of one row of B after another */
static void pack_rows(int64_t columns, int64_t depth, matrix b, float *packed)
{
    for (int64_t l = 0; l < depth; l++)
        for (int j = 0; j < PANEL; j += VL)
            v_store(packed + l * PANEL + j,
                    j < columns ? v_load_some(b.data + l * b.row + j, columns - j) : v_zero());
}

/* the same of a B that lies transposed (b.row is 1): squares of VL rows and columns are turned in registers */
static void pack_transposed(int64_t columns, int64_t depth, matrix b, float *packed)
{
    for (int64_t j = 0; j < PANEL; j += VL) {
        for (int64_t l = 0; l < depth; l += VL) {
            vec square[VL];
            UNROLL for (int i = 0; i < VL; i++)
                square[i] = j + i < columns ? v_load_some(b.data + l + (j + i) * b.column, depth - l) : v_zero();
            if (j < columns)
                v_transpose(square);
            UNROLL for (int i = 0; i < VL; i++)
                if (l + i < depth)
                    v_store(packed + (l + i) * PANEL + j, square[i]);
        }
    }
}

static void pack_panel(int64_t columns, int64_t depth, matrix b, float *packed)
{
    if (b.column == 1)
        pack_rows(columns, depth, b, packed);
    else
        pack_transposed(columns, depth, b, packed);
}

static void gemm_pack(int64_t n, int64_t k, const float *b, int64_t b_row, int64_t b_column, float *packed)
{
    matrix source = {b, b_row, b_column};
    for (int64_t j = 0; j < n; j += PANEL)
        pack_panel(smaller(PANEL, n - j), k, part_of(source, 0, j), packed + j * k);
}

/* One short or much used panel, packed a block of its depth at a time */
static void multiply_unpacked_panel(int64_t m, int64_t columns, int64_t k, matrix a, matrix b, target c)
{
    float block[BLOCK_DEPTH * PANEL];
    int64_t l = 0;
    do { /* once also for k = 0, which clears C */
        int64_t depth = smaller(BLOCK_DEPTH, k - l);
        pack_panel(columns, depth, part_of(b, l, 0), block);
        multiply(m, columns, depth, part_of(a, 0, l), (panels){block, PANEL, 0}, c);
        c = again(c);
        l += depth;
    } while (l < k);
}

static void gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column, const float *b,
                 int64_t b_row, int64_t b_column, float *c, int64_t ldc, const float *start, int64_t start_row)
{
    matrix left = {a, a_row, a_column}, right = {b, b_row, b_column};
    target all = {c, ldc, start, start_row};
    int64_t j = 0;
    if (m <= DIRECT_ROWS && b_column == 1) { /* whole panels are read where they lie */
        j = n / PANEL * PANEL;
        multiply_columns(m, j, k, left, (panels){b, b_row, PANEL}, all);
    }
    for (; j < n; j += PANEL)
        multiply_unpacked_panel(m, smaller(PANEL, n - j), k, left, part_of(right, 0, j), target_at(all, 0, j));
}

#endif
