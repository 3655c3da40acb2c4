#include "kernels/generic.h"

enum { COLUMNS = HEED_GENERIC_COLUMNS, ROWS = 4, DEPTH = 256 };

/* C (ROWS or 1, columns) = start + A (.., depth) B (depth, COLUMNS). Every element sums its products one after another,
 * from where it starts: so blocks of depth, rows and columns may be cut anywhere. */
static inline void multiply_tile(int rows, int64_t columns, int64_t depth, const float *a, int64_t a_row,
                                 int64_t a_column, const float *b, float *c, int64_t ldc,
                              const float *start, int64_t start_row)
{
    float sums[ROWS][COLUMNS] = {{0}};
    for (int i = 0; i < rows && start != NULL; i++)
        for (int64_t j = 0; j < columns; j++)
            sums[i][j] = start[i * start_row + j];
    for (int64_t l = 0; l < depth; l++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < COLUMNS; j++)
                sums[i][j] += a[i * a_row + l * a_column] * b[l * COLUMNS + j];
    for (int i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            c[i * ldc + j] = sums[i][j];
}

static const float *start_at(const float *start, int64_t offset)
{
    return start == NULL ? NULL : start + offset;
}

static void multiply_panel(int64_t m, int64_t columns, int64_t depth, const float *a, int64_t a_row, int64_t a_column,
                           const float *b, float *c, int64_t ldc,
                              const float *start, int64_t start_row)
{
    int64_t i = 0;
    for (; i + ROWS <= m; i += ROWS)
        multiply_tile(ROWS, columns, depth, a + i * a_row, a_row, a_column, b, c + i * ldc, ldc,
                      start_at(start, i * start_row), start_row);
    for (; i < m; i++)
        multiply_tile(1, columns, depth, a + i * a_row, a_row, a_column, b, c + i * ldc, ldc,
                      start_at(start, i * start_row), start_row);
}

/* B's block (depth, columns) into `packed` (depth, COLUMNS), short rows filled with zeros */
static void pack_panel(int64_t columns, int64_t depth, const float *b, int64_t b_row, int64_t b_column, float *packed)
{
    for (int64_t l = 0; l < depth; l++)
        for (int64_t j = 0; j < COLUMNS; j++)
            packed[l * COLUMNS + j] = j < columns ? b[l * b_row + j * b_column] : 0.0f;
}

static int64_t at_most(int64_t limit, int64_t x)
{
    return x < limit ? x : limit;
}

void heed_generic_gemm_pack(int64_t n, int64_t k, const float *b, int64_t b_row, int64_t b_column, float *packed)
{
    for (int64_t j = 0; j < n; j += COLUMNS)
        pack_panel(at_most(COLUMNS, n - j), k, b + j * b_column, b_row, b_column, packed + j * k);
}

void heed_generic_gemm_packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                              const float *packed, float *c, int64_t ldc,
                              const float *start, int64_t start_row)
{
    for (int64_t j = 0; j < n; j += COLUMNS)
        multiply_panel(m, at_most(COLUMNS, n - j), k, a, a_row, a_column, packed + j * k, c + j, ldc,
                       start_at(start, j), start_row);
}

void heed_generic_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                       const float *b, int64_t b_row, int64_t b_column, float *c, int64_t ldc,
                              const float *start, int64_t start_row)
{
    float block[DEPTH * COLUMNS];
    for (int64_t j = 0; j < n; j += COLUMNS) {
        int64_t columns = at_most(COLUMNS, n - j), l = 0;
        do { /* once also for k = 0, which clears C */
            int64_t depth = at_most(DEPTH, k - l);
            pack_panel(columns, depth, b + l * b_row + j * b_column, b_row, b_column, block);
            bool first = l == 0; /* later blocks add to what is there */
            multiply_panel(m, columns, depth, a + l * a_column, a_row, a_column, block, c + j, ldc,
                           first ? start_at(start, j) : c + j, first ? start_row : ldc);
            l += depth;
        } while (l < k);
    }
}
