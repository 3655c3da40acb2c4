#include "text/table.h"

#include <string.h>

void heed_table_init(heed_table *t, heed_context *c)
{
    *t = (heed_table){0};
    heed_zone_init(&t->zone, c);
}

void heed_table_free(heed_table *t)
{
    heed_release(t->zone.context, t->entries);
    heed_release(t->zone.context, t->slots);
    heed_zone_free(&t->zone);
}

/* FNV-1a, its bits mixed once more because the low ones choose the slot. */
static size_t hash(const char *text, size_t length)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 29);
}

/* The slot that holds the text, or the empty one where it would go. */
static int32_t *find_slot(const heed_table *t, const char *text, size_t length)
{
    size_t mask = t->slot_count - 1;
    for (size_t at = hash(text, length) & mask;; at = (at + 1) & mask) {
        int32_t index = t->slots[at];
        if (index < 0 || (t->entries[index].length == length && memcmp(t->entries[index].text, text, length) == 0))
            return &t->slots[at];
    }
}

int32_t heed_table_find(const heed_table *t, const char *text, size_t length)
{
    return t->slot_count == 0 ? -1 : *find_slot(t, text, length);
}

static heed_status grow_slots(heed_table *t)
{
    if (t->count < t->slot_count - t->slot_count / 3)
        return HEED_OK;
    size_t wanted = t->slot_count == 0 ? 64 : 2 * t->slot_count;
    int32_t *slots = heed_alloc_raw(t->zone.context, wanted, sizeof *slots);
    if (slots == NULL)
        return HEED_ENOMEM;
    memset(slots, 0xff, wanted * sizeof *slots);
    heed_release(t->zone.context, t->slots);
    t->slots = slots;
    t->slot_count = wanted;
    for (size_t i = 0; i < t->count; i++)
        *find_slot(t, t->entries[i].text, t->entries[i].length) = (int32_t)i;
    return HEED_OK;
}

heed_status heed_table_add(heed_table *t, const char *text, size_t length, int32_t *index)
{
    *index = heed_table_find(t, text, length);
    if (*index >= 0)
        return HEED_OK;
    if (t->count == INT32_MAX)
        return heed_fail(t->zone.context, HEED_EUNSUPPORTED, "vocabulary: too many tokens (expected at most %d)",
                         INT32_MAX);
    HEED_TRY(grow_slots(t));
    HEED_TRY(heed_grow(t->zone.context, (void **)&t->entries, &t->capacity, t->count, sizeof *t->entries));
    char *copy = heed_zone_alloc(&t->zone, length + 1, 1);
    if (copy == NULL)
        return HEED_ENOMEM;
    if (length > 0)
        memcpy(copy, text, length);
    t->entries[t->count] = (heed_table_entry){.text = copy, .length = length};
    *index = (int32_t)t->count++;
    *find_slot(t, copy, length) = *index;
    return HEED_OK;
}
