#include "formats/hdf5_reader.h"

#include <string.h>
#include <zlib.h>

enum { MAX_FILTERS = 4, INFLATE_RATIO = 1032, INFLATE_SLACK = 1024 };

typedef enum filter { DEFLATE = 1, SHUFFLE = 2 } filter;

typedef struct chunk {
    uint64_t address, stored; /* bytes in the file */
    uint32_t skipped;         /* bit i: filter i was not applied */
    uint64_t first[HEED_MAX_RANK];
} chunk;

typedef struct chunked {
    hdf5_reader      *reader;
    const hdf5_type  *type;
    const hdf5_space *space;
    uint64_t          dims[HEED_MAX_RANK]; /* of a chunk */
    uint64_t          bytes;               /* of a chunk, unpacked */
    uint64_t          expected;            /* chunks that cover the array */
    int               filters;
    filter            filter[MAX_FILTERS];
    chunk            *chunks;
    size_t            count, capacity;
} chunked;

/* ---- filters ---- */

static void *allocate(void *context, unsigned count, unsigned size) { return heed_alloc_raw(context, count, size); }
static void  release(void *context, void *memory) { heed_release(context, memory); }

/* Unpacks exactly `size` bytes. */
static heed_status unpack(hdf5_reader *r, const unsigned char *from, uint64_t stored, unsigned char *to, uint64_t size)
{
    z_stream z = {.zalloc = allocate, .zfree = release, .opaque = r->context};
    if (inflateInit(&z) != Z_OK)
        return HEED_ENOMEM;
    int code = Z_OK;
    const uint64_t most = UINT32_MAX; /* zlib counts in 32 bits */
    z.next_in = (unsigned char *)from;
    z.next_out = to;
    uint64_t in = stored, out = size;
    while (code == Z_OK) {
        uInt given = z.avail_in = (uInt)(in < most ? in : most), room = z.avail_out = (uInt)(out < most ? out : most);
        code = inflate(&z, Z_NO_FLUSH);
        in -= given - z.avail_in;
        out -= room - z.avail_out;
    }
    inflateEnd(&z);
    if (code == Z_MEM_ERROR)
        return HEED_ENOMEM;
    return code == Z_STREAM_END && out == 0 ? HEED_OK : heed_hdf5_fail(r, HEED_EFORMAT, "packed data is damaged");
}

/* Shuffled data has the first bytes of all elements, then their second bytes, and so on; a rest that is no element last. */
static void unshuffle(const unsigned char *from, unsigned char *to, uint64_t bytes, uint64_t size)
{
    uint64_t count = bytes / size;
    for (uint64_t k = 0; k < size; k++)
        for (uint64_t i = 0; i < count; i++)
            to[i * size + k] = from[k * count + i];
    memcpy(to + count * size, from + count * size, (size_t)(bytes - count * size));
}

static heed_status read_filters(chunked *d, hdf5_cursor at)
{
    hdf5_reader *r = d->reader;
    if (at.next == NULL)
        return HEED_OK;
    int version = (int)heed_hdf5_take(&at, 1), count = (int)heed_hdf5_take(&at, 1);
    heed_hdf5_skip(&at, version == 1 ? 6 : 0);
    for (int i = 0; i < count; i++) {
        unsigned id = (unsigned)heed_hdf5_take(&at, 2);
        uint64_t name = version == 1 || id >= 256 ? heed_hdf5_take(&at, 2) : 0;
        heed_hdf5_skip(&at, 2); /* flags */
        uint64_t values = heed_hdf5_take(&at, 2);
        heed_hdf5_skip(&at, name);
        heed_hdf5_skip(&at, 4 * (version == 1 ? (values + 1) & ~(uint64_t)1 : values));
        HEED_TRY(heed_hdf5_check(r, &at, "a list of filters"));
        if ((id != DEFLATE && id != SHUFFLE) || i == MAX_FILTERS)
            return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "packed by filter %u (expected gzip or shuffle)", id);
        d->filter[i] = (filter)id;
        d->filters = i + 1;
    }
    return HEED_OK;
}

static bool is_packed(const chunked *d, const chunk *k)
{
    for (int i = 0; i < d->filters; i++)
        if (d->filter[i] == DEFLATE && (k->skipped >> i & 1) == 0)
            return true;
    return false;
}

/* ---- the list of chunks ---- */

