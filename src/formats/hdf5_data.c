#include "formats/hdf5_reader.h"

#include <string.h>

/* ---- types ---- */

enum { CLASS_INTEGER = 0, CLASS_FLOAT = 1, CLASS_STRING = 3, CLASS_OPAQUE = 5, CLASS_ENUM = 8, CLASS_VARIABLE = 9 };

static bool is_integer_size(uint64_t size) { return size == 1 || size == 2 || size == 4 || size == 8; }

/* Behind the head of a float: first bit, bits, exponent's place and bits, fraction's place and bits, bias. */
static bool read_float(hdf5_cursor at, unsigned bits, hdf5_type *type)
{
    static const struct {
        uint64_t           size, exponent, fraction, bias;
        heed_encoding_kind kind;
    } known[] = {{2, 5, 10, 15, HEED_IEEE}, {2, 8, 7, 127, HEED_BFLOAT16}, {4, 8, 23, 127, HEED_IEEE}, {8, 11, 52, 1023, HEED_IEEE}};
    uint64_t first = heed_hdf5_take(&at, 2), width = heed_hdf5_take(&at, 2), exponent_at = heed_hdf5_take(&at, 1),
             exponent = heed_hdf5_take(&at, 1), fraction_at = heed_hdf5_take(&at, 1), fraction = heed_hdf5_take(&at, 1),
             bias = heed_hdf5_take(&at, 4);
    if (at.failed || first != 0 || width != 8 * type->size || fraction_at != 0 || exponent_at != fraction || (bits & 0x40) != 0)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].size == type->size && known[i].exponent == exponent && known[i].fraction == fraction && known[i].bias == bias) {
            type->encoding = (heed_encoding){known[i].kind, (size_t)type->size, bits & 1};
            return true;
        }
    }
    return false;
}

/* NumPy's bool is an enumeration of one byte, of FALSE and TRUE. */
static bool is_bool(hdf5_cursor at, unsigned bits, const hdf5_type *type)
{
    enum { BASE_TYPE = 12 };
    heed_hdf5_skip(&at, BASE_TYPE);
    return type->size == 1 && (bits & 0xffff) == 2 && heed_hdf5_left(&at) >= 6 && memcmp(at.next, "FALSE", 6) == 0;
}

heed_status heed_hdf5_type(hdf5_reader *r, hdf5_cursor at, hdf5_type *out)
{
    unsigned class = (unsigned)heed_hdf5_take(&at, 1) & 15, bits = (unsigned)heed_hdf5_take(&at, 3);
    *out = (hdf5_type){.class = HDF5_OTHER, .size = heed_hdf5_take(&at, 4)};
    HEED_TRY(heed_hdf5_check(r, &at, "a type"));
    if (out->size == 0)
        return heed_hdf5_fail(r, HEED_EFORMAT, "a type of no bytes");
    if (class == CLASS_INTEGER && is_integer_size(out->size)) {
        out->class = HDF5_NUMBER;
        out->encoding = (heed_encoding){bits & 8 ? HEED_SIGNED : HEED_UNSIGNED, (size_t)out->size, bits & 1};
    } else if (class == CLASS_ENUM && is_bool(at, bits, out)) {
        out->class = HDF5_NUMBER;
        out->encoding = (heed_encoding){.kind = HEED_BOOLEAN, .size = 1};
    } else if (class == CLASS_FLOAT && read_float(at, bits, out)) {
        out->class = HDF5_NUMBER;
    } else if (class == CLASS_OPAQUE && out->size == 2) {
        out->class = HDF5_OPAQUE;
    } else if (class == CLASS_STRING) {
        out->class = HDF5_STRING;
        out->spaces = (bits & 15) == 2;
    } else if (class == CLASS_VARIABLE && (bits & 15) == 1 && out->size == 8 + (uint64_t)r->offset_size) {
        out->class = HDF5_TEXT;
    }
    return HEED_OK;
}

heed_status heed_hdf5_space(hdf5_reader *r, hdf5_cursor at, hdf5_space *out)
{
    enum { NO_ELEMENTS = 2 };
    *out = (hdf5_space){0};
    int version = (int)heed_hdf5_take(&at, 1), rank = (int)heed_hdf5_take(&at, 1);
    heed_hdf5_skip(&at, 1); /* flags */
    uint64_t kind = heed_hdf5_take(&at, 1);
    heed_hdf5_skip(&at, version == 1 ? 4 : 0);
    if (rank > HEED_MAX_RANK)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "more than 8 dimensions");
    out->shape.rank = rank;
    bool fits = true;
    for (int i = 0; i < rank; i++) {
        uint64_t dim = heed_hdf5_length(r, &at);
        fits &= dim <= INT64_MAX;
        out->shape.dims[i] = (int64_t)dim;
    }
    HEED_TRY(heed_hdf5_check(r, &at, "a shape"));
    if (version == 2 && kind == NO_ELEMENTS)
        out->shape = (heed_shape){.rank = 1};
    int64_t count = fits ? heed_shape_count(&out->shape) : -1;
    if (count < 0 || version < 1 || version > 2)
        return heed_hdf5_fail(r, HEED_EFORMAT, "an impossible shape");
    out->count = (uint64_t)count;
    return HEED_OK;
}

