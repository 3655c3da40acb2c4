/* Rows of numbers as text, with commas between. */
#ifndef HEED_FORMATS_CSV_H
#define HEED_FORMATS_CSV_H

#include "heed/array.h"

#include "base/memory.h"

/* The float32 array (rows, columns) of a text, as heed_arrays_load says. `name` is what errors call it. */
heed_status heed_csv_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out);

/* Appends the text of an array of up to two dimensions. */
heed_status heed_csv_write(const heed_array *a, heed_text *out);

#endif
