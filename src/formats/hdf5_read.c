#include "base/file.h"
#include "formats/hdf5_reader.h"

#include <string.h>

bool heed_hdf5_is(const void *bytes, size_t size)
{
    return size >= HDF5_SIGNATURE_SIZE && memcmp(bytes, HDF5_SIGNATURE, HDF5_SIGNATURE_SIZE) == 0;
}

/* ---- limits and errors ---- */

heed_status heed_hdf5_fail(hdf5_reader *r, heed_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    heed_vfail(r->context, status, format, args);
    va_end(args);
    char path[HEED_ERROR_SIZE / 2];
    heed_fail_in(r->context, status, heed_hdf5_path(r->node, path, sizeof path));
    return heed_fail_in(r->context, status, r->file);
}

heed_status heed_hdf5_step(hdf5_reader *r, uint64_t steps)
{
    if (steps > r->steps)
        return heed_hdf5_fail(r, HEED_EFORMAT, "the file's structure runs in circles");
    r->steps -= steps;
    return HEED_OK;
}

heed_status heed_hdf5_charge(hdf5_reader *r, uint64_t stored_bytes)
{
    if (stored_bytes > r->stored)
        return heed_hdf5_fail(r, HEED_EFORMAT, "the file claims to hold more than its size");
    r->stored -= stored_bytes;
    return HEED_OK;
}

/* ---- bytes ---- */

const unsigned char *heed_hdf5_skip(hdf5_cursor *at, uint64_t bytes)
{
    if (at->failed || bytes > heed_hdf5_left(at)) {
        at->failed = true;
        return NULL;
    }
    at->next += bytes;
    return at->next - bytes;
}

