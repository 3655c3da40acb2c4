/* Rows of numbers as text, with commas between. */
#ifndef HEED_FORMATS_CSV_H
#define HEED_FORMATS_CSV_H

#include "heed/array.h"

#include "base/memory.h"
#include "formats/source.h"

/* Rows in order, for what does not fit in memory. `s` and `name`, which errors call it, must outlive it. */
typedef struct heed_csv heed_csv;

/* Reads the first row already. A text without any number is HEED_EFORMAT. */
heed_status heed_csv_open(heed_source *s, const char *name, heed_csv **out);
/* Up to `rows` more, (rows, columns) float32; NULL behind the last. */
heed_status heed_csv_next(heed_csv *csv, int64_t rows, heed_array **out);
size_t      heed_csv_columns(const heed_csv *csv);
void        heed_csv_close(heed_csv *csv); /* NULL is allowed */

/* The float32 array (rows, columns) of a text, as heed_arrays_load says. `name` is what errors call it. */
heed_status heed_csv_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out);

/* Appends the text of an array of up to two dimensions. */
heed_status heed_csv_write(const heed_array *a, heed_text *out);

#endif
