/* HDF5 as Keras uses it: a tree of groups and arrays, with attributes that are strings or numbers.
 *
 * The reader (hdf5_read.c and its neighbours) and the writer (hdf5_write.c) are heed's own: the subset of the format that
 * h5py writes for Keras. Nothing here knows of the rest of the process: contexts in several threads do not meet. */
#ifndef HEED_FORMATS_HDF5_H
#define HEED_FORMATS_HDF5_H

#include "heed/array.h"

#include "base/index.h"

/* Strings or numbers under a name, at a group or an array. */
typedef struct heed_hdf5_attribute {
    struct heed_hdf5_attribute *next;
    const char  *name;
    bool         scalar; /* one value, not a list of them */
    const char **strings; /* NULL for numbers */
    size_t       count;   /* of strings */
    heed_array  *array;   /* numbers; NULL for strings */
} heed_hdf5_attribute;

/* A group or an array. Read the members freely; change a tree through the functions below only. */
typedef struct heed_hdf5 {
    const char          *name; /* "" at the root */
    struct heed_hdf5    *parent, *next, *first, *last; /* `next` below the same parent; `first` to `last`: below this */
    heed_index           names; /* of those below */
    heed_hdf5_attribute *attributes;
    heed_array          *array; /* NULL for a group */
    heed_zone           *zone;  /* the whole tree's */
} heed_hdf5;

/* Names of parts, and values in a tree, at most. */
enum { HEED_HDF5_MAX_DEPTH = 64 };

/* ---- a tree ---- */

/* An empty root group. Free the root, which frees all below it and all arrays. */
heed_status heed_hdf5_create(heed_context *c, heed_hdf5 **out);
void        heed_hdf5_free(heed_hdf5 *root); /* NULL is allowed */

/* What stands at "layers/dense/vars/0" below `from` ("" is `from` itself); NULL when there is none. */
heed_hdf5 *heed_hdf5_find(const heed_hdf5 *from, const char *path);
/* The group at that path, made with all groups on the way where they are not there yet. HEED_EINVAL where an array stands. */
heed_status heed_hdf5_group(heed_hdf5 *from, const char *path, heed_hdf5 **out);
/* A new array at that path, groups on the way made as needed. Takes over `array`, also when it fails. HEED_EINVAL where
 * something stands already. */
heed_status heed_hdf5_put(heed_hdf5 *from, const char *path, heed_array *array);
/* Names below the root like "layers\\dense", which Keras 2.12 to 2.15 wrote on Windows, become the paths that they mean. */
heed_status heed_hdf5_split_names(heed_hdf5 *root);
/* The place of a node, "layers/dense/vars/0", cut to size; returns text. */
char *heed_hdf5_path(const heed_hdf5 *node, char *text, size_t size);
/* The next node in a walk through all below `top`, parents first; starts with node = top, ends with NULL. */
heed_hdf5 *heed_hdf5_walk(const heed_hdf5 *top, const heed_hdf5 *node);

/* ---- attributes ---- */

const heed_hdf5_attribute *heed_hdf5_attribute_of(const heed_hdf5 *node, const char *name); /* or NULL */
/* The string or the list of strings, which must be there (HEED_EFORMAT). A list may be split over name0, name1..., as Keras
 * does with long ones, and an empty one may be an empty list of numbers, as h5py makes it. They live as long as the tree. */
heed_status heed_hdf5_get_string(const heed_hdf5 *node, const char *name, const char **out);
heed_status heed_hdf5_get_strings(const heed_hdf5 *node, const char *name, const char *const **out, size_t *count);
/* Sets anew or replaces; strings are copied, `array` is taken over, also on failure. A list longer than an HDF5 attribute
 * can be is split when it is written. */
heed_status heed_hdf5_set_string(heed_hdf5 *node, const char *name, const char *value);
heed_status heed_hdf5_set_strings(heed_hdf5 *node, const char *name, const char *const *values, size_t count);
heed_status heed_hdf5_set_numbers(heed_hdf5 *node, const char *name, heed_array *array);

/* ---- files ---- */

bool heed_hdf5_is(const void *bytes, size_t size);

/* Reads a whole file. `name` is what errors call it. Integers narrower than 32 bits become int32 (uint8 stays), uint32 and
 * uint64 int64, float16 and bfloat16 float32. HEED_EUNSUPPORTED: links other than hard ones, data outside the file, filters
 * other than gzip and shuffle, layouts that Keras does not write. Attributes of other types are left out, and arrays of other
 * types are groups of nothing. */
heed_status heed_hdf5_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_hdf5 **out);

heed_status heed_hdf5_read_file(heed_context *c, const char *path, heed_hdf5 **out);
/* As heed_hdf5_read, but for the numbers in arrays: their `data` is NULL. */
heed_status heed_hdf5_read_outline(heed_context *c, const char *name, const void *bytes, size_t size, heed_hdf5 **out);

/* The file for a tree, in memory, readable by every HDF5 library since 1.8; equal trees give equal bytes. *out is released
 * by the caller. HEED_EINVAL for what such a file cannot hold: a name, or numbers or a string of a list in an attribute, of
 * more than about 64 KB; more than 65,535 children and attributes at one place; groups nested deeper than the reader goes. */
heed_status heed_hdf5_write(const heed_hdf5 *root, unsigned char **out, size_t *size);
/* The file appears whole or not at all; "-" is standard output. */
heed_status heed_hdf5_write_file(const heed_hdf5 *root, const char *path);

#endif
