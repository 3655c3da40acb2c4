/* How files store numbers, and how they become arrays: one table for NumPy's files and for HDF5. */
#ifndef HEED_FORMATS_ENCODING_H
#define HEED_FORMATS_ENCODING_H

#include "heed/array.h"

#include "base/context.h"

typedef enum heed_encoding_kind { HEED_SIGNED, HEED_UNSIGNED, HEED_BOOLEAN, HEED_IEEE, HEED_BFLOAT16 } heed_encoding_kind;

typedef struct heed_encoding {
    heed_encoding_kind kind;
    size_t             size; /* bytes an element: 1, 2, 4, 8 for integers; 2, 4, 8 for floats */
    bool               big_endian;
} heed_encoding;

/* The element type that holds every value of the encoding: integers narrower than 32 bits become int32 (uint8 stays), uint32
 * and uint64 int64, 16-bit floats float32. False when there is none, or no such encoding. */
bool heed_encoding_dtype(const heed_encoding *e, heed_dtype *out);

/* A new array from the bytes of heed_shape_count(shape) elements. HEED_EFORMAT for a uint64 beyond int64. */
heed_status heed_encoding_decode(heed_context *c, const heed_encoding *e, const heed_shape *shape, const void *bytes,
                                 heed_array **out);

/* An array's elements as files hold them: little-endian. They are written through `put`, piece by piece. */
heed_status heed_encoding_encode(const heed_array *a, heed_status (*put)(void *user, const void *bytes, size_t size),
                                 void *user);

#endif
