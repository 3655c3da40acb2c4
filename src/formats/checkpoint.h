/* Checkpoints of TensorFlow 2: arrays under keys (PREFIX.index tells where in PREFIX.data-00000-of-00001 they lie), one of which
 * is a graph of the Python objects that were saved: which object hangs on which by what name, and which is a variable. */
#ifndef HEED_FORMATS_CHECKPOINT_H
#define HEED_FORMATS_CHECKPOINT_H

#include "heed/array.h"

#include "base/index.h"

/* What hangs on an object. */
typedef struct heed_tracked_child {
    const char *name;
    size_t      object;
} heed_tracked_child;

/* What an optimizer keeps for a variable: "m". */
typedef struct heed_tracked_slot {
    const char *name;
    size_t      of, kept; /* objects: the variable, and what is kept for it */
} heed_tracked_slot;

/* An object that was saved. */
typedef struct heed_tracked {
    const char         *key; /* of a variable's numbers; NULL: it is none */
    heed_tracked_child *children;
    heed_tracked_slot  *slots;
    size_t              child_count, slot_count;
    heed_index          names; /* children by name */
} heed_tracked;

/* Read the members freely. */
typedef struct heed_checkpoint {
    heed_context   *context;
    heed_zone       zone;
    const char     *prefix;
    heed_index      places;  /* by key */
    unsigned char **shards;  /* files of numbers, read when first needed */
    size_t         *shard_sizes, shard_count;
    uint64_t        stored, taken; /* bytes in those, and bytes that arrays were made of */
    heed_tracked   *objects; /* the first is the root */
    size_t          object_count;
} heed_checkpoint;

/* Whether PREFIX.index is there. */
bool heed_checkpoint_exists(const char *prefix);
/* HEED_EFORMAT: damaged, or a checkpoint of TensorFlow 1, which has no graph of objects. */
heed_status heed_checkpoint_open(heed_context *c, const char *prefix, heed_checkpoint **out);
void        heed_checkpoint_free(heed_checkpoint *p); /* NULL is allowed */

/* The child of that name, or NULL. */
const heed_tracked *heed_checkpoint_child(const heed_checkpoint *p, const heed_tracked *of, const char *name);
/* A variable's numbers; the caller's to free. Types become what heed_hdf5_read makes of them. Of the bytes
 * that there are no more than 64 times as many are handed out: layers that share weights ask for them again. */
heed_status heed_checkpoint_array(heed_checkpoint *p, const char *key, heed_array **out);

#endif
