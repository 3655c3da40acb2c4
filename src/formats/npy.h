/* One array as NumPy's .npy, format versions 1 to 3. */
#ifndef HEED_FORMATS_NPY_H
#define HEED_FORMATS_NPY_H

#include "heed/array.h"

#include "base/context.h"

bool heed_npy_is(const void *bytes, size_t size);

/* The array in the bytes, converted as heed_arrays_load says. `name` is what errors call it. */
heed_status heed_npy_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out);

/* The file for an array, version 1. *out is released by the caller. */
heed_status heed_npy_write(heed_context *c, const heed_array *a, unsigned char **out, size_t *size);

#endif
