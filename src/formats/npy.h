/* One array as NumPy's .npy, format versions 1 to 3. */
#ifndef HEED_FORMATS_NPY_H
#define HEED_FORMATS_NPY_H

#include "heed/array.h"

#include "formats/encoding.h"
#include "formats/source.h"

bool heed_npy_is(const void *bytes, size_t size);

/* What stands before the numbers. */
typedef struct heed_npy_header {
    heed_encoding encoding;
    bool          fortran_order; /* the first index runs fastest */
    heed_shape    shape;
} heed_npy_header;

/* Reads the header, and leaves the source where the numbers begin. HEED_EFORMAT if the source is known to end before
 * they do. `name` is what errors call the array. */
heed_status heed_npy_read_header(heed_source *s, const char *name, heed_npy_header *out);
/* The next `rows` of its first dimension, of an array that is not in Fortran's order. `bytes` has room for them. */
heed_status heed_npy_read_rows(heed_source *s, const char *name, const heed_npy_header *h, int64_t rows,
                               unsigned char *bytes, heed_array **out);

/* The array in the bytes, converted as heed_arrays_load says. `name` is what errors call it. */
heed_status heed_npy_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out);

/* What a file begins with, version 1: the size depends on the shape's dimensions behind the first alone. Written to
 * `bytes`, at most HEED_NPY_HEADER; returns the size. */
enum { HEED_NPY_HEADER = 512 };
size_t heed_npy_write_header(heed_dtype dtype, const heed_shape *shape, unsigned char bytes[HEED_NPY_HEADER]);

/* The file for an array. *out is released by the caller. */
heed_status heed_npy_write(heed_context *c, const heed_array *a, unsigned char **out, size_t *size);

#endif
