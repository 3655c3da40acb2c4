/**
 * @file array.h
 * Arrays of numbers in the caller's memory: what goes into a model, what comes out, what files hold.
 */
#ifndef HEED_ARRAY_H
#define HEED_ARRAY_H

#include "heed/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HEED_MAX_RANK = 8 };

/** Element types. Arithmetic is float32; ids are int32; masks are bool, one byte each, 0 or 1. The others are read from
 *  and written to files and converted on the way. */
typedef enum heed_dtype {
    HEED_FLOAT32,
    HEED_INT32,
    HEED_BOOL,
    HEED_FLOAT64,
    HEED_INT64,
    HEED_UINT8,
} heed_dtype;

HEED_API const char *heed_dtype_name(heed_dtype dtype); /**< "float32", ... as NumPy names them */
HEED_API size_t      heed_dtype_size(heed_dtype dtype); /**< bytes an element */

/** Dimensions, outermost first; rank 0 is a scalar. In a model's description HEED_ANY stands for a size not yet known
 *  (None in Keras). */
typedef struct heed_shape {
    int     rank;                /**< 0..HEED_MAX_RANK */
    int64_t dims[HEED_MAX_RANK]; /**< each >= 0, or HEED_ANY where a size may be unknown */
} heed_shape;

enum { HEED_ANY = -1 };

/** A dense array, row-major. Made by the functions below, which own `data`; or filled in by hand around memory of the
 *  caller's (then it must not be given to heed_array_free()). */
typedef struct heed_array {
    heed_dtype dtype;
    heed_shape shape;
    void      *data; /**< heed_array_count() elements */
} heed_array;

/** Elements in a shape: the product of the dims, 1 for a scalar. -1 if a size is unknown or the product overflows. */
HEED_API int64_t heed_shape_count(const heed_shape *shape);
HEED_API bool    heed_shape_equal(const heed_shape *a, const heed_shape *b);
/** Writes e.g. "(2, None, 5)" into text, cut to size; returns text. */
HEED_API char *heed_shape_text(const heed_shape *shape, char *text, size_t size);

HEED_API int64_t heed_array_count(const heed_array *a);

/** A new array, all zeros. Freed with heed_array_free(). */
HEED_API heed_status heed_array_create(heed_context *c, heed_dtype dtype, const heed_shape *shape, heed_array **out);
HEED_API void        heed_array_free(heed_context *c, heed_array *a); /**< NULL is allowed */
/** A converted copy. Floats become integers by truncation, anything becomes bool by != 0; a value that the new type
 *  cannot hold is HEED_EINVAL. */
HEED_API heed_status heed_array_convert(heed_context *c, const heed_array *a, heed_dtype dtype, heed_array **out);

/** Arrays by name, in order; what an .npz file holds. */
typedef struct heed_arrays {
    heed_context *context;
    size_t        count, capacity;
    struct {
        char       *name;
        heed_array *array;
    } *items;
} heed_arrays;

/** Appends, taking over `array` (also when it fails); the name is copied. Start with {.context = c}. */
HEED_API heed_status heed_arrays_add(heed_arrays *a, const char *name, heed_array *array);
/** The array of that name, or NULL. Owned by `a`. */
HEED_API heed_array *heed_arrays_get(const heed_arrays *a, const char *name);
HEED_API void        heed_arrays_free(heed_arrays *a);

#ifdef __cplusplus
}
#endif
#endif
