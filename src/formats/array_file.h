/* How arrays in files are called, and what files are taken. */
#ifndef HEED_FORMATS_ARRAY_FILE_H
#define HEED_FORMATS_ARRAY_FILE_H

#include "heed/array.h"

#include "base/memory.h"

/* "folder/x.npy" is called "x", standard input "array". Released by the caller; NULL when there is no memory. */
char *heed_array_name_of_path(heed_context *c, const char *path);
/* A member "x.npy" of the .npz at `path` is called "x"; one of another ending is refused. */
heed_status heed_array_name_of_member(heed_context *c, const char *path, const char *member, char **out);
/* Whether what has no magic bytes is taken for .csv: by its name, or because it has none. */
bool heed_array_file_may_be_csv(const char *path);
heed_status heed_array_file_refuse(heed_context *c, const char *path);

typedef enum heed_array_file { HEED_ARRAYS_NPZ, HEED_ARRAYS_NPY, HEED_ARRAYS_CSV } heed_array_file;

/* What to write, by the name. */
heed_status heed_array_file_kind(heed_context *c, const char *path, heed_array_file *out);
/* What an array is called in an .npz, in the zone; refused where a file cannot be called so. */
heed_status heed_array_member(heed_zone *z, const char *path, const char *name, const char **out);
heed_status heed_array_refuse_several(heed_context *c, const char *path, size_t count);
/* A .csv takes up to two dimensions. */
heed_status heed_array_check_csv(heed_context *c, const char *path, const heed_shape *shape);

#endif
