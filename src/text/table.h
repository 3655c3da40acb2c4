/* Strings and the order in which they came: a hash table from bytes to an index that counts from 0. */
#ifndef HEED_TEXT_TABLE_H
#define HEED_TEXT_TABLE_H

#include "base/memory.h"

typedef struct heed_table_entry {
    const char *text; /* in the zone; NUL-terminated */
    size_t      length;
    int64_t     count; /* the user's */
} heed_table_entry;

typedef struct heed_table {
    heed_zone         zone;
    heed_table_entry *entries; /* (count) in order of arrival */
    size_t            count, capacity;
    int32_t          *slots; /* (slot_count) an index, or -1; a power of two, at least a third of them empty */
    size_t            slot_count;
} heed_table;

void heed_table_init(heed_table *t, heed_context *c);
void heed_table_free(heed_table *t);
/* The index of the text; -1 when it is not there. */
int32_t heed_table_find(const heed_table *t, const char *text, size_t length);
/* The same, after adding it where it was missing. The bytes are copied. */
heed_status heed_table_add(heed_table *t, const char *text, size_t length, int32_t *index);

#endif
