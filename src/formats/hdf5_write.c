/* Of the several ways that the HDF5 File Format Specification offers, the one with the fewest structures: a superblock of
 * version 0; for each group and array one object header of version 1, in one piece, with the links to a group's children
 * and the attributes as messages in it; arrays contiguous; variable-length strings in global heap collections. Children
 * come before their parents, so that an address is known before it is written. */
#include "base/file.h"
#include "formats/encoding.h"
#include "formats/hdf5.h"
#include "formats/hdf5_format.h"

#include <stdio.h>
#include <string.h>

enum {
    ALIGNMENT = 8,
    SUPERBLOCK_BYTES = 96,
    MESSAGE_PREFIX = 8,
    MOST_MESSAGE_BYTES = 0xffff / ALIGNMENT * ALIGNMENT, /* sizes have 16 bits */
    MOST_MESSAGES = 0xffff,
    LIST_BYTES = 64512, /* of a list of strings in one attribute: Keras splits what is longer */
    HEAP_BYTES = 4096,  /* a collection has at least so many */
    HEAP_PREFIX = 16,   /* bytes before the objects of a collection, and before each object's data */
};

typedef struct writer {
    heed_context    *context;
    const heed_hdf5 *node;  /* what is being written, for errors */
    unsigned char   *bytes; /* the file; NULL while only its size is sought */
    uint64_t         end;   /* of what has been written */
    unsigned         messages; /* in the object header being written */
    struct {
        uint64_t address, next, end; /* of the collection that still has room */
        unsigned count;              /* objects in it */
    } heap;
} writer;

static heed_status fail(const writer *w, const char *what, unsigned most, uint64_t found)
{
    char path[HEED_ERROR_SIZE / 2];
    return heed_fail(w->context, HEED_EINVAL, "%s: %s (expected at most %u, found %llu)",
                     heed_hdf5_path(w->node, path, sizeof path), what, most, (unsigned long long)found);
}

/* ---- bytes ---- */

static uint64_t padded(uint64_t size) { return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* At a place that has been written before. */
static void store(writer *w, uint64_t address, const void *bytes, size_t size)
{
    if (w->bytes != NULL && size > 0)
        memcpy(w->bytes + address, bytes, size);
}

static void store_number(writer *w, uint64_t address, uint64_t number, size_t size)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    store(w, address, bytes, size);
}

static void put(writer *w, const void *bytes, size_t size)
{
    store(w, w->end, bytes, size);
    w->end += size;
}

static void put_number(writer *w, uint64_t number, size_t size)
{
    store_number(w, w->end, number, size);
    w->end += size;
}

static void put_zeros(writer *w, uint64_t count)
{
    if (w->bytes != NULL)
        memset(w->bytes + w->end, 0, count);
    w->end += count;
}

static void pad(writer *w) { put_zeros(w, padded(w->end) - w->end); }

static heed_status put_piece(void *user, const void *bytes, size_t size)
{
    put(user, bytes, size);
    return HEED_OK;
}

static void put_elements(writer *w, const heed_array *a) { heed_encoding_encode(a, put_piece, w); }

/* ---- the global heap ---- */

static bool is_text(const heed_hdf5_attribute *a) { return a->array == NULL && a->scalar; }

static uint64_t heap_bytes(const char *text) { return HEAP_PREFIX + padded(strlen(text)); }

/* Makes room in one collection for all texts of the node, so that the object header behind it is written in one piece. */
static void make_room_for_texts(writer *w)
{
    uint64_t needed = 0;
    for (const heed_hdf5_attribute *a = w->node->attributes; a != NULL; a = a->next)
        needed += is_text(a) ? heap_bytes(a->strings[0]) : 0;
    if (needed <= w->heap.end - w->heap.next)
        return;
    uint64_t size = HEAP_PREFIX + needed > HEAP_BYTES ? HEAP_PREFIX + needed : HEAP_BYTES;
    w->heap.address = w->end;
    w->heap.count = 0;
    put(w, "GCOL\1\0\0", 8); /* version 1 */
    put_number(w, size, 8);
    w->heap.next = w->end;
    put_zeros(w, size - HEAP_PREFIX);
    w->heap.end = w->end;
}

