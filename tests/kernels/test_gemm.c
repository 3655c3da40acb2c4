#include "kernels/check.h"

typedef struct product {
    int64_t m, n, k, ldc;
    bool transposed_a, transposed_b;
    enum { FROM_ZERO, FROM_C, FROM_BIAS } from;
    int64_t a_row, a_column, b_row, b_column;
    const float *a, *b;
    float *start; /* C before, (m, ldc) */
    const float *bias; /* (n) */
} product;

static product random_product(int64_t m, int64_t n, int64_t k)
{
    product p = {.m = m, .n = n, .k = k};
    p.transposed_a = heed_random_below(&source, 2);
    p.transposed_b = heed_random_below(&source, 2);
    p.from = heed_random_below(&source, 3);
    int64_t wide = heed_random_below(&source, 3);
    p.a_row = p.transposed_a ? 1 : k + wide;
    p.a_column = p.transposed_a ? m + wide : 1;
    p.b_row = p.transposed_b ? 1 : n + wide;
    p.b_column = p.transposed_b ? k + wide : 1;
    p.ldc = n + heed_random_below(&source, 3);
    /* the last row needs no padding, and has none */
    p.a = random_input(m && k ? (m - 1) * p.a_row + (k - 1) * p.a_column + 1 : 0, -1, 1);
    p.b = random_input(n && k ? (k - 1) * p.b_row + (n - 1) * p.b_column + 1 : 0, -1, 1);
    p.bias = random_input(n, -1, 1);
    p.start = random_input(m ? (m - 1) * p.ldc + n : 0, -1, 1);
    return p;
}

static int64_t round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static const float *packed_b(const heed_kernels *k, const product *p)
{
    int64_t size = round_up(p->n, k->gemm_columns) * p->k;
    float *packed = output_block(size);
    k->gemm_pack(p->n, p->k, p->b, p->b_row, p->b_column, packed);
    for (int64_t i = 0; i < size; i++) {
        int64_t panel = i / (k->gemm_columns * p->k), row = i / k->gemm_columns % p->k;
        int64_t column = panel * k->gemm_columns + i % k->gemm_columns;
        float expected = column < p->n ? p->b[row * p->b_row + column * p->b_column] : 0.0f;
        if (packed[i] != expected)
            fail_msg("%s gemm_pack [%lld]: found %g, expected %g", k->name, (long long)i, packed[i], expected);
    }
    return packed;
}

/* rows i.. and columns j.. of the product */
static void multiply(const heed_kernels *k, const product *p, const float *packed, int64_t i, int64_t rows, int64_t j,
                     int64_t columns, float *c)
{
    const float *a = p->a + i * p->a_row;
    c += i * p->ldc + j;
    const float *start = p->from == FROM_ZERO ? NULL : p->from == FROM_C ? c : p->bias + j;
    int64_t start_row = p->from == FROM_C ? p->ldc : 0;
    if (packed)
        k->gemm_packed(rows, columns, p->k, a, p->a_row, p->a_column, packed + j * p->k, c, p->ldc, start, start_row);
    else
        k->gemm(rows, columns, p->k, a, p->a_row, p->a_column, p->b + j * p->b_column, p->b_row, p->b_column, c, p->ldc,
                start, start_row);
}

static int64_t size_of_c(const product *p)
{
    return p->m ? (p->m - 1) * p->ldc + p->n : 0;
}

static void check_values(const heed_kernels *k, const product *p, const float *c)
{
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->ldc && i * p->ldc + j < size_of_c(p); j++) {
            const double bound = FLT_EPSILON * sqrt((double)p->k + 1); /* of the sum of magnitudes */
            float start = p->start[i * p->ldc + j];
            double sum = j >= p->n || p->from == FROM_C ? start : p->from == FROM_BIAS ? p->bias[j] : 0, size = fabs(sum);
            for (int64_t l = 0; j < p->n && l < p->k; l++) {
                double term = (double)p->a[i * p->a_row + l * p->a_column] * p->b[l * p->b_row + j * p->b_column];
                sum += term;
                size += fabs(term);
            }
            CHECK_NEAR(k, "gemm", i * p->ldc + j, c[i * p->ldc + j], sum, j < p->n ? bound * size : 0);
        }
    }
}

/* the same bits when rows and columns are cut at random */
static void check_cuts(const heed_kernels *k, const product *p, const float *packed, const float *whole)
{
    float *c = output_copy(size_of_c(p), p->start);
    for (int64_t i = 0, rows; i < p->m; i += rows) {
        rows = 1 + heed_random_below(&source, (uint32_t)(p->m - i));
        for (int64_t j = 0, columns; j < p->n; j += columns) {
            columns = (1 + heed_random_below(&source, 3)) * k->gemm_columns;
            columns = columns < p->n - j ? columns : p->n - j;
            multiply(k, p, packed, i, rows, j, columns, c);
        }
    }
    if (size_of_c(p))
        assert_memory_equal(c, whole, (size_t)size_of_c(p) * sizeof *c);
}

static void check_product(const heed_kernels *k, const product *p, const float *packed)
{
    float *c = output_copy(size_of_c(p), p->start);
    multiply(k, p, packed, 0, p->m, 0, p->n, c);
    check_values(k, p, c);
    check_cuts(k, p, packed, c);
}

static void check_size(int64_t m, int64_t n, int64_t depth)
{
    EACH_TABLE (k) {
        product p = random_product(m, n, depth);
        check_product(k, &p, NULL);
        check_product(k, &p, packed_b(k, &p));
        release_blocks();
    }
}

static void test_small_sizes(void **state)
{
    (void)state;
    static const int64_t columns[] = {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 130};
    static const int64_t depths[] = {0, 1, 2, 17};
    for (int64_t m = 0; m <= 26; m++)
        for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
            for (size_t l = 0; l < sizeof depths / sizeof *depths; l++)
                check_size(m, columns[j], depths[l]);
}

static void test_blocks(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{49, 33, 255}, {50, 40, 256}, {97, 65, 257}, {1, 300, 600}, {5, 1100, 300},
                                       {200, 31, 513}, {100, 530, 40}, {193, 100, 100}, {12, 96, 1025}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int again = 0; again < 8; again++)
            check_size(sizes[s][0], sizes[s][1], sizes[s][2]);
}

static void test_random_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++)
        check_size(heed_random_below(&source, 60), heed_random_below(&source, 150), heed_random_below(&source, 300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_sizes),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_random_sizes),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