/* ---- data ---- */

/* Data in one piece: within the layout message, or elsewhere in the file. */
static heed_status find_data(hdf5_reader *r, uint64_t layout_class, hdf5_cursor at, uint64_t needed, hdf5_cursor *data)
{
    enum { COMPACT = 0 };
    uint64_t address = 0, size;
    if (layout_class == COMPACT) {
        size = heed_hdf5_take(&at, 2);
        *data = at;
        heed_hdf5_skip(&at, size);
        data->end = at.next;
    } else {
        address = heed_hdf5_offset(r, &at);
        size = heed_hdf5_length(r, &at);
    }
    HEED_TRY(heed_hdf5_check(r, &at, "a layout"));
    if (address == HDF5_UNDEFINED)
        size = 0;
    if (size < needed)
        return heed_hdf5_fail(r, HEED_EFORMAT, "the data is not all there (expected %llu bytes, found %llu)",
                              (unsigned long long)needed, (unsigned long long)size);
    if (layout_class == COMPACT || needed == 0)
        return HEED_OK;
    return heed_hdf5_at(r, address, needed, data);
}

static bool is_bfloat16(const heed_hdf5 *node)
{
    const heed_hdf5_attribute *a = heed_hdf5_attribute_of(node, "dtype");
    return a != NULL && a->strings != NULL && a->count == 1 && strcmp(a->strings[0], "bfloat16") == 0;
}

static heed_status decode(hdf5_reader *r, const hdf5_type *type, const hdf5_space *space, const unsigned char *from)
{
    heed_status status = heed_encoding_decode(r->context, &type->encoding, &space->shape, from, &r->node->array);
    if (status == HEED_OK || status == HEED_ENOMEM)
        return status;
    return heed_hdf5_fail(r, status, "%s", heed_error(r->context));
}

static heed_status outline_array(hdf5_reader *r, const hdf5_type *type, const hdf5_space *space)
{
    heed_dtype dtype;
    if (!heed_encoding_dtype(&type->encoding, &dtype))
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "numbers of a type that heed does not read");
    heed_array *a = r->node->array = heed_alloc(r->context, 1, sizeof *a);
    if (a == NULL)
        return HEED_ENOMEM;
    *a = (heed_array){.dtype = dtype, .shape = space->shape};
    return HEED_OK;
}

heed_status heed_hdf5_read_dataset(hdf5_reader *r, const hdf5_dataset *d)
{
    enum { CONTIGUOUS = 1, CHUNKED = 2 };
    if (d->type.next == NULL || d->space.next == NULL || d->layout.next == NULL)
        return heed_hdf5_fail(r, HEED_EFORMAT, "an array without a type, shape or layout");
    hdf5_type type;
    hdf5_space space;
    HEED_TRY(heed_hdf5_type(r, d->type, &type));
    HEED_TRY(heed_hdf5_space(r, d->space, &space));
    if (type.class == HDF5_OPAQUE && is_bfloat16(r->node)) {
        type.class = HDF5_NUMBER;
        type.encoding = (heed_encoding){.kind = HEED_BFLOAT16, .size = 2};
    }
    if (type.class != HDF5_NUMBER)
        return HEED_OK; /* what programs beside Keras keep in its files: no weight */
    uint64_t bytes;
    if (__builtin_mul_overflow(space.count, type.size, &bytes))
        return heed_hdf5_fail(r, HEED_EFORMAT, "an impossible shape");

    if (r->outline)
        return outline_array(r, &type, &space);
    hdf5_cursor layout = d->layout, data = {0};
    int version = (int)heed_hdf5_take(&layout, 1);
    uint64_t class = heed_hdf5_take(&layout, 1);
    if (version < 3 || version > 4 || class > CHUNKED)
        return heed_hdf5_fail(r, HEED_EUNSUPPORTED, "data laid out in a way that heed does not know");
    if (class == CHUNKED) {
        unsigned char *together;
        HEED_TRY(heed_hdf5_read_chunks(r, version, layout, d->filters, &type, &space, &together));
        heed_status status = decode(r, &type, &space, together);
        heed_release(r->context, together);
        return status;
    }
    HEED_TRY(find_data(r, class, layout, bytes, &data));
    HEED_TRY(heed_hdf5_charge(r, bytes));
    return decode(r, &type, &space, data.next);
}
