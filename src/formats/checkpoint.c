#include "formats/checkpoint.h"

#include "base/file.h"
#include "formats/crc32c.h"
#include "formats/encoding.h"
#include "formats/protobuf.h"
#include "formats/sorted_table.h"

#include <string.h>

enum { MOST_SHARDS = 65536, MOST_TIMES = 64, TEXT = 7 };
static const char graph_key[] = "_CHECKPOINTABLE_OBJECT_GRAPH";

/* Where an array lies. */
typedef struct place {
    uint64_t   type, shard, offset, size, checksum;
    heed_shape shape;
    bool       readable; /* in one piece, of a shape that heed can hold */
} place;

static heed_status damaged(const heed_checkpoint *p, const char *what)
{
    return heed_fail(p->context, HEED_EFORMAT, "%s: the checkpoint is damaged (%s)", p->prefix, what);
}

/* ---- the index */

/* A dimension's size is its field 1. */
static bool read_shape(heed_protobuf shape, heed_shape *out)
{
    bool fits = true;
    *out = (heed_shape){0};
    while (heed_protobuf_next(&shape)) {
        if (shape.field != 2)
            continue;
        int64_t size = 0;
        for (heed_protobuf dim = heed_protobuf_within(&shape); heed_protobuf_next(&dim);)
            if (dim.field == 1)
                size = (int64_t)dim.number;
        if (out->rank == HEED_MAX_RANK)
            fits = false;
        else
            out->dims[out->rank++] = size;
        fits &= size >= 0;
    }
    return fits && !shape.broken;
}

static bool read_place(heed_protobuf entry, place *out)
{
    *out = (place){.readable = true};
    while (heed_protobuf_next(&entry))
        switch (entry.field) {
        case 1: out->type = entry.number; break;
        case 2: out->readable &= read_shape(heed_protobuf_within(&entry), &out->shape); break;
        case 3: out->shard = entry.number; break;
        case 4: out->offset = entry.number; break;
        case 5: out->size = entry.number; break;
        case 6: out->checksum = entry.number; break;
        case 7: out->readable = false; break; /* a variable in slices, on several machines */
        default: break;
        }
    return !entry.broken;
}

/* The header, under the empty key: how many files of numbers there are, and in which order their bytes. */
static heed_status read_header(heed_checkpoint *p, heed_protobuf header)
{
    p->shard_count = 1;
    while (heed_protobuf_next(&header)) {
        if (header.field == 1 && (header.number == 0 || header.number > MOST_SHARDS))
            return damaged(p, "its number of files");
        if (header.field == 1)
            p->shard_count = (size_t)header.number;
        if (header.field == 2 && header.number != 0)
            return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: a checkpoint of big-endian numbers", p->prefix);
    }
    return header.broken ? damaged(p, "its header") : HEED_OK;
}

static heed_status take_entry(void *user, const char *key, const unsigned char *value, size_t size)
{
    heed_checkpoint *p = user;
    if (*key == '\0')
        return read_header(p, heed_protobuf_of(value, size));
    place *to = heed_zone_alloc(&p->zone, 1, sizeof *to);
    if (to == NULL)
        return HEED_ENOMEM;
    if (!read_place(heed_protobuf_of(value, size), to))
        return damaged(p, key);
    key = heed_zone_strdup(&p->zone, key);
    return key == NULL ? HEED_ENOMEM : heed_index_put_text(&p->places, &p->zone, key, to);
}

static heed_status read_index(heed_checkpoint *p)
{
    const char *name = heed_zone_printf(&p->zone, "%s.index", p->prefix);
    unsigned char *bytes;
    size_t size;
    if (name == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_file_read(p->context, name, SIZE_MAX / 2, &bytes, &size));
    heed_status status = heed_sorted_table_walk(p->context, name, bytes, size, take_entry, p);
    heed_release(p->context, bytes);
    if (status == HEED_OK && p->shard_count == 0)
        status = damaged(p, "its header is missing");
    p->shards = status == HEED_OK ? heed_zone_alloc(&p->zone, p->shard_count, sizeof *p->shards) : NULL;
    p->shard_sizes = status == HEED_OK ? heed_zone_alloc(&p->zone, p->shard_count, sizeof *p->shard_sizes) : NULL;
    return status != HEED_OK ? status : p->shards == NULL || p->shard_sizes == NULL ? HEED_ENOMEM : HEED_OK;
}

/* ---- numbers */

