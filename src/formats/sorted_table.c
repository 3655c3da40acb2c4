#include "formats/sorted_table.h"

#include "formats/crc32c.h"
#include "formats/protobuf.h"

/* A file is: blocks of entries; a block of blocks' last keys and places; and at the end a footer, with the place of that block
 * behind the place of another, unused one. Behind each block stand its kind of compression and its checksum. */
enum { FOOTER = 48, MAGIC = 8, TRAILER = 5, RESTART = 4, LONGEST_KEY = 65536 };
static const uint64_t magic = 0xdb4775248b80fb57;

typedef struct table {
    heed_context        *context;
    const char          *name;
    const unsigned char *bytes;
    size_t               size;
} table;

static heed_status damaged(const table *t, const char *what)
{
    return heed_fail(t->context, HEED_EFORMAT, "%s: the index is damaged (%s)", t->name, what);
}

/* A place in the file: where it begins, and how long it is. */
static bool read_place(const unsigned char **at, const unsigned char *end, uint64_t *begin, uint64_t *size)
{
    return heed_varint_read(at, end, begin) && heed_varint_read(at, end, size);
}

/* The block at a place, of which the list of restarts at its end is cut off. */
static heed_status open_block(const table *t, uint64_t begin, uint64_t size, const unsigned char **first,
                              const unsigned char **end)
{
    if (begin > t->size || size > t->size - begin || t->size - begin - size < TRAILER || size < RESTART)
        return damaged(t, "a block lies outside of it");
    const unsigned char *block = t->bytes + begin, *trailer = block + size;
    if (!heed_masked_crc32c_is(heed_little_endian(trailer + 1, 4), block, (size_t)size + 1))
        return damaged(t, "a checksum is wrong");
    if (*trailer != 0)
        return heed_fail(t->context, HEED_EUNSUPPORTED, "%s: the index is compressed", t->name);
    uint64_t restarts = heed_little_endian(trailer - RESTART, RESTART);
    if (restarts > size / RESTART - 1)
        return damaged(t, "a block has too many restarts");
    *first = block;
    *end = trailer - RESTART * (restarts + 1);
    return HEED_OK;
}

/* One entry: how much of its key is that of the one before, the rest, and the value. */
static bool read_entry(const unsigned char **at, const unsigned char *end, heed_text *key, const unsigned char **value,
                       size_t *value_size)
{
    uint64_t shared, rest, size;
    if (!heed_varint_read(at, end, &shared) || !heed_varint_read(at, end, &rest) || !heed_varint_read(at, end, &size) ||
        shared > key->length || rest > LONGEST_KEY || size > (uint64_t)(end - *at) || rest > (uint64_t)(end - *at) - size)
        return false;
    key->length = (size_t)shared;
    heed_text_append(key, (const char *)*at, (size_t)rest);
    *value = *at + rest;
    *value_size = (size_t)size;
    *at = *value + size;
    return true;
}

static heed_status walk_block(const table *t, uint64_t begin, uint64_t size, heed_sorted_table_entry *entry, void *user)
{
    const unsigned char *at = NULL, *end = NULL, *value = NULL;
    size_t value_size = 0;
    heed_text key = {.context = t->context};
    HEED_TRY(open_block(t, begin, size, &at, &end));
    heed_status status = HEED_OK;
    while (at < end && status == HEED_OK) {
        status = read_entry(&at, end, &key, &value, &value_size) ? heed_text_status(&key) : damaged(t, "an entry is cut");
        if (status == HEED_OK)
            status = entry(user, key.bytes == NULL ? "" : key.bytes, value, value_size);
    }
    heed_text_free(&key);
    return status;
}

typedef struct walk {
    const table             *table;
    heed_sorted_table_entry *entry;
    void                    *user;
} walk;

/* An entry of the block of blocks. */
static heed_status follow(void *user, const char *key, const unsigned char *value, size_t size)
{
    const walk *w = user;
    uint64_t begin, length;
    if (!read_place(&value, value + size, &begin, &length))
        return damaged(w->table, "a place is cut");
    return walk_block(w->table, begin, length, w->entry, w->user);
}

heed_status heed_sorted_table_walk(heed_context *c, const char *name, const unsigned char *bytes, size_t size,
                                   heed_sorted_table_entry *entry, void *user)
{
    table t = {c, name, bytes, size};
    walk w = {&t, entry, user};
    if (size < FOOTER || heed_little_endian(bytes + size - MAGIC, MAGIC) != magic)
        return heed_fail(c, HEED_EFORMAT, "%s: not the index of a TensorFlow checkpoint", name);
    const unsigned char *at = bytes + size - FOOTER, *end = bytes + size - MAGIC;
    uint64_t begin, length;
    if (!read_place(&at, end, &begin, &length) || !read_place(&at, end, &begin, &length))
        return damaged(&t, "the footer is cut");
    return walk_block(&t, begin, length, follow, &w);
}