uint64_t heed_hdf5_take(hdf5_cursor *at, int bytes)
{
    const unsigned char *from = heed_hdf5_skip(at, (uint64_t)bytes);
    uint64_t value = 0;
    for (int i = 0; from != NULL && i < bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

uint64_t heed_hdf5_length(const hdf5_reader *r, hdf5_cursor *at) { return heed_hdf5_take(at, r->length_size); }

uint64_t heed_hdf5_offset(const hdf5_reader *r, hdf5_cursor *at)
{
    uint64_t offset = heed_hdf5_take(at, r->offset_size);
    return r->offset_size == 4 && offset == UINT32_MAX ? HDF5_UNDEFINED : offset;
}

heed_status heed_hdf5_at(hdf5_reader *r, uint64_t address, uint64_t size, hdf5_cursor *out)
{
    if (address > r->size || size > r->size - address)
        return heed_hdf5_fail(r, HEED_EFORMAT, "something stands beyond the end of the file");
    *out = (hdf5_cursor){.next = r->bytes + address, .end = r->bytes + address + size};
    return HEED_OK;
}

heed_status heed_hdf5_signed_at(hdf5_reader *r, uint64_t address, const char *letters, hdf5_cursor *out)
{
    HEED_TRY(heed_hdf5_step(r, 1));
    HEED_TRY(heed_hdf5_at(r, address, 4, out));
    if (memcmp(out->next, letters, 4) != 0)
        return heed_hdf5_fail(r, HEED_EFORMAT, "the file is damaged (a structure is not where it should be)");
    *out = (hdf5_cursor){.next = out->next + 4, .end = r->bytes + r->size};
    return HEED_OK;
}

heed_status heed_hdf5_check(hdf5_reader *r, const hdf5_cursor *at, const char *what)
{
    return at->failed ? heed_hdf5_fail(r, HEED_EFORMAT, "the file is damaged (%s is cut off)", what) : HEED_OK;
}

/* ---- object headers ---- */

typedef struct continuation {
    uint64_t address, size;
} continuation;

/* An object header is a list of messages, in a first block and others that continue it. */
typedef struct header {
    int           version;
    int           prefix; /* bytes before each message's data */
    int           depth;  /* of groups around it */
    hdf5_dataset  dataset;
    continuation *continuations;
    size_t        count, capacity;
} header;

static heed_status read_object(hdf5_reader *r, uint64_t address, int depth);

static heed_status read_child(hdf5_reader *r, const char *name, size_t length, uint64_t address, int depth)
{
    if (length == 0 || memchr(name, '/', length) != NULL || memchr(name, '\0', length) != NULL)
        return heed_hdf5_fail(r, HEED_EFORMAT, "something has no proper name");
    if (depth >= HEED_HDF5_MAX_DEPTH)
        return heed_hdf5_fail(r, HEED_EFORMAT, "groups are nested too deeply");
    HEED_TRY(heed_hdf5_charge(r, length));
    heed_hdf5 *parent = r->node;
    uint64_t attributes = r->attributes;
    HEED_TRY(heed_hdf5_add(parent, name, length, &r->node));
    r->attributes = 0;
    HEED_TRY(read_object(r, address, depth + 1));
    r->node = parent;
    r->attributes = attributes;
    return HEED_OK;
}

/* ---- groups ---- */

static heed_status read_link(hdf5_reader *r, hdf5_cursor at, int depth)
{
    heed_hdf5_skip(&at, 1); /* version */
    unsigned flags = (unsigned)heed_hdf5_take(&at, 1);
    uint64_t type = flags & 8 ? heed_hdf5_take(&at, 1) : 0;
    heed_hdf5_skip(&at, flags & 4 ? 8 : 0); /* order of creation */
    heed_hdf5_skip(&at, flags & 16 ? 1 : 0); /* character set */
    uint64_t length = heed_hdf5_take(&at, 1 << (flags & 3));
    const char *name = (const char *)heed_hdf5_skip(&at, length);
    uint64_t address = heed_hdf5_offset(r, &at);
    if (type != 0)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "a soft or external link");
    HEED_TRY(heed_hdf5_check(r, &at, "a link"));
    return read_child(r, name, (size_t)length, address, depth);
}

static heed_status read_link_info(hdf5_reader *r, hdf5_cursor at, int depth)
{
    heed_hdf5_skip(&at, 1);
    unsigned flags = (unsigned)heed_hdf5_take(&at, 1);
    heed_hdf5_skip(&at, flags & 1 ? 8 : 0); /* highest order of creation */
    uint64_t heap = heed_hdf5_offset(r, &at), tree = heed_hdf5_offset(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "a group"));
    return heed_hdf5_dense_objects(r, heap, tree, read_link, depth);
}

typedef struct symbol_table {
    uint64_t heap;
    int      depth;
} symbol_table;

static heed_status read_symbol_node(hdf5_reader *r, hdf5_cursor key, uint64_t address, void *user)
{
    (void)key;
    const symbol_table *table = user;
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, address, "SNOD", &at));
    heed_hdf5_skip(&at, 2);
    uint64_t count = heed_hdf5_take(&at, 2);
    HEED_TRY(heed_hdf5_step(r, count));
    for (uint64_t i = 0; i < count; i++) {
        enum { SYMBOLIC_LINK = 2 };
        uint64_t name_offset = heed_hdf5_offset(r, &at), object = heed_hdf5_offset(r, &at), cached = heed_hdf5_take(&at, 4);
        heed_hdf5_skip(&at, 20);
        HEED_TRY(heed_hdf5_check(r, &at, "a group"));
        if (cached == SYMBOLIC_LINK)
            return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "a soft link");
        const char *name;
        size_t length;
        HEED_TRY(heed_hdf5_local_name(r, table->heap, name_offset, &name, &length));
        HEED_TRY(read_child(r, name, length, object, table->depth));
    }
    return HEED_OK;
}

static heed_status read_symbol_table(hdf5_reader *r, hdf5_cursor at, int depth)
{
    uint64_t tree = heed_hdf5_offset(r, &at);
    symbol_table table = {.heap = heed_hdf5_offset(r, &at), .depth = depth};
    HEED_TRY(heed_hdf5_check(r, &at, "a group"));
    return heed_hdf5_tree_children(r, tree, 0, (uint64_t)r->length_size, read_symbol_node, &table);
}