/* The bytes of an array. */
static heed_status find_bytes(heed_checkpoint *p, const char *key, const place **where, const unsigned char **out)
{
    const place *at = *where = heed_index_find_text(&p->places, key);
    if (at == NULL)
        return heed_fail(p->context, HEED_EFORMAT, "%s: there is no array %s", p->prefix, key);
    if (!at->readable)
        return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: %s lies there in slices", p->prefix, key);
    if (at->shard >= p->shard_count)
        return damaged(p, key);
    if (p->shards[at->shard] == NULL) {
        const char *name = heed_zone_printf(&p->zone, "%s.data-%05zu-of-%05zu", p->prefix, (size_t)at->shard, p->shard_count);
        if (name == NULL)
            return HEED_ENOMEM;
        HEED_TRY(heed_file_read(p->context, name, SIZE_MAX / 2, &p->shards[at->shard], &p->shard_sizes[at->shard]));
        p->stored += p->shard_sizes[at->shard];
    }
    if (at->offset > p->shard_sizes[at->shard] || at->size > p->shard_sizes[at->shard] - at->offset)
        return heed_fail(p->context, HEED_EFORMAT, "%s: %s lies outside of its file, which is cut", p->prefix, key);
    *out = p->shards[at->shard] + at->offset;
    return HEED_OK;
}

/* As the numbers of tensorflow::DataType name them. */
static bool find_encoding(uint64_t type, heed_encoding *out)
{
    static const heed_encoding encodings[] = {
        [1] = {HEED_IEEE, 4, false},   [2] = {HEED_IEEE, 8, false},     [3] = {HEED_SIGNED, 4, false},
        [4] = {HEED_UNSIGNED, 1, false}, [5] = {HEED_SIGNED, 2, false}, [6] = {HEED_SIGNED, 1, false},
        [9] = {HEED_SIGNED, 8, false}, [10] = {HEED_BOOLEAN, 1, false}, [14] = {HEED_BFLOAT16, 2, false},
        [17] = {HEED_UNSIGNED, 2, false}, [19] = {HEED_IEEE, 2, false}, [22] = {HEED_UNSIGNED, 4, false},
        [23] = {HEED_UNSIGNED, 8, false}};
    if (type >= sizeof encodings / sizeof *encodings || encodings[type].size == 0)
        return false;
    *out = encodings[type];
    return true;
}

heed_status heed_checkpoint_array(heed_checkpoint *p, const char *key, heed_array **out)
{
    const place *at;
    const unsigned char *bytes = NULL;
    heed_encoding encoding;
    *out = NULL;
    HEED_TRY(find_bytes(p, key, &at, &bytes));
    if (!find_encoding(at->type, &encoding))
        return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: %s holds no numbers", p->prefix, key);
    int64_t count = heed_shape_count(&at->shape);
    if (count < 0 || at->size % encoding.size != 0 || (uint64_t)count != at->size / encoding.size)
        return damaged(p, key);
    p->taken += at->size;
    if (p->taken / MOST_TIMES > p->stored)
        return damaged(p, "arrays share their bytes");
    if (!heed_masked_crc32c_is(at->checksum, bytes, (size_t)at->size))
        return heed_fail(p->context, HEED_EFORMAT, "%s: the checksum of %s is wrong", p->prefix, key);
    return heed_encoding_decode(p->context, &encoding, &at->shape, bytes, out);
}

/* ---- the graph of objects */

static heed_status read_child(heed_checkpoint *p, heed_protobuf m, heed_tracked_child *out)
{
    *out = (heed_tracked_child){.name = ""};
    while (heed_protobuf_next(&m))
        if (m.field == 1)
            out->object = (size_t)m.number;
        else if (m.field == 2)
            out->name = heed_protobuf_text(&p->zone, &m);
    if (out->name == NULL)
        return HEED_ENOMEM;
    return m.broken || out->object >= p->object_count ? damaged(p, "its graph of objects") : HEED_OK;
}

static heed_status read_slot(heed_checkpoint *p, heed_protobuf m, heed_tracked_slot *out)
{
    *out = (heed_tracked_slot){.name = ""};
    while (heed_protobuf_next(&m))
        switch (m.field) {
        case 1: out->of = (size_t)m.number; break;
        case 2: out->name = heed_protobuf_text(&p->zone, &m); break;
        case 3: out->kept = (size_t)m.number; break;
        default: break;
        }
    if (out->name == NULL)
        return HEED_ENOMEM;
    return m.broken || out->of >= p->object_count || out->kept >= p->object_count ? damaged(p, "its graph of objects") : HEED_OK;
}

