/* What the kernel tests share: every table this processor can run, numbers to feed it, and memory that notices.
 * Inputs are heap blocks of exactly their size (a reader beyond the end meets the address sanitizer), their start
 * deliberately unaligned; outputs lie between guard zones that must not change. */
#ifndef HEED_TESTS_KERNELS_CHECK_H
#define HEED_TESTS_KERNELS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, MOST_BLOCKS = 64 };
#define GUARD_VALUE 1.2345e30f

typedef struct block {
    float *memory, *data;
    int64_t n; /* of an output; -1 of an input */
} block;

static block blocks[MOST_BLOCKS];
static int block_count;
static heed_random source = {.seed = 20240607, .stream = 1};

static inline block *new_block(int64_t floats)
{
    assert_true(block_count < MOST_BLOCKS);
    block *b = &blocks[block_count++];
    b->memory = malloc((size_t)(floats ? floats : 1) * sizeof(float));
    assert_non_null(b->memory);
    return b;
}

/* n floats to read, on an address that is a multiple of 4 at best */
static inline float *input_block(int64_t n)
{
    int64_t shift = heed_random_below(&source, 4);
    block *b = new_block(n + shift);
    b->n = -1;
    b->data = b->memory + shift;
    return b->data;
}

/* n floats to write, all NaN at first */
static inline float *output_block(int64_t n)
{
    int64_t shift = heed_random_below(&source, 4);
    block *b = new_block(n + 2 * GUARD + shift);
    b->n = n;
    b->data = b->memory + GUARD + shift;
    for (int64_t i = -GUARD; i < n + GUARD; i++)
        b->data[i] = i >= 0 && i < n ? NAN : GUARD_VALUE;
    return b->data;
}

static inline float *output_copy(int64_t n, const float *x)
{
    float *y = output_block(n);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i];
    return y;
}

/* Checks every guard zone and frees everything; ends a case. */
static inline void release_blocks(void)
{
    for (int k = 0; k < block_count; k++) {
        const block *b = &blocks[k];
        for (int64_t i = 1; b->n >= 0 && i <= GUARD; i++)
            if (b->data[-i] != GUARD_VALUE || b->data[b->n + i - 1] != GUARD_VALUE)
                fail_msg("wrote outside of output %d of %lld floats", k, (long long)b->n);
        free(b->memory);
    }
    block_count = 0;
}

static inline float random_float(float low, float high)
{
    return low + (high - low) * (float)heed_random_double(&source);
}

static inline float *random_input(int64_t n, float low, float high)
{
    float *x = input_block(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = random_float(low, high);
    return x;
}

static inline double ulp(double x)
{
    float magnitude = fabsf((float)x);
    return magnitude < FLT_MIN ? FLT_MIN * FLT_EPSILON : (double)(nextafterf(magnitude, INFINITY) - magnitude);
}

/* Within `bound`, or both NaN, or the same infinity */
static inline bool near_to(double found, double expected, double bound)
{
    if (isnan(expected) || isnan(found))
        return isnan(expected) && isnan(found);
    return found == expected || fabs(found - expected) <= bound;
}

#define CHECK_NEAR(kernels, what, i, found, expected, bound)                                                           \
    do {                                                                                                               \
        double check_found = (found), check_expected = (expected), check_bound = (bound);                              \
        if (!near_to(check_found, check_expected, check_bound))                                                        \
            fail_msg("%s %s [%lld]: found %.9g, expected %.9g within %.3g (seed %llu)", (kernels)->name, what,         \
                     (long long)(i), check_found, check_expected, check_bound, (unsigned long long)source.seed);       \
    } while (0)

/* Every table that this processor can run. */
static inline int table_count(void)
{
    return (int)heed_cpu_detect() + 1;
}

static inline const heed_kernels *table(int i)
{
    const heed_kernels *k = heed_kernels_for((heed_cpu)i);
    assert_non_null(k);
    assert_string_equal(k->name, heed_cpu_name((heed_cpu)i));
    return k;
}

#define EACH_TABLE(k)                                                                                                  \
    for (int table_index = 0; table_index < table_count(); table_index++)                                              \
        for (const heed_kernels *k = table(table_index); k; k = NULL)

/* Lengths around what vectors hold, and some odd ones */
static const int64_t lengths[] = {0,  1,  2,  3,  4,  5,  7,  8,  9,  11, 15,  16,  17,
                                  23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 129, 257};
enum { LENGTH_COUNT = sizeof lengths / sizeof *lengths };

#define EACH_LENGTH(n)                                                                                                 \
    for (int64_t length_index = 0, n = 0; length_index < LENGTH_COUNT && (n = lengths[length_index], true);            \
         length_index++)

/* From HEED_SEED in the environment, or a fixed one */
static inline int set_seed(void **state)
{
    (void)state;
    const char *text = getenv("HEED_SEED");
    if (text)
        source.seed = strtoull(text, NULL, 10);
    return 0;
}

#endif