/* ---- attributes ---- */

/* The string at the start of `bytes`, into the zone. */
static heed_status copy_text(hdf5_reader *r, const void *bytes, size_t size, bool spaces, const char **out)
{
    const char *nul = memchr(bytes, '\0', size);
    size_t length = nul != NULL ? (size_t)(nul - (const char *)bytes) : size;
    while (spaces && length > 0 && ((const char *)bytes)[length - 1] == ' ')
        length--;
    HEED_TRY(heed_hdf5_charge(r, length));
    char *copy = heed_zone_alloc(r->node->zone, length + 1, 1);
    if (copy == NULL)
        return HEED_ENOMEM;
    memcpy(copy, bytes, length);
    *out = copy;
    return HEED_OK;
}

/* A string kept in a global heap: its length, and where it is. */
static heed_status read_heap_text(hdf5_reader *r, hdf5_cursor at, const char **out)
{
    uint64_t length = heed_hdf5_take(&at, 4), heap = heed_hdf5_offset(r, &at), index = heed_hdf5_take(&at, 4);
    HEED_TRY(heed_hdf5_check(r, &at, "a string"));
    if (length == 0 || heap == 0 || heap == HDF5_UNDEFINED) {
        *out = "";
        return HEED_OK;
    }
    hdf5_cursor object;
    HEED_TRY(heed_hdf5_global_object(r, heap, index, &object));
    if (length > heed_hdf5_left(&object))
        return heed_hdf5_fail(r, HEED_EFORMAT, "a string is longer than its place in the heap");
    return copy_text(r, object.next, (size_t)length, false, out);
}

static heed_status read_strings(hdf5_reader *r, const hdf5_type *type, uint64_t count, hdf5_cursor data, const char ***out)
{
    HEED_TRY(heed_hdf5_charge(r, count));
    const char **strings = *out = heed_zone_alloc(r->node->zone, (size_t)count, sizeof *strings);
    if (strings == NULL)
        return HEED_ENOMEM;
    for (uint64_t i = 0; i < count; i++, data.next += type->size) {
        hdf5_cursor one = {.next = data.next, .end = data.next + type->size};
        HEED_TRY(type->class == HDF5_TEXT ? read_heap_text(r, one, &strings[i])
                                          : copy_text(r, one.next, (size_t)type->size, type->spaces, &strings[i]));
    }
    return HEED_OK;
}

static heed_status read_values(hdf5_reader *r, const char *name, const hdf5_type *type, const hdf5_space *space,
                               hdf5_cursor data)
{
    if (type->class == HDF5_OTHER || type->class == HDF5_OPAQUE)
        return HEED_OK;
    uint64_t bytes;
    if (__builtin_mul_overflow(space->count, type->size, &bytes) || bytes > heed_hdf5_left(&data))
        return heed_hdf5_fail(r, HEED_EFORMAT, "an attribute is cut off");
    heed_array *array = NULL;
    const char **strings = NULL;
    HEED_TRY(heed_hdf5_charge(r, bytes));
    if (type->class != HDF5_NUMBER) {
        HEED_TRY(read_strings(r, type, space->count, data, &strings));
    } else {
        heed_status status = heed_encoding_decode(r->context, &type->encoding, &space->shape, data.next, &array);
        if (status != HEED_OK)
            return status == HEED_EUNSUPPORTED ? HEED_OK : heed_fail_in(r->context, status, r->file);
    }
    heed_hdf5_attribute *a = heed_hdf5_fresh_attribute(r->node, name);
    if (a == NULL) {
        heed_array_free(r->context, array);
        return HEED_ENOMEM;
    }
    a->scalar = space->shape.rank == 0;
    a->strings = strings;
    a->count = strings == NULL ? 0 : (size_t)space->count;
    a->array = array;
    return HEED_OK;
}

