#include "heed/array.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t      size;
} dtypes[] = {
    [HEED_FLOAT32] = {"float32", 4}, [HEED_INT32] = {"int32", 4}, [HEED_BOOL] = {"bool", 1},
    [HEED_FLOAT64] = {"float64", 8}, [HEED_INT64] = {"int64", 8}, [HEED_UINT8] = {"uint8", 1},
};

const char *heed_dtype_name(heed_dtype dtype) { return dtypes[dtype].name; }
size_t      heed_dtype_size(heed_dtype dtype) { return dtypes[dtype].size; }

int64_t heed_shape_count(const heed_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0 || __builtin_mul_overflow(count, shape->dims[i], &count))
            return -1;
    return count;
}

bool heed_shape_equal(const heed_shape *a, const heed_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

char *heed_shape_text(const heed_shape *shape, char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < shape->rank && used < size; i++) {
        const char *before = i == 0 ? "(" : ", ";
        int n = shape->dims[i] == HEED_ANY ? snprintf(text + used, size - used, "%sNone", before)
                                           : snprintf(text + used, size - used, "%s%lld", before, (long long)shape->dims[i]);
        used += (size_t)n;
    }
    if (used < size)
        snprintf(text + used, size - used, shape->rank == 0 ? "()" : shape->rank == 1 ? ",)" : ")");
    return text;
}

int64_t heed_array_count(const heed_array *a) { return heed_shape_count(&a->shape); }

heed_status heed_array_create(heed_context *c, heed_dtype dtype, const heed_shape *shape, heed_array **out)
{
    *out = NULL;
    int64_t count = heed_shape_count(shape);
    if (count < 0) {
        char text[128];
        return heed_fail(c, HEED_ESHAPE, "array of shape %s: a size is unknown or too large",
                         heed_shape_text(shape, text, sizeof text));
    }
    heed_array *a = heed_alloc(c, 1, sizeof *a);
    if (a == NULL)
        return HEED_ENOMEM;
    *a = (heed_array){.dtype = dtype, .shape = *shape};
    a->data = heed_alloc(c, (size_t)count, heed_dtype_size(dtype));
    if (a->data == NULL) {
        heed_release(c, a);
        return HEED_ENOMEM;
    }
    *out = a;
    return HEED_OK;
}

void heed_array_free(heed_context *c, heed_array *a)
{
    if (a == NULL)
        return;
    heed_release(c, a->data);
    heed_release(c, a);
}

/* Every type but int64 fits a double exactly, and int64 is only ever converted through it when it fits too. */
static double element_get(const heed_array *a, int64_t i)
{
    switch (a->dtype) {
    case HEED_FLOAT32: return (double)((const float *)a->data)[i];
    case HEED_INT32: return ((const int32_t *)a->data)[i];
    case HEED_FLOAT64: return ((const double *)a->data)[i];
    case HEED_INT64: return (double)((const int64_t *)a->data)[i];
    case HEED_BOOL:
    case HEED_UINT8: return ((const uint8_t *)a->data)[i];
    }
    return 0;
}

static bool element_set(heed_array *a, int64_t i, double v)
{
    switch (a->dtype) {
    case HEED_FLOAT32: ((float *)a->data)[i] = (float)v; return true;
    case HEED_FLOAT64: ((double *)a->data)[i] = v; return true;
    case HEED_BOOL: ((uint8_t *)a->data)[i] = v != 0; return true;
    case HEED_INT32:
        if (!(v > -2147483649.0 && v < 2147483648.0))
            return false;
        ((int32_t *)a->data)[i] = (int32_t)v;
        return true;
    case HEED_INT64:
        if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0))
            return false;
        ((int64_t *)a->data)[i] = (int64_t)v;
        return true;
    case HEED_UINT8:
        if (!(v > -1 && v < 256))
            return false;
        ((uint8_t *)a->data)[i] = (uint8_t)v;
        return true;
    }
    return false;
}

heed_status heed_array_convert(heed_context *c, const heed_array *a, heed_dtype dtype, heed_array **out)
{
    heed_array *b;
    HEED_TRY(heed_array_create(c, dtype, &a->shape, &b));
    int64_t count = heed_array_count(a);
    if (a->dtype == dtype) {
        memcpy(b->data, a->data, (size_t)count * heed_dtype_size(dtype));
        *out = b;
        return HEED_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        if (!element_set(b, i, element_get(a, i))) {
            heed_array_free(c, b);
            *out = NULL;
            return heed_fail(c, HEED_EINVAL, "element %lld: %g is outside of what %s can hold", (long long)i,
                             element_get(a, i), heed_dtype_name(dtype));
        }
    }
    *out = b;
    return HEED_OK;
}

heed_status heed_arrays_add(heed_arrays *a, const char *name, heed_array *array)
{
    void *items = a->items;
    char *copy = heed_strdup(a->context, name);
    heed_status status = copy == NULL ? HEED_ENOMEM
                                      : heed_grow(a->context, &items, &a->capacity, a->count, sizeof *a->items);
    a->items = items;
    if (status != HEED_OK) {
        heed_release(a->context, copy);
        heed_array_free(a->context, array);
        return status;
    }
    a->items[a->count].name = copy;
    a->items[a->count++].array = array;
    return HEED_OK;
}

heed_array *heed_arrays_get(const heed_arrays *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].name, name) == 0)
            return a->items[i].array;
    return NULL;
}

void heed_arrays_free(heed_arrays *a)
{
    for (size_t i = 0; i < a->count; i++) {
        heed_release(a->context, a->items[i].name);
        heed_array_free(a->context, a->items[i].array);
    }
    heed_release(a->context, a->items);
    *a = (heed_arrays){.context = a->context};
}
