/* Inside the HDF5 reader.
 *
 * A hostile file is bounded in three ways: every structure looked at costs a step, and every byte of data or text taken
 * costs stored bytes, of both of which there are only so many; groups nest only so deep. So cycles and shared parts end in
 * an error, and no declared size is believed before the bytes for it have been seen. */
#ifndef HEED_FORMATS_HDF5_READER_H
#define HEED_FORMATS_HDF5_READER_H

#include "formats/encoding.h"
#include "formats/hdf5.h"
#include "formats/hdf5_format.h"

typedef struct hdf5_reader {
    heed_context        *context;
    const char          *file;  /* for errors */
    const unsigned char *bytes;
    uint64_t             size;
    int                  offset_size, length_size; /* bytes of an address and of a length: 4 or 8 */
    uint64_t             steps, stored;            /* what is left of either */
    heed_hdf5           *node;                     /* what is being read */
    uint64_t             attributes;               /* of it, so far */
    bool                 outline;                  /* arrays get no data */
} hdf5_reader;

/* heed_fail with the file and the place in it in front. */
heed_status heed_hdf5_fail(hdf5_reader *r, heed_status status, const char *format, ...) HEED_PRINTF(3, 4);
heed_status heed_hdf5_step(hdf5_reader *r, uint64_t steps);
heed_status heed_hdf5_charge(hdf5_reader *r, uint64_t stored_bytes);

/* ---- bytes ---- */

/* Little-endian numbers, taken one after another. Past the end everything is 0 and `failed` is set: asked once, by
 * heed_hdf5_check, when a structure has been taken in whole. */
typedef struct hdf5_cursor {
    const unsigned char *next, *end;
    bool                 failed;
} hdf5_cursor;

uint64_t             heed_hdf5_take(hdf5_cursor *at, int bytes);             /* up to 8 bytes */
uint64_t             heed_hdf5_offset(const hdf5_reader *r, hdf5_cursor *at); /* HDF5_UNDEFINED where there is none */
uint64_t             heed_hdf5_length(const hdf5_reader *r, hdf5_cursor *at);
const unsigned char *heed_hdf5_skip(hdf5_cursor *at, uint64_t bytes); /* what was skipped, or NULL past the end */
static inline size_t heed_hdf5_left(const hdf5_cursor *at) { return (size_t)(at->end - at->next); }

/* A cursor over `size` bytes at an address, which must lie in the file. */
heed_status heed_hdf5_at(hdf5_reader *r, uint64_t address, uint64_t size, hdf5_cursor *out);
/* As far as the file goes, behind a four-letter signature, which must stand there. Costs a step. */
heed_status heed_hdf5_signed_at(hdf5_reader *r, uint64_t address, const char *signature, hdf5_cursor *out);
heed_status heed_hdf5_check(hdf5_reader *r, const hdf5_cursor *at, const char *what);

/* ---- heaps and B-trees: hdf5_heap.c ---- */

/* A name in a local heap, whose header is at `heap`. */
heed_status heed_hdf5_local_name(hdf5_reader *r, uint64_t heap, uint64_t offset, const char **name, size_t *length);
/* Object `index` of the global heap collection at `address`. */
heed_status heed_hdf5_global_object(hdf5_reader *r, uint64_t address, uint64_t index, hdf5_cursor *out);

/* Called with each object of a dense storage: a link or attribute message. */
typedef heed_status hdf5_object_function(hdf5_reader *r, hdf5_cursor object, int depth);
/* Visits the objects in the fractal heap at `heap`, in the order of the version 2 B-tree at `tree`. */
heed_status heed_hdf5_dense_objects(hdf5_reader *r, uint64_t heap, uint64_t tree, hdf5_object_function *visit, int depth);

/* Visits the children of a version 1 B-tree of type 0 (groups; `key_size` is the size of a length) or 1 (chunks). The key is
 * the one before the child. */
typedef heed_status hdf5_child_function(hdf5_reader *r, hdf5_cursor key, uint64_t address, void *user);
heed_status heed_hdf5_tree_children(hdf5_reader *r, uint64_t tree, int type, uint64_t key_size, hdf5_child_function *visit,
                                    void *user);

/* ---- types, data: hdf5_data.c ---- */

typedef enum hdf5_class {
    HDF5_NUMBER,
    HDF5_OPAQUE, /* two bytes of no type: Keras marks bfloat16 with an attribute */
    HDF5_STRING, /* of fixed length */
    HDF5_TEXT,   /* strings of any length, in a global heap */
    HDF5_OTHER,  /* none that heed reads */
} hdf5_class;

typedef struct hdf5_type {
    hdf5_class    class;
    uint64_t      size;      /* bytes an element, at least 1 */
    heed_encoding encoding;  /* of numbers */
    bool          spaces;    /* a fixed string is padded with spaces */
} hdf5_type;

typedef struct hdf5_space {
    heed_shape shape; /* of no element at all: (0,) */
    uint64_t   count; /* elements */
} hdf5_space;

/* What an object header says of a dataset; messages not yet seen are empty cursors (next == NULL). */
typedef struct hdf5_dataset {
    hdf5_cursor type, space, layout, filters;
} hdf5_dataset;

heed_status heed_hdf5_type(hdf5_reader *r, hdf5_cursor message, hdf5_type *out);
heed_status heed_hdf5_space(hdf5_reader *r, hdf5_cursor message, hdf5_space *out);
/* Reads a dataset into r->node->array. */
heed_status heed_hdf5_read_dataset(hdf5_reader *r, const hdf5_dataset *d);

/* ---- chunks: hdf5_chunks.c ---- */

/* Puts together data in chunks. `layout` stands behind version and class of its message. *out is released by the caller. */
heed_status heed_hdf5_read_chunks(hdf5_reader *r, int version, hdf5_cursor layout, hdf5_cursor filters, const hdf5_type *type,
                                  const hdf5_space *space, unsigned char **out);

/* ---- the tree: hdf5_tree.c ---- */

/* A new last child, without a look at whether the name is taken. */
heed_status heed_hdf5_add(heed_hdf5 *parent, const char *name, size_t length, heed_hdf5 **out);
/* The attribute of that name, emptied, at its old place or new at the end; NULL when there is no memory. */
heed_hdf5_attribute *heed_hdf5_fresh_attribute(heed_hdf5 *node, const char *name);

#endif
