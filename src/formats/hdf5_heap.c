#include "formats/hdf5_reader.h"

#include <string.h>

/* ---- local and global heaps ---- */

heed_status heed_hdf5_local_name(hdf5_reader *r, uint64_t heap, uint64_t offset, const char **name, size_t *length)
{
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, heap, "HEAP", &at));
    heed_hdf5_skip(&at, 4); /* version, reserved */
    uint64_t size = heed_hdf5_length(r, &at);
    heed_hdf5_length(r, &at); /* the free list */
    uint64_t address = heed_hdf5_offset(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "a local heap"));
    HEED_TRY(heed_hdf5_at(r, address, size, &at));
    if (heed_hdf5_skip(&at, offset) == NULL || memchr(at.next, '\0', heed_hdf5_left(&at)) == NULL)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a name lies outside its heap");
    *name = (const char *)at.next;
    *length = strlen(*name);
    return HEED_OK;
}

heed_status heed_hdf5_global_object(hdf5_reader *r, uint64_t address, uint64_t index, hdf5_cursor *out)
{
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, address, "GCOL", &at));
    heed_hdf5_skip(&at, 4);
    uint64_t size = heed_hdf5_length(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "a global heap"));
    HEED_TRY(heed_hdf5_at(r, address, size, &at));
    heed_hdf5_skip(&at, 8 + (uint64_t)r->length_size);
    while (!at.failed && heed_hdf5_left(&at) >= 8 + (size_t)r->length_size) {
        HEED_TRY(heed_hdf5_step(r, 1));
        uint64_t found = heed_hdf5_take(&at, 2);
        heed_hdf5_skip(&at, 6);
        uint64_t bytes = heed_hdf5_length(r, &at);
        if (found == 0)
            break; /* free space, the rest */
        hdf5_cursor object = at;
        const unsigned char *begin = heed_hdf5_skip(&at, bytes);
        if (found == index && begin != NULL) {
            object.end = at.next;
            *out = object;
            return HEED_OK;
        }
        heed_hdf5_skip(&at, -bytes & 7); /* objects begin at multiples of 8 */
    }
    return heed_hdf5_fail(r, HEED_EFORMAT, "a string lies outside its heap");
}

/* ---- fractal heaps ---- */

typedef struct fractal_heap {
    int      id_size, offset_bytes, length_bytes;
    uint64_t table_width, first_block, largest_block, address;
    unsigned rows; /* of the root indirect block; 0 where the root is a direct block */
} fractal_heap;

static int log2_of(uint64_t v)
{
    int bits = 0;
    while (v >>= 1)
        bits++;
    return bits;
}

/* Bytes that hold every number up to `limit`. */
static int bytes_for(uint64_t limit) { return log2_of(limit) / 8 + 1; }

static bool is_power_of_two(uint64_t v) { return v != 0 && (v & (v - 1)) == 0; }

static heed_status open_fractal_heap(hdf5_reader *r, uint64_t address, fractal_heap *h)
{
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, address, "FRHP", &at));
    heed_hdf5_skip(&at, 1); /* version */
    h->id_size = (int)heed_hdf5_take(&at, 2);
    uint64_t filters = heed_hdf5_take(&at, 2);
    heed_hdf5_skip(&at, 1); /* flags */
    uint64_t largest_object = heed_hdf5_take(&at, 4);
    /* huge objects, free space, counts of objects: nothing that finding one needs */
    heed_hdf5_skip(&at, 2 * (uint64_t)r->offset_size + 10 * (uint64_t)r->length_size);
    h->table_width = heed_hdf5_take(&at, 2);
    h->first_block = heed_hdf5_length(r, &at);
    h->largest_block = heed_hdf5_length(r, &at);
    unsigned offset_bits = (unsigned)heed_hdf5_take(&at, 2);
    heed_hdf5_skip(&at, 2); /* rows at first */
    h->address = heed_hdf5_offset(r, &at);
    h->rows = (unsigned)heed_hdf5_take(&at, 2);
    HEED_TRY(heed_hdf5_check(r, &at, "a fractal heap"));
    if (filters != 0)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "a filtered heap");
    if (offset_bits == 0 || offset_bits > 64 || h->table_width == 0 || !is_power_of_two(h->first_block) ||
        !is_power_of_two(h->largest_block) || h->largest_block < h->first_block || h->rows > 64)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged fractal heap");
    h->offset_bytes = (int)(offset_bits + 7) / 8;
    int block_bytes = (log2_of(h->largest_block) + 7) / 8, object_bytes = bytes_for(largest_object);
    h->length_bytes = block_bytes < object_bytes ? block_bytes : object_bytes;
    return HEED_OK;
}