static heed_status add_chunk(chunked *d, const chunk *k)
{
    hdf5_reader *r = d->reader;
    uint64_t most = is_packed(d, k) ? k->stored * INFLATE_RATIO + INFLATE_SLACK : k->stored;
    if (d->bytes > most || d->count == d->expected)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a chunk claims more than is stored");
    for (int i = 0; i < d->space->shape.rank; i++)
        if (k->first[i] % d->dims[i] != 0 || k->first[i] >= (uint64_t)d->space->shape.dims[i])
            return heed_hdf5_fail(r, HEED_EFORMAT, "a chunk lies outside its array");
    HEED_TRY(heed_hdf5_charge(r, k->stored));
    hdf5_cursor bytes;
    HEED_TRY(heed_hdf5_at(r, k->address, k->stored, &bytes));
    void *chunks = d->chunks;
    heed_status status = heed_grow(r->context, &chunks, &d->capacity, d->count, sizeof *d->chunks);
    d->chunks = chunks;
    if (status == HEED_OK)
        d->chunks[d->count++] = *k;
    return status;
}

static heed_status visit_chunk(hdf5_reader *r, hdf5_cursor key, uint64_t address, void *user)
{
    chunked *d = user;
    chunk k = {.address = address};
    k.stored = heed_hdf5_take(&key, 4);
    k.skipped = (uint32_t)heed_hdf5_take(&key, 4);
    for (int i = 0; i < d->space->shape.rank; i++)
        k.first[i] = heed_hdf5_take(&key, 8);
    HEED_TRY(heed_hdf5_check(r, &key, "a list of chunks"));
    return add_chunk(d, &k);
}

/* Sizes of a chunk; the last one told is the size of an element. */
static heed_status read_chunk_dims(chunked *d, hdf5_cursor *at, int told, int bytes_each)
{
    hdf5_reader *r = d->reader;
    const heed_shape *shape = &d->space->shape;
    bool fits = told == shape->rank + 1 && bytes_each >= 1 && bytes_each <= 8 && shape->rank > 0;
    d->bytes = d->type->size;
    d->expected = 1;
    for (int i = 0; fits && i < shape->rank; i++) {
        uint64_t dim = d->dims[i] = heed_hdf5_take(at, bytes_each);
        fits = dim > 0 && !__builtin_mul_overflow(d->bytes, dim, &d->bytes) &&
               !__builtin_mul_overflow(d->expected, (uint64_t)shape->dims[i] / dim + ((uint64_t)shape->dims[i] % dim != 0),
                                       &d->expected);
    }
    fits = fits && heed_hdf5_take(at, bytes_each) == d->type->size;
    HEED_TRY(heed_hdf5_check(r, at, "a layout"));
    return fits ? HEED_OK : heed_hdf5_fail(r, HEED_EFORMAT, "chunks that do not fit their array");
}

/* Layout version 3: the chunks are in a version 1 B-tree. */
static heed_status list_chunks_of_tree(chunked *d, hdf5_cursor at)
{
    hdf5_reader *r = d->reader;
    int told = (int)heed_hdf5_take(&at, 1);
    uint64_t tree = heed_hdf5_offset(r, &at);
    HEED_TRY(read_chunk_dims(d, &at, told, 4));
    if (tree == HDF5_UNDEFINED)
        return HEED_OK;
    uint64_t key_size = 8 + 8 * (uint64_t)told;
    return heed_hdf5_tree_children(r, tree, 1, key_size, visit_chunk, d);
}

/* Layout version 4 has five ways to list chunks; one chunk alone is read. */
static heed_status list_single_chunk(chunked *d, hdf5_cursor at)
{
    enum { SINGLE_CHUNK = 1, FILTERED = 2 };
    hdf5_reader *r = d->reader;
    unsigned flags = (unsigned)heed_hdf5_take(&at, 1);
    int told = (int)heed_hdf5_take(&at, 1), bytes_each = (int)heed_hdf5_take(&at, 1);
    HEED_TRY(read_chunk_dims(d, &at, told, bytes_each));
    if (heed_hdf5_take(&at, 1) != SINGLE_CHUNK)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "chunks listed in a way that heed does not know");
    chunk k = {.stored = d->bytes};
    if (flags & FILTERED) {
        k.stored = heed_hdf5_length(r, &at);
        k.skipped = (uint32_t)heed_hdf5_take(&at, 4);
    }
    k.address = heed_hdf5_offset(r, &at);
    HEED_TRY(heed_hdf5_check(r, &at, "a layout"));
    return k.address == HDF5_UNDEFINED ? HEED_OK : add_chunk(d, &k);
}

