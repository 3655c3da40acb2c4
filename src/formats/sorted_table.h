/* Tables of keys in order with their values, as LevelDB keeps them in files, and TensorFlow the index of a checkpoint. */
#ifndef HEED_FORMATS_SORTED_TABLE_H
#define HEED_FORMATS_SORTED_TABLE_H

#include "base/memory.h"

/* Is called with each key, NUL-terminated, and its value; both are gone afterwards. */
typedef heed_status heed_sorted_table_entry(void *user, const char *key, const unsigned char *value, size_t size);

/* Goes through a whole table. `name` is what errors call it. HEED_EFORMAT for what is none or whose checksums are wrong,
 * HEED_EUNSUPPORTED for compressed ones, which TensorFlow does not write. */
heed_status heed_sorted_table_walk(heed_context *c, const char *name, const unsigned char *bytes, size_t size,
                                   heed_sorted_table_entry *entry, void *user);

#endif