/* Puts a text into the heap, and where it is at the end. */
static void put_text(writer *w, const char *text)
{
    enum { SIZE_FIELD = 8 };
    uint64_t object = w->heap.next, left;
    store_number(w, object, ++w->heap.count, 2);
    store_number(w, object + SIZE_FIELD, strlen(text), 8);
    store(w, object + HEAP_PREFIX, text, strlen(text));
    w->heap.next += heap_bytes(text);
    left = w->heap.end - w->heap.next;
    if (left >= HEAP_PREFIX)
        store_number(w, w->heap.next + SIZE_FIELD, left, 8); /* object 0: free space */
    put_number(w, strlen(text), 4);
    put_number(w, w->heap.address, 8);
    put_number(w, w->heap.count, 4);
}

/* ---- types and shapes ---- */

typedef struct file_type {
    unsigned char size, bytes[38]; /* of the message: class, bits of the class, size of an element; properties */
} file_type;

static const file_type number_types[] = {
    [HEED_FLOAT32] = {20, {0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}},
    [HEED_FLOAT64] = {20, {0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 0xff, 3, 0, 0}},
    [HEED_INT32] = {12, {0x10, 8, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0}},
    [HEED_INT64] = {12, {0x10, 8, 0, 0, 8, 0, 0, 0, 0, 0, 64, 0}},
    [HEED_UINT8] = {12, {0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0}},
    /* as h5py has it: an enumeration of one signed byte; the names, then the values */
    [HEED_BOOL] = {38, {0x18, 2, 0, 0, 1, 0, 0, 0, 0x10, 8, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0,
                        'F', 'A', 'L', 'S', 'E', 0, 0, 0, 'T', 'R', 'U', 'E', 0, 0, 0, 0, 0, 1}},
};

/* UTF-8 of any length: a sequence of bytes in the heap. */
static const file_type text_type = {20, {0x19, 1, 1, 0, 16, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0}};

/* Of a fixed size, padded with NULs. */
static file_type string_type(size_t size)
{
    return (file_type){8, {0x13, 1, 0, 0, size & 0xff, size >> 8 & 0xff, size >> 16 & 0xff, size >> 24 & 0xff}};
}

static void put_type(writer *w, const file_type *type) { put(w, type->bytes, type->size); }

static size_t shape_bytes(const heed_shape *shape) { return 8 + 8 * (size_t)shape->rank; }

static void put_shape(writer *w, const heed_shape *shape)
{
    put(w, (unsigned char[8]){1, (unsigned char)shape->rank}, 8); /* version 1 */
    for (int i = 0; i < shape->rank; i++)
        put_number(w, (uint64_t)shape->dims[i], 8);
}

/* ---- messages ---- */

static uint64_t begin_message(writer *w, unsigned type)
{
    uint64_t message = w->end;
    put_number(w, type, MESSAGE_PREFIX);
    w->messages++;
    return message;
}

static heed_status end_message(writer *w, uint64_t message, const char *what)
{
    enum { SIZE_FIELD = 2 };
    pad(w);
    uint64_t size = w->end - message - MESSAGE_PREFIX;
    if (size > MOST_MESSAGE_BYTES)
        return fail(w, what, MOST_MESSAGE_BYTES, size);
    store_number(w, message + SIZE_FIELD, size, 2);
    return HEED_OK;
}

/* All of a message before its data. */
static uint64_t begin_attribute(writer *w, const char *name, const file_type *type, const heed_shape *shape)
{
    uint64_t message = begin_message(w, HDF5_MESSAGE_ATTRIBUTE);
    put(w, (unsigned char[]){3, 0}, 2); /* version, flags */
    put_number(w, strlen(name) + 1, 2);
    put_number(w, type->size, 2);
    put_number(w, shape_bytes(shape), 2);
    put_number(w, 1, 1); /* the name is UTF-8 */
    put(w, name, strlen(name) + 1);
    put_type(w, type);
    put_shape(w, shape);
    return message;
}

static heed_status end_attribute(writer *w, uint64_t message)
{
    return end_message(w, message, "bytes of an attribute are more than HDF5 allows");
}

static heed_status write_numbers(writer *w, const char *name, const heed_array *a)
{
    uint64_t message = begin_attribute(w, name, &number_types[a->dtype], &a->shape);
    put_elements(w, a);
    return end_attribute(w, message);
}

static heed_status write_text(writer *w, const char *name, const char *text)
{
    uint64_t message = begin_attribute(w, name, &text_type, &(heed_shape){0});
    put_text(w, text);
    return end_attribute(w, message);
}

/* Strings, each in `size` bytes. */
static heed_status write_strings(writer *w, const char *name, const char *const *strings, size_t count, size_t size)
{
    file_type type = string_type(size);
    uint64_t message = begin_attribute(w, name, &type, &(heed_shape){1, {(int64_t)count}});
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(strings[i]);
        put(w, strings[i], length);
        put_zeros(w, size - length);
    }
    return end_attribute(w, message);
}