/* ---- putting chunks together ---- */

/* Undoes the filters, last one first. Each step goes from `from` into the buffer not in use; returns where the bytes are. */
static heed_status unfilter(const chunked *d, const chunk *k, unsigned char *const buffers[2], const unsigned char **out)
{
    hdf5_reader *r = d->reader;
    const unsigned char *from = r->bytes + k->address;
    uint64_t size = k->stored;
    int into = 0;
    for (int i = d->filters - 1; i >= 0; i--) {
        if (k->skipped >> i & 1)
            continue;
        if (d->filter[i] == DEFLATE)
            HEED_TRY(unpack(r, from, size, buffers[into], d->bytes));
        else if (size < d->bytes)
            return heed_hdf5_fail(r, HEED_EFORMAT, "packed data is damaged");
        else
            unshuffle(from, buffers[into], d->bytes, d->type->size);
        from = buffers[into];
        size = d->bytes;
        into = !into;
    }
    *out = from;
    return size < d->bytes ? heed_hdf5_fail(r, HEED_EFORMAT, "packed data is damaged") : HEED_OK;
}

/* Copies the part of a chunk that lies within the array, dimension by dimension. */
static void place(const chunked *d, const chunk *k, int dim, const unsigned char *from, unsigned char *to)
{
    const heed_shape *shape = &d->space->shape;
    uint64_t from_step = d->type->size, to_step = d->type->size;
    for (int i = dim + 1; i < shape->rank; i++) {
        from_step *= d->dims[i];
        to_step *= (uint64_t)shape->dims[i];
    }
    uint64_t inside = (uint64_t)shape->dims[dim] - k->first[dim];
    uint64_t count = inside < d->dims[dim] ? inside : d->dims[dim];
    to += k->first[dim] * to_step;
    if (dim == shape->rank - 1) {
        memcpy(to, from, (size_t)(count * to_step));
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        place(d, k, dim + 1, from + i * from_step, to + i * to_step);
}

static heed_status place_chunks(const chunked *d, unsigned char *to)
{
    heed_context *c = d->reader->context;
    heed_status status = HEED_OK;
    unsigned char *buffers[2] = {NULL, NULL};
    if (d->count == 0)
        return HEED_OK; /* nobody has paid for the size of a chunk */
    for (int i = 0; i < 2 && i < d->filters && status == HEED_OK; i++)
        if ((buffers[i] = heed_alloc_raw(c, (size_t)d->bytes, 1)) == NULL)
            status = HEED_ENOMEM;
    for (size_t i = 0; i < d->count && status == HEED_OK; i++) {
        const unsigned char *bytes = NULL;
        status = unfilter(d, &d->chunks[i], buffers, &bytes);
        if (status == HEED_OK)
            place(d, &d->chunks[i], 0, bytes, to);
    }
    heed_release(c, buffers[0]);
    heed_release(c, buffers[1]);
    return status;
}

heed_status heed_hdf5_read_chunks(hdf5_reader *r, int version, hdf5_cursor layout, hdf5_cursor filters, const hdf5_type *type,
                                  const hdf5_space *space, unsigned char **out)
{
    *out = NULL;
    chunked d = {.reader = r, .type = type, .space = space};
    HEED_TRY(read_filters(&d, filters));
    heed_status status = version == 3 ? list_chunks_of_tree(&d, layout) : list_single_chunk(&d, layout);
    if (status == HEED_OK && d.count != d.expected)
        status = heed_hdf5_fail(r, HEED_EFORMAT, "the data is not all there");
    /* every chunk was seen and pays for its bytes, so the array's size is now known to be honest */
    if (status == HEED_OK && (*out = heed_alloc(r->context, (size_t)space->count, (size_t)type->size)) == NULL)
        status = HEED_ENOMEM;
    if (status == HEED_OK)
        status = place_chunks(&d, *out);
    heed_release(r->context, d.chunks);
    if (status != HEED_OK) {
        heed_release(r->context, *out);
        *out = NULL;
    }
    return status;
}