/* Rows 0 and 1 of the doubling table have blocks of the first size, each further row blocks of twice the size before. */
static uint64_t row_block(const fractal_heap *h, unsigned row)
{
    unsigned shift = row == 0 ? 0 : row - 1;
    return shift >= 64 || h->first_block > UINT64_MAX >> shift ? UINT64_MAX : h->first_block << shift;
}

/* The direct block that holds `offset`: its address, and the offset within it. The offset becomes relative to each indirect
 * block on the way down. */
static heed_status find_block(hdf5_reader *r, const fractal_heap *h, uint64_t *offset, uint64_t *address, uint64_t *block)
{
    *address = h->address;
    *block = h->first_block;
    unsigned rows = h->rows;
    while (rows > 0) {
        hdf5_cursor at;
        HEED_TRY(heed_hdf5_signed_at(r, *address, "FHIB", &at));
        heed_hdf5_skip(&at, 1 + (uint64_t)r->offset_size + (uint64_t)h->offset_bytes);
        unsigned row = 0;
        uint64_t row_bytes;
        while (row < rows && !__builtin_mul_overflow(row_block(h, row), h->table_width, &row_bytes) && *offset >= row_bytes) {
            *offset -= row_bytes;
            row++;
        }
        if (row == rows)
            return heed_hdf5_fail(r, HEED_EFORMAT, "an object lies outside its heap");
        *block = row_block(h, row);
        uint64_t column = *offset / *block;
        *offset %= *block;
        heed_hdf5_skip(&at, (row * h->table_width + column) * (uint64_t)r->offset_size);
        *address = heed_hdf5_offset(r, &at);
        HEED_TRY(heed_hdf5_check(r, &at, "a fractal heap"));
        if (*block <= h->largest_block)
            return HEED_OK;
        /* an indirect block spans as many rows as its size needs, always fewer than the one it is in */
        unsigned below = (unsigned)(log2_of(*block) - log2_of(h->first_block) - log2_of(h->table_width)) + 1;
        if (below >= rows)
            return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged fractal heap");
        rows = below;
    }
    return HEED_OK;
}

static heed_status fractal_object(hdf5_reader *r, const fractal_heap *h, hdf5_cursor id, hdf5_cursor *out)
{
    unsigned kind = (unsigned)heed_hdf5_take(&id, 1);
    if ((kind & 0xf0) != 0)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "a huge or tiny object in a heap");
    uint64_t offset = heed_hdf5_take(&id, h->offset_bytes), length = heed_hdf5_take(&id, h->length_bytes);
    HEED_TRY(heed_hdf5_check(r, &id, "a fractal heap"));
    uint64_t address, block;
    HEED_TRY(find_block(r, h, &offset, &address, &block));
    HEED_TRY(heed_hdf5_at(r, address, block, out));
    if (heed_hdf5_left(out) < 4 || memcmp(out->next, "FHDB", 4) != 0 || heed_hdf5_skip(out, offset) == NULL ||
        heed_hdf5_left(out) < length)
        return heed_hdf5_fail(r, HEED_EFORMAT, "an object lies outside its heap");
    out->end = out->next + length;
    return HEED_OK;
}

/* ---- version 2 B-trees ---- */

enum { LINK_NAMES = 5, ATTRIBUTE_NAMES = 8, NODE_OVERHEAD = 10, MAX_TREE_DEPTH = 16 };

typedef struct dense_tree {
    fractal_heap          heap;
    hdf5_object_function *visit;
    int                   depth; /* of groups, handed on */
    int                   type;
    uint64_t              record_size;
    int                   count_bytes;                    /* of a child's own records */
    int                   total_bytes[MAX_TREE_DEPTH + 1]; /* of all records below a child at this level; 0 for leaves */
} dense_tree;

static heed_status visit_record(hdf5_reader *r, const dense_tree *t, hdf5_cursor record)
{
    if (t->type == LINK_NAMES)
        heed_hdf5_skip(&record, 4); /* the hash; in attribute records it comes last */
    hdf5_cursor object;
    HEED_TRY(fractal_object(r, &t->heap, record, &object));
    return t->visit(r, object, t->depth);
}

