/* For tests of operations: drawing operands, and running a piece of graph on every instruction set. */
#ifndef HEED_TEST_OP_CHECK_H
#define HEED_TEST_OP_CHECK_H

#include "heed/graph.h"

enum { HEED_TEST_OPERANDS = 7 };

/* How an operand's numbers are drawn. */
typedef enum heed_test_draw {
    HEED_TEST_UNUSED,   /* no operand */
    HEED_TEST_ANY,      /* -3..3, each at least 0.15 away from the multiples of 0.5, where functions have their kinks */
    HEED_TEST_POSITIVE, /* 0.7..3 */
    HEED_TEST_DISTINCT, /* multiples of 0.2 around 0, no two of them equal, nor equal to one of another operand */
    HEED_TEST_LARGE,    /* -60..60 */
    HEED_TEST_SMALL,    /* -0.5..0.5 */
    HEED_TEST_IDS,      /* int32, 0..limit-1 */
    HEED_TEST_MASK,     /* bool, two thirds true; row 0 of the last dimension all false if there are several rows */
} heed_test_draw;

typedef struct heed_test_operand {
    heed_test_draw draw;
    heed_shape     shape;
    int            limit; /* of ids */
} heed_test_operand;

#define HEED_TEST_SHAPE(...) {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}
#define ANY(...) {HEED_TEST_ANY, HEED_TEST_SHAPE(__VA_ARGS__), 0}
#define POSITIVE(...) {HEED_TEST_POSITIVE, HEED_TEST_SHAPE(__VA_ARGS__), 0}
#define DISTINCT(...) {HEED_TEST_DISTINCT, HEED_TEST_SHAPE(__VA_ARGS__), 0}
#define LARGE(...) {HEED_TEST_LARGE, HEED_TEST_SHAPE(__VA_ARGS__), 0}
#define SMALL(...) {HEED_TEST_SMALL, HEED_TEST_SHAPE(__VA_ARGS__), 0}
#define MASK(...) {HEED_TEST_MASK, HEED_TEST_SHAPE(__VA_ARGS__), 0}
#define IDS(limit, ...) {HEED_TEST_IDS, HEED_TEST_SHAPE(__VA_ARGS__), limit}
#define ANY_SCALAR {HEED_TEST_ANY, {0, {0}}, 0}
#define DISTINCT_SCALAR {HEED_TEST_DISTINCT, {0, {0}}, 0}
#define MASK_SCALAR {HEED_TEST_MASK, {0, {0}}, 0}

heed_dtype heed_test_dtype(heed_test_draw draw);
int        heed_test_operand_count(const heed_test_operand *operands);

/* Arrays for `count` operands, always the same for the same operands; freed with heed_test_free. */
void heed_test_draw_operands(const heed_test_operand *operands, int count, heed_array *out);
void heed_test_free(heed_array *arrays, int count);

/* The same numbers as double. */
double heed_test_at(const heed_array *a, int64_t i);

/* The instruction sets of this machine: heed_test_cpus[0..n-1], the return value being n. */
int heed_test_cpus(const char *names[3]);

#endif