static heed_status write_list(writer *w, const heed_hdf5_attribute *a)
{
    if (a->count == 0) /* what h5py makes of an empty list */
        return write_numbers(w, a->name, &(heed_array){.dtype = HEED_FLOAT64, .shape = {.rank = 1}});
    size_t size = 1;
    for (size_t i = 0; i < a->count; i++)
        size = strlen(a->strings[i]) > size ? strlen(a->strings[i]) : size;
    size_t most = size > LIST_BYTES ? 1 : LIST_BYTES / size;
    if (a->count <= most)
        return write_strings(w, a->name, a->strings, a->count, size);
    for (size_t part = 0, done = 0; done < a->count; part++, done += most) {
        char name[300];
        snprintf(name, sizeof name, "%.256s%zu", a->name, part);
        size_t count = a->count - done < most ? a->count - done : most;
        HEED_TRY(write_strings(w, name, a->strings + done, count, size));
    }
    return HEED_OK;
}

static heed_status write_attributes(writer *w)
{
    for (const heed_hdf5_attribute *a = w->node->attributes; a != NULL; a = a->next)
        HEED_TRY(a->array != NULL ? write_numbers(w, a->name, a->array)
                 : is_text(a)     ? write_text(w, a->name, a->strings[0])
                                  : write_list(w, a));
    return HEED_OK;
}

static heed_status write_link(writer *w, const char *name, uint64_t address)
{
    enum { LENGTH_OF_TWO_BYTES = 0x01, WITH_CHARACTER_SET = 0x10 };
    uint64_t message = begin_message(w, HDF5_MESSAGE_LINK);
    put(w, (unsigned char[]){1, LENGTH_OF_TWO_BYTES | WITH_CHARACTER_SET, 1}, 3); /* version 1; UTF-8 */
    put_number(w, strlen(name), 2);
    put(w, name, strlen(name));
    put_number(w, address, 8);
    return end_message(w, message, "bytes of a name are more than HDF5 allows");
}

/* A message whose content is the same everywhere and short. */
static heed_status write_constant(writer *w, unsigned type, const void *bytes, size_t size)
{
    uint64_t message = begin_message(w, type);
    put(w, bytes, size);
    return end_message(w, message, "");
}

/* ---- objects ---- */

/* Of w->node, with room for its texts before it. */
static uint64_t begin_header(writer *w)
{
    make_room_for_texts(w);
    uint64_t header = w->end;
    w->messages = 0;
    put(w, (unsigned char[16]){[0] = 1, [4] = 1}, 16); /* version 1, one link to it */
    return header;
}

/* Writes the attributes, too. */
static heed_status end_header(writer *w, uint64_t header)
{
    enum { MESSAGES_FIELD = 2, SIZE_FIELD = 8, PREFIX = 16 };
    HEED_TRY(write_attributes(w));
    if (w->messages > MOST_MESSAGES)
        return fail(w, "children and attributes are more than HDF5 allows", MOST_MESSAGES, w->messages);
    store_number(w, header + MESSAGES_FIELD, w->messages, 2);
    store_number(w, header + SIZE_FIELD, w->end - header - PREFIX, 4);
    return HEED_OK;
}

static heed_status write_array(writer *w, const heed_hdf5 *node, uint64_t *address)
{
    const heed_array *a = node->array;
    uint64_t begin = w->end, size;
    w->node = node;
    put_elements(w, a);
    size = w->end - begin;
    pad(w);
    *address = begin_header(w);
    uint64_t message = begin_message(w, HDF5_MESSAGE_DATASPACE);
    put_shape(w, &a->shape);
    HEED_TRY(end_message(w, message, ""));
    HEED_TRY(write_constant(w, HDF5_MESSAGE_DATATYPE, number_types[a->dtype].bytes, number_types[a->dtype].size));
    /* version 2: of data that are there from the start, the fill value is zero */
    HEED_TRY(write_constant(w, HDF5_MESSAGE_FILL_VALUE, (unsigned char[8]){2, 2, 2, 1}, 8));
    message = begin_message(w, HDF5_MESSAGE_LAYOUT);
    put(w, (unsigned char[]){3, 1}, 2); /* version 3, contiguous */
    put_number(w, size > 0 ? begin : HDF5_UNDEFINED, 8);
    put_number(w, size, 8);
    HEED_TRY(end_message(w, message, ""));
    return end_header(w, *address);
}