static heed_status read_attribute(hdf5_reader *r, hdf5_cursor at, int depth)
{
    (void)depth;
    HEED_TRY(heed_hdf5_step(r, ++r->attributes)); /* the search for one of the same name looks at all before it */
    int version = (int)heed_hdf5_take(&at, 1);
    unsigned shared = (unsigned)heed_hdf5_take(&at, 1) & (version == 1 ? 0 : 3);
    uint64_t name_size = heed_hdf5_take(&at, 2), type_size = heed_hdf5_take(&at, 2), space_size = heed_hdf5_take(&at, 2);
    heed_hdf5_skip(&at, version == 3 ? 1 : 0); /* character set */
    uint64_t pad = version == 1 ? 7 : 0;
    const char *name = (const char *)heed_hdf5_skip(&at, (name_size + pad) & ~pad);
    hdf5_cursor type_at = at, space_at;
    heed_hdf5_skip(&at, (type_size + pad) & ~pad);
    type_at.end = space_at.next = at.next;
    space_at = at;
    heed_hdf5_skip(&at, (space_size + pad) & ~pad);
    space_at.end = at.next;
    HEED_TRY(heed_hdf5_check(r, &at, "an attribute"));
    if (version < 1 || version > 3 || memchr(name, '\0', (size_t)name_size) == NULL)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged attribute");
    if (shared != 0)
        return HEED_OK; /* of a type that stands elsewhere in the file */
    hdf5_type type;
    hdf5_space space;
    HEED_TRY(heed_hdf5_charge(r, name_size));
    HEED_TRY(heed_hdf5_type(r, type_at, &type));
    HEED_TRY(heed_hdf5_space(r, space_at, &space));
    return read_values(r, name, &type, &space, at);
}

static heed_status read_attribute_info(hdf5_reader *r, hdf5_cursor at, int depth)
{
    heed_hdf5_skip(&at, 1);
    unsigned flags = (unsigned)heed_hdf5_take(&at, 1);
    heed_hdf5_skip(&at, flags & 1 ? 2 : 0); /* highest order of creation */
    uint64_t heap = heed_hdf5_offset(r, &at), tree = heed_hdf5_offset(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "a list of attributes"));
    return heed_hdf5_dense_objects(r, heap, tree, read_attribute, depth);
}

/* ---- messages ---- */

static heed_status note_continuation(hdf5_reader *r, header *h, hdf5_cursor at)
{
    continuation next;
    next.address = heed_hdf5_offset(r, &at);
    next.size = heed_hdf5_length(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "an object header"));
    void *continuations = h->continuations;
    heed_status status = heed_grow(r->context, &continuations, &h->capacity, h->count, sizeof next);
    h->continuations = continuations;
    if (status == HEED_OK)
        h->continuations[h->count++] = next;
    return status;
}

static heed_status read_message(hdf5_reader *r, header *h, unsigned type, unsigned flags, hdf5_cursor at)
{
    enum { SHARED = 2 };
    if ((flags & SHARED) != 0 && type != 0)
        return type == HDF5_MESSAGE_ATTRIBUTE
                   ? HEED_OK
                   : heed_hdf5_fail(r, HEED_EUNSUPPORTED, "a type or shape kept apart from its data");
    switch (type) {
    case HDF5_MESSAGE_DATASPACE: h->dataset.space = at; return HEED_OK;
    case HDF5_MESSAGE_DATATYPE: h->dataset.type = at; return HEED_OK;
    case HDF5_MESSAGE_LAYOUT: h->dataset.layout = at; return HEED_OK;
    case HDF5_MESSAGE_FILTERS: h->dataset.filters = at; return HEED_OK;
    case HDF5_MESSAGE_EXTERNAL: return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "data in another file");
    case HDF5_MESSAGE_LINK: return read_link(r, at, h->depth);
    case HDF5_MESSAGE_LINK_INFO: return read_link_info(r, at, h->depth);
    case HDF5_MESSAGE_SYMBOL_TABLE: return read_symbol_table(r, at, h->depth);
    case HDF5_MESSAGE_ATTRIBUTE: return read_attribute(r, at, h->depth);
    case HDF5_MESSAGE_ATTRIBUTE_INFO: return read_attribute_info(r, at, h->depth);
    case HDF5_MESSAGE_CONTINUATION: return note_continuation(r, h, at);
    default: return HEED_OK;
    }
}

