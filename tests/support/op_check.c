#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_check.h"

#include "base/random.h"

#include <math.h>
#include <stdlib.h>

int heed_test_operand_count(const heed_test_operand *operands)
{
    int count = 0;
    while (count < HEED_TEST_OPERANDS && operands[count].draw != HEED_TEST_UNUSED)
        count++;
    return count;
}

heed_dtype heed_test_dtype(heed_test_draw draw)
{
    return draw == HEED_TEST_IDS ? HEED_INT32 : draw == HEED_TEST_MASK ? HEED_BOOL : HEED_FLOAT32;
}

static float draw_float(heed_test_draw draw, heed_random *r)
{
    double u = heed_random_double(r);
    switch (draw) {
    case HEED_TEST_ANY: return (float)(((int)heed_random_below(r, 12) - 6) * 0.5 + 0.15 + 0.2 * u);
    case HEED_TEST_POSITIVE: return (float)(0.7 + 2.3 * u);
    case HEED_TEST_SMALL: return (float)(u - 0.5);
    default: return (float)(-60 + 120 * u);
    }
}

/* numbers first..first+count-1 of the sequence 0, 0.2, -0.2, 0.4, ..., shuffled */
static void draw_distinct(float *x, int64_t count, int64_t first, heed_random *r)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t k = first + i;
        x[i] = 0.2f * (float)(k % 2 == 0 ? -k / 2 : (k + 1) / 2);
    }
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = heed_random_below(r, (uint32_t)i + 1);
        float swap = x[i];
        x[i] = x[j];
        x[j] = swap;
    }
}

static void draw_mask(uint8_t *x, const heed_shape *shape, int64_t count, heed_random *r)
{
    int64_t row = shape->rank > 0 ? shape->dims[shape->rank - 1] : 1;
    for (int64_t i = 0; i < count; i++)
        x[i] = heed_random_below(r, 3) > 0 && (i >= row || row == count);
}

void heed_test_draw_operands(const heed_test_operand *operands, int count, heed_array *out)
{
    int64_t distinct = 0;
    for (int k = 0; k < count; k++) {
        const heed_test_operand *o = &operands[k];
        heed_random r = {.seed = 17, .stream = (uint64_t)k};
        int64_t n = heed_shape_count(&o->shape);
        out[k] = (heed_array){heed_test_dtype(o->draw), o->shape, NULL};
        out[k].data = malloc((size_t)n * heed_dtype_size(out[k].dtype) + 1);
        assert_non_null(out[k].data);
        if (o->draw == HEED_TEST_IDS) {
            for (int64_t i = 0; i < n; i++)
                ((int32_t *)out[k].data)[i] = (int32_t)heed_random_below(&r, (uint32_t)o->limit);
        } else if (o->draw == HEED_TEST_MASK) {
            draw_mask(out[k].data, &o->shape, n, &r);
        } else if (o->draw == HEED_TEST_DISTINCT) {
            draw_distinct(out[k].data, n, distinct, &r);
            distinct += n;
        } else {
            for (int64_t i = 0; i < n; i++)
                ((float *)out[k].data)[i] = draw_float(o->draw, &r);
        }
    }
}

void heed_test_free(heed_array *arrays, int count)
{
    for (int i = 0; i < count; i++)
        free(arrays[i].data);
}

double heed_test_at(const heed_array *a, int64_t i)
{
    switch (a->dtype) {
    case HEED_INT32: return ((const int32_t *)a->data)[i];
    case HEED_BOOL: return ((const uint8_t *)a->data)[i];
    case HEED_FLOAT64: return ((const double *)a->data)[i];
    default: return ((const float *)a->data)[i];
    }
}

int heed_test_cpus(const char *names[3])
{
    int count = 0;
    for (heed_cpu cpu = HEED_CPU_GENERIC; cpu <= HEED_CPU_AVX512; cpu++) {
        heed_context *c;
        heed_context_config config = {.threads = 1, .cpu = heed_cpu_name(cpu)};
        if (heed_context_create(&config, &c) == HEED_OK)
            names[count++] = heed_cpu_name(cpu);
        heed_context_free(c);
    }
    return count;
}