/* `children` are addresses. */
static heed_status write_group_header(writer *w, const heed_hdf5 *node, const uint64_t *children, uint64_t *address)
{
    w->node = node;
    *address = begin_header(w);
    uint64_t message = begin_message(w, HDF5_MESSAGE_LINK_INFO);
    put(w, (unsigned char[]){0, 0}, 2); /* version 0, no order of creation */
    put_number(w, HDF5_UNDEFINED, 8);   /* no heap of links */
    put_number(w, HDF5_UNDEFINED, 8);   /* and no tree */
    HEED_TRY(end_message(w, message, ""));
    HEED_TRY(write_constant(w, HDF5_MESSAGE_GROUP_INFO, (unsigned char[8]){0}, 8)); /* version 0 */
    for (const heed_hdf5 *child = node->first; child != NULL; child = child->next)
        HEED_TRY(write_link(w, child->name, *children++));
    return end_header(w, *address);
}

static heed_status write_group(writer *w, const heed_hdf5 *node, int depth, uint64_t *address);

static heed_status write_children(writer *w, const heed_hdf5 *node, int depth, uint64_t *addresses)
{
    for (const heed_hdf5 *child = node->first; child != NULL; child = child->next, addresses++)
        HEED_TRY(child->array != NULL ? write_array(w, child, addresses) : write_group(w, child, depth + 1, addresses));
    return HEED_OK;
}

static heed_status write_group(writer *w, const heed_hdf5 *node, int depth, uint64_t *address)
{
    w->node = node;
    if (depth >= HEED_HDF5_MAX_DEPTH && node->first != NULL)
        return fail(w, "nested too deeply", HEED_HDF5_MAX_DEPTH, (uint64_t)depth + 1);
    size_t count = 0;
    for (const heed_hdf5 *child = node->first; child != NULL; child = child->next)
        count++;
    uint64_t *children = heed_alloc_raw(w->context, count, sizeof *children);
    if (children == NULL)
        return HEED_ENOMEM;
    heed_status status = write_children(w, node, depth, children);
    if (status == HEED_OK)
        status = write_group_header(w, node, children, address);
    heed_release(w->context, children);
    return status;
}

/* ---- the file ---- */

static void store_superblock(writer *w, uint64_t root)
{
    uint64_t end = w->end;
    w->end = 0;
    put(w, HDF5_SIGNATURE, HDF5_SIGNATURE_SIZE);
    put_zeros(w, 5);                       /* version 0, of all parts */
    put(w, (unsigned char[]){8, 8, 0}, 3); /* bytes of addresses and of lengths */
    put_number(w, 4, 2);                   /* sizes of symbol tables, of which there are none: the usual ones */
    put_number(w, 16, 2);
    put_zeros(w, 12); /* flags, base address */
    put_number(w, HDF5_UNDEFINED, 8);
    put_number(w, end, 8);
    put_number(w, HDF5_UNDEFINED, 8);
    put_number(w, 0, 8); /* the root has no name */
    put_number(w, root, 8);
    put_zeros(w, SUPERBLOCK_BYTES - w->end);
    w->end = end;
}

/* All of it, or its size in w->end while w->bytes is NULL. */
static heed_status write_file(writer *w, const heed_hdf5 *root)
{
    uint64_t address = 0;
    w->end = SUPERBLOCK_BYTES;
    HEED_TRY(write_group(w, root, 0, &address));
    store_superblock(w, address);
    return HEED_OK;
}

heed_status heed_hdf5_write(const heed_hdf5 *root, unsigned char **out, size_t *size)
{
    *out = NULL;
    *size = 0;
    writer measure = {.context = root->zone->context}, w = {.context = measure.context};
    HEED_TRY(write_file(&measure, root));
    w.bytes = heed_alloc_raw(w.context, measure.end, 1);
    if (w.bytes == NULL)
        return HEED_ENOMEM;
    heed_status status = write_file(&w, root);
    if (status != HEED_OK) {
        heed_release(w.context, w.bytes);
        return status;
    }
    *out = w.bytes;
    *size = w.end;
    return HEED_OK;
}

heed_status heed_hdf5_write_file(const heed_hdf5 *root, const char *path)
{
    heed_context *c = root->zone->context;
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_hdf5_write(root, &bytes, &size));
    heed_status status = heed_file_write(c, path, bytes, size);
    heed_release(c, bytes);
    return status;
}