static heed_status read_messages(hdf5_reader *r, header *h, hdf5_cursor block)
{
    while (heed_hdf5_left(&block) >= (size_t)h->prefix) {
        HEED_TRY(heed_hdf5_step(r, 1));
        hdf5_cursor prefix = block;
        heed_hdf5_skip(&block, (uint64_t)h->prefix);
        unsigned type = (unsigned)heed_hdf5_take(&prefix, h->version == 1 ? 2 : 1);
        uint64_t size = heed_hdf5_take(&prefix, 2);
        unsigned flags = (unsigned)heed_hdf5_take(&prefix, 1);
        hdf5_cursor message = block;
        heed_hdf5_skip(&block, size);
        HEED_TRY(heed_hdf5_check(r, &block, "an object header"));
        message.end = block.next;
        HEED_TRY(read_message(r, h, type, flags, message));
    }
    return HEED_OK;
}

/* The first block of messages of a header of version 1 or 2. */
static heed_status open_header(hdf5_reader *r, uint64_t address, header *h, hdf5_cursor *block)
{
    HEED_TRY(heed_hdf5_step(r, 1));
    HEED_TRY(heed_hdf5_at(r, address, 16, block));
    block->end = r->bytes + r->size;
    uint64_t size;
    if (memcmp(block->next, "OHDR", 4) == 0) {
        h->version = 2;
        heed_hdf5_skip(block, 5);
        unsigned flags = (unsigned)heed_hdf5_take(block, 1);
        heed_hdf5_skip(block, (flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0)); /* times; when attributes become dense */
        size = heed_hdf5_take(block, 1 << (flags & 3));
        h->prefix = 4 + (flags & 4 ? 2 : 0); /* order of creation */
    } else {
        h->version = (int)heed_hdf5_take(block, 1);
        if (h->version != 1)
            return heed_hdf5_fail(r, HEED_EFORMAT, "the file is damaged (no object header where one should be)");
        heed_hdf5_skip(block, 7);
        size = heed_hdf5_take(block, 4);
        heed_hdf5_skip(block, 4);
        h->prefix = 8;
    }
    HEED_TRY(heed_hdf5_check(r, block, "an object header"));
    return heed_hdf5_at(r, (uint64_t)(block->next - r->bytes), size, block);
}

static heed_status open_continuation(hdf5_reader *r, const header *h, size_t index, hdf5_cursor *block)
{
    uint64_t address = h->continuations[index].address, size = h->continuations[index].size;
    HEED_TRY(heed_hdf5_at(r, address, size, block));
    if (h->version == 1)
        return HEED_OK;
    if (size < 8 || memcmp(block->next, "OCHK", 4) != 0)
        return heed_hdf5_fail(r, HEED_EFORMAT, "the file is damaged (an object header does not go on)");
    block->next += 4;
    block->end -= 4; /* the checksum */
    return HEED_OK;
}

static heed_status read_header(hdf5_reader *r, uint64_t address, header *h)
{
    hdf5_cursor block;
    HEED_TRY(open_header(r, address, h, &block));
    HEED_TRY(read_messages(r, h, block));
    for (size_t i = 0; i < h->count; i++) {
        HEED_TRY(open_continuation(r, h, i, &block));
        HEED_TRY(read_messages(r, h, block));
    }
    return HEED_OK;
}