/* A node `level` above the leaves, with `count` records. */
static heed_status visit_tree_node(hdf5_reader *r, const dense_tree *t, uint64_t address, uint64_t count, int level)
{
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, address, level == 0 ? "BTLF" : "BTIN", &at));
    HEED_TRY(heed_hdf5_step(r, count));
    heed_hdf5_skip(&at, 2); /* version, type */
    hdf5_cursor children = at;
    heed_hdf5_skip(&children, count * t->record_size);
    for (uint64_t i = 0; i <= count; i++) {
        if (level > 0) {
            uint64_t child = heed_hdf5_offset(r, &children), records = heed_hdf5_take(&children, t->count_bytes);
            heed_hdf5_take(&children, t->total_bytes[level - 1]);
            HEED_TRY(heed_hdf5_check(r, &children, "a B-tree"));
            HEED_TRY(visit_tree_node(r, t, child, records, level - 1));
        }
        if (i == count)
            break;
        hdf5_cursor record = at;
        heed_hdf5_skip(&at, t->record_size);
        HEED_TRY(heed_hdf5_check(r, &at, "a B-tree"));
        record.end = at.next;
        HEED_TRY(visit_record(r, t, record));
    }
    return HEED_OK;
}

/* How many records a node of each level holds decides how wide the counts in the level above are. */
static heed_status measure_levels(hdf5_reader *r, dense_tree *t, uint64_t node_size, int depth)
{
    if (node_size <= NODE_OVERHEAD + t->record_size)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged B-tree");
    uint64_t most = (node_size - NODE_OVERHEAD) / t->record_size, all = most;
    t->count_bytes = bytes_for(most);
    for (int level = 1; level < depth; level++) {
        uint64_t pointer = (uint64_t)(r->offset_size + t->count_bytes + t->total_bytes[level - 1]);
        if (node_size <= NODE_OVERHEAD + pointer)
            return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged B-tree");
        most = (node_size - NODE_OVERHEAD - pointer) / (t->record_size + pointer);
        if (__builtin_mul_overflow(all, most + 1, &all) || __builtin_add_overflow(all, most, &all))
            return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged B-tree");
        t->total_bytes[level] = bytes_for(all);
    }
    return HEED_OK;
}

heed_status heed_hdf5_dense_objects(hdf5_reader *r, uint64_t heap, uint64_t tree, hdf5_object_function *visit, int depth)
{
    if (heap == HDF5_UNDEFINED || tree == HDF5_UNDEFINED)
        return HEED_OK;
    dense_tree t = {.visit = visit, .depth = depth};
    HEED_TRY(open_fractal_heap(r, heap, &t.heap));
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, tree, "BTHD", &at));
    heed_hdf5_skip(&at, 1);
    t.type = (int)heed_hdf5_take(&at, 1);
    uint64_t node_size = heed_hdf5_take(&at, 4);
    t.record_size = heed_hdf5_take(&at, 2);
    int levels = (int)heed_hdf5_take(&at, 2);
    heed_hdf5_skip(&at, 2); /* when nodes split and merge */
    uint64_t root = heed_hdf5_offset(r, &at), count = heed_hdf5_take(&at, 2);
    HEED_TRY(heed_hdf5_check(r, &at, "a B-tree"));
    if ((t.type != LINK_NAMES && t.type != ATTRIBUTE_NAMES) || levels > MAX_TREE_DEPTH || t.record_size == 0)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged B-tree");
    HEED_TRY(measure_levels(r, &t, node_size, levels));
    return count == 0 ? HEED_OK : visit_tree_node(r, &t, root, count, levels);
}

/* ---- version 1 B-trees ---- */

typedef struct plain_tree {
    int                  type;
    uint64_t             key_size;
    hdf5_child_function *visit;
    void                *user;
} plain_tree;

static heed_status visit_plain_node(hdf5_reader *r, const plain_tree *t, uint64_t address, int above)
{
    hdf5_cursor at;
    HEED_TRY(heed_hdf5_signed_at(r, address, "TREE", &at));
    int type = (int)heed_hdf5_take(&at, 1), level = (int)heed_hdf5_take(&at, 1);
    uint64_t count = heed_hdf5_take(&at, 2);
    heed_hdf5_skip(&at, 2 * (uint64_t)r->offset_size); /* the siblings: found from above instead */
    HEED_TRY(heed_hdf5_check(r, &at, "a B-tree"));
    if (type != t->type || level >= above)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a damaged B-tree");
    HEED_TRY(heed_hdf5_step(r, count));
    for (uint64_t i = 0; i < count; i++) {
        hdf5_cursor key = at;
        heed_hdf5_skip(&at, t->key_size);
        key.end = at.next;
        uint64_t child = heed_hdf5_offset(r, &at);
        HEED_TRY(heed_hdf5_check(r, &at, "a B-tree"));
        HEED_TRY(level == 0 ? t->visit(r, key, child, t->user) : visit_plain_node(r, t, child, level));
    }
    return HEED_OK;
}

heed_status heed_hdf5_tree_children(hdf5_reader *r, uint64_t tree, int type, uint64_t key_size, hdf5_child_function *visit,
                                    void *user)
{
    plain_tree t = {type, key_size, visit, user};
    return visit_plain_node(r, &t, tree, MAX_TREE_DEPTH + 1);
}