/* An attribute of an object is a variable's numbers, or something of Python's. */
static heed_status read_attribute(heed_checkpoint *p, heed_protobuf m, heed_tracked *object)
{
    const char *name = "", *key = "";
    while (heed_protobuf_next(&m))
        if (m.field == 1)
            name = heed_protobuf_text(&p->zone, &m);
        else if (m.field == 3)
            key = heed_protobuf_text(&p->zone, &m);
    if (name == NULL || key == NULL)
        return HEED_ENOMEM;
    if (strcmp(name, "VARIABLE_VALUE") == 0)
        object->key = key;
    return m.broken ? damaged(p, "its graph of objects") : HEED_OK;
}

/* The fields of an object. */
enum { CHILD = 1, ATTRIBUTE = 2, SLOT = 3 };

static heed_status read_object(heed_checkpoint *p, heed_protobuf m, heed_tracked *out)
{
    size_t children = 0, slots = 0;
    for (heed_protobuf counting = m; heed_protobuf_next(&counting);) {
        children += counting.field == CHILD;
        slots += counting.field == SLOT;
    }
    out->children = heed_zone_alloc(&p->zone, children, sizeof *out->children);
    out->slots = heed_zone_alloc(&p->zone, slots, sizeof *out->slots);
    if (out->children == NULL || out->slots == NULL)
        return HEED_ENOMEM;
    while (heed_protobuf_next(&m)) {
        heed_protobuf within = heed_protobuf_within(&m);
        if (m.field == CHILD) {
            heed_tracked_child *child = &out->children[out->child_count++];
            HEED_TRY(read_child(p, within, child));
            HEED_TRY(heed_index_put_text(&out->names, &p->zone, child->name, child));
        } else if (m.field == ATTRIBUTE)
            HEED_TRY(read_attribute(p, within, out));
        else if (m.field == SLOT)
            HEED_TRY(read_slot(p, within, &out->slots[out->slot_count++]));
    }
    return m.broken ? damaged(p, "its graph of objects") : HEED_OK;
}

static heed_status read_objects(heed_checkpoint *p, heed_protobuf graph)
{
    for (heed_protobuf counting = graph; heed_protobuf_next(&counting);)
        p->object_count += counting.field == 1;
    p->objects = heed_zone_alloc(&p->zone, p->object_count, sizeof *p->objects);
    if (p->objects == NULL)
        return HEED_ENOMEM;
    for (heed_tracked *at = p->objects; heed_protobuf_next(&graph);)
        if (graph.field == 1)
            HEED_TRY(read_object(p, heed_protobuf_within(&graph), at++));
    return graph.broken || p->object_count == 0 ? damaged(p, "its graph of objects") : HEED_OK;
}

/* It is a text: its length, the checksum of that, and the text. */
static heed_status read_graph(heed_checkpoint *p)
{
    const place *at;
    const unsigned char *bytes = NULL;
    uint64_t length;
    if (heed_index_find_text(&p->places, graph_key) == NULL)
        return heed_fail(p->context, HEED_EFORMAT, "%s: a checkpoint without a graph of objects (expected one that Keras saved "
                         "with TensorFlow 2)", p->prefix);
    HEED_TRY(find_bytes(p, graph_key, &at, &bytes));
    const unsigned char *end = bytes + at->size;
    if (at->type != TEXT || !heed_varint_read(&bytes, end, &length) || end - bytes < 4 || length != (uint64_t)(end - bytes - 4))
        return damaged(p, "its graph of objects");
    return read_objects(p, heed_protobuf_of(bytes + 4, (size_t)length));
}

/* ---- opening */

bool heed_checkpoint_exists(const char *prefix)
{
    return heed_file_is_readable(prefix, ".index");
}

heed_status heed_checkpoint_open(heed_context *c, const char *prefix, heed_checkpoint **out)
{
    *out = NULL;
    heed_checkpoint *p = heed_alloc(c, 1, sizeof *p);
    if (p == NULL)
        return HEED_ENOMEM;
    p->context = c;
    heed_zone_init(&p->zone, c);
    p->prefix = heed_zone_strdup(&p->zone, prefix);
    heed_status status = p->prefix == NULL ? HEED_ENOMEM : read_index(p);
    if (status == HEED_OK)
        status = read_graph(p);
    if (status == HEED_OK)
        *out = p;
    else
        heed_checkpoint_free(p);
    return status;
}

void heed_checkpoint_free(heed_checkpoint *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; p->shards != NULL && i < p->shard_count; i++)
        heed_release(p->context, p->shards[i]);
    heed_zone_free(&p->zone);
    heed_release(p->context, p);
}

const heed_tracked *heed_checkpoint_child(const heed_checkpoint *p, const heed_tracked *of, const char *name)
{
    const heed_tracked_child *child = heed_index_find_text(&of->names, name);
    return child == NULL ? NULL : &p->objects[child->object];
}