/* Reads what stands at `address` into r->node, which is new. */
static heed_status read_object(hdf5_reader *r, uint64_t address, int depth)
{
    header h = {.depth = depth};
    heed_status status = read_header(r, address, &h);
    heed_release(r->context, h.continuations);
    HEED_TRY(status);
    if (h.dataset.layout.next == NULL && h.dataset.type.next == NULL)
        return HEED_OK;
    if (r->node->first != NULL || r->node->parent == NULL)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a group that is an array, too");
    return heed_hdf5_read_dataset(r, &h.dataset);
}

/* ---- the file ---- */

static bool is_word_size(int bytes) { return bytes == 4 || bytes == 8; }

static heed_status read_superblock(hdf5_reader *r, uint64_t *root)
{
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_at(r, 0, r->size, &at));
    heed_hdf5_skip(&at, HDF5_SIGNATURE_SIZE);
    int version = (int)heed_hdf5_take(&at, 1);
    heed_hdf5_skip(&at, version < 2 ? 4 : 0); /* versions of parts */
    r->offset_size = (int)heed_hdf5_take(&at, 1);
    r->length_size = (int)heed_hdf5_take(&at, 1);
    if (at.failed || version > 3 || !is_word_size(r->offset_size) || !is_word_size(r->length_size))
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "a version of HDF5 that heed does not know");
    heed_hdf5_skip(&at, version == 0 ? 9 : version == 1 ? 13 : 1); /* sizes of tree nodes, flags */
    uint64_t base = heed_hdf5_offset(r, &at);
    heed_hdf5_offset(r, &at); /* free space or an extension */
    uint64_t end = heed_hdf5_offset(r, &at);
    if (version < 2)
        heed_hdf5_skip(&at, 2 * (uint64_t)r->offset_size); /* driver, name of the root */
    *root = heed_hdf5_offset(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "the superblock"));
    if (base != 0)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "an HDF5 file inside another file");
    if (end > r->size)
        return heed_fail(r->context, HEED_EFORMAT, "%s: the file is cut off (expected %llu bytes, found %llu)", r->file,
                         (unsigned long long)end, (unsigned long long)r->size);
    return HEED_OK;
}

static heed_status read_tree(heed_context *c, const char *name, const void *bytes, size_t size, bool outline,
                             heed_hdf5 **out)
{
    enum { BASE_STEPS = 1 << 24, BASE_STORED = 4096 };
    *out = NULL;
    if (!heed_hdf5_is(bytes, size))
        return heed_fail(c, HEED_EFORMAT, "%s: not an HDF5 file", name);
    heed_hdf5 *tree;
    HEED_TRY(heed_hdf5_create(c, &tree));
    /* an honest file has each byte read once, or twice for what is found through a copy */
    hdf5_reader r = {.context = c, .file = name, .bytes = bytes, .size = size, .node = tree, .outline = outline,
                     .steps = BASE_STEPS + (uint64_t)size, .stored = BASE_STORED + 2 * (uint64_t)size};
    uint64_t root = 0;
    heed_status status = read_superblock(&r, &root);
    if (status == HEED_OK)
        status = read_object(&r, root, 0);
    if (status != HEED_OK) {
        heed_hdf5_free(tree);
        return status;
    }
    *out = tree;
    return HEED_OK;
}

heed_status heed_hdf5_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_hdf5 **out)
{
    return read_tree(c, name, bytes, size, false, out);
}

heed_status heed_hdf5_read_outline(heed_context *c, const char *name, const void *bytes, size_t size, heed_hdf5 **out)
{
    return read_tree(c, name, bytes, size, true, out);
}

heed_status heed_hdf5_read_file(heed_context *c, const char *path, heed_hdf5 **out)
{
    *out = NULL;
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_file_read(c, path, SIZE_MAX / 2, &bytes, &size));
    heed_status status = heed_hdf5_read(c, path, bytes, size, out);
    heed_release(c, bytes);
    return status;
}
