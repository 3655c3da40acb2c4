/**
 * @file files.h
 * Arrays in files: NumPy's `.npy` and `.npz`, and `.csv`.
 */
#ifndef HEED_FILES_H
#define HEED_FILES_H

#include "heed/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads all arrays of a file into @p out, which must be empty; free it with heed_arrays_free(). "-" is standard input.
 *
 * What a file is, its first bytes tell: `.npz` (stored or deflated) holds named arrays; the array of an `.npy` takes the
 * file's name without folder and ending ("array" from standard input). Anything else is read as `.csv` if it is called so or
 * comes from standard input: rows of numbers with commas between, quoted or not, become a float32 array (rows, columns); a
 * first row that is not all numbers is taken for a header and left out.
 *
 * Any byte order and memory order is read. float16 becomes float32; int8, int16 and uint16 become int32; uint32 and uint64
 * become int64. Arrays of Python objects are refused, for reading them would run code: HEED_EUNSUPPORTED.
 */
HEED_API heed_status heed_arrays_load(heed_context *c, const char *path, heed_arrays *out);

/**
 * Writes the arrays as the name of the file says: `.npz` takes any number, `.npy` and `.csv` one. A `.csv` takes up to two
 * dimensions (one is a column); its numbers are the shortest that read back the same. "-" writes an `.npz` to standard
 * output. The file appears whole or not at all, and equal arrays give equal bytes.
 */
HEED_API heed_status heed_arrays_save(const heed_arrays *a, const char *path);

#ifdef __cplusplus
}
#endif
#endif
