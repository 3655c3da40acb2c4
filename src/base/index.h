/* Finds things by their keys, in at most as many steps as a key has bits: however many things there are, and whoever chose
 * the keys. A hash table could be filled by a stranger's file with names that all fall into one place. */
#ifndef HEED_BASE_INDEX_H
#define HEED_BASE_INDEX_H

#include "base/memory.h"

/* Zero-initialise. It lives in the zone that is given when something is put in. Keys are bytes, of which none is another
 * with zero bytes behind it: texts, or addresses. */
typedef struct heed_index {
    struct heed_index_node *root;
} heed_index;

/* Puts a value under a key, which is copied. What stands there already stays. */
heed_status heed_index_put(heed_index *x, heed_zone *z, const void *key, size_t length, void *value);
/* NULL: nothing stands there. */
void *heed_index_find(const heed_index *x, const void *key, size_t length);

heed_status heed_index_put_text(heed_index *x, heed_zone *z, const char *key, void *value);
void       *heed_index_find_text(const heed_index *x, const char *key);

/* The key is the address itself. */
heed_status heed_index_put_address(heed_index *x, heed_zone *z, const void *key, void *value);
void       *heed_index_find_address(const heed_index *x, const void *key);

#endif
