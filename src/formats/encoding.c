#include "formats/encoding.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { HOST_IS_BIG_ENDIAN = 1 };
#else
enum { HOST_IS_BIG_ENDIAN = 0 };
#endif

bool heed_encoding_dtype(const heed_encoding *e, heed_dtype *out)
{
    static const struct {
        heed_encoding_kind kind;
        size_t             size;
        heed_dtype         dtype;
    } table[] = {
        {HEED_SIGNED, 1, HEED_INT32},   {HEED_SIGNED, 2, HEED_INT32},   {HEED_SIGNED, 4, HEED_INT32},
        {HEED_SIGNED, 8, HEED_INT64},   {HEED_UNSIGNED, 1, HEED_UINT8}, {HEED_UNSIGNED, 2, HEED_INT32},
        {HEED_UNSIGNED, 4, HEED_INT64}, {HEED_UNSIGNED, 8, HEED_INT64}, {HEED_BOOLEAN, 1, HEED_BOOL},
        {HEED_IEEE, 2, HEED_FLOAT32},   {HEED_IEEE, 4, HEED_FLOAT32},   {HEED_IEEE, 8, HEED_FLOAT64},
        {HEED_BFLOAT16, 2, HEED_FLOAT32},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].kind == e->kind && table[i].size == e->size) {
            *out = table[i].dtype;
            return true;
        }
    }
    return false;
}

static uint64_t load(const heed_encoding *e, const unsigned char *bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < e->size; i++)
        word |= (uint64_t)bytes[e->big_endian ? e->size - 1 - i : i] << 8 * i;
    return word;
}

static int64_t sign_extended(uint64_t word, size_t size)
{
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    return (int64_t)((word ^ sign) - sign);
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_float16(uint32_t half)
{
    uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0x1f)
        return float_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent > 0)
        return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
}

static bool decode_element(const heed_encoding *e, const unsigned char *from, heed_array *to, int64_t i)
{
    uint64_t word = load(e, from);
    int64_t integer = e->kind == HEED_SIGNED ? sign_extended(word, e->size) : (int64_t)word;
    switch (to->dtype) {
    case HEED_INT32: ((int32_t *)to->data)[i] = (int32_t)integer; return true;
    case HEED_INT64: ((int64_t *)to->data)[i] = integer; return e->kind == HEED_SIGNED || integer >= 0;
    case HEED_UINT8: ((uint8_t *)to->data)[i] = (uint8_t)word; return true;
    case HEED_BOOL: ((uint8_t *)to->data)[i] = word != 0; return true;
    case HEED_FLOAT64: memcpy((double *)to->data + i, &word, sizeof word); return true;
    case HEED_FLOAT32: break;
    }
    float value = e->kind == HEED_BFLOAT16 ? float_from_bits((uint32_t)word << 16)
                  : e->size == 2           ? from_float16((uint32_t)word)
                                           : float_from_bits((uint32_t)word);
    memcpy((float *)to->data + i, &value, sizeof value);
    return true;
}

heed_status heed_encoding_decode(heed_context *c, const heed_encoding *e, const heed_shape *shape, const void *bytes,
                                 heed_array **out)
{
    *out = NULL;
    heed_dtype dtype;
    if (!heed_encoding_dtype(e, &dtype))
        return heed_fail(c, HEED_EUNSUPPORTED, "numbers of a type that heed does not read");
    HEED_TRY(heed_array_create(c, dtype, shape, out));
    size_t count = (size_t)heed_shape_count(shape);
    bool same = e->size == heed_dtype_size(dtype) && e->kind != HEED_BOOLEAN &&
                (e->size == 1 || e->big_endian == HOST_IS_BIG_ENDIAN);
    if (same && e->kind != HEED_UNSIGNED && count > 0) {
        memcpy((*out)->data, bytes, count * e->size);
        return HEED_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (!decode_element(e, (const unsigned char *)bytes + i * e->size, *out, (int64_t)i)) {
            heed_array_free(c, *out);
            *out = NULL;
            return heed_fail(c, HEED_EFORMAT, "element %zu: beyond what int64 can hold", i);
        }
    }
    return HEED_OK;
}

heed_status heed_encoding_encode(const heed_array *a, heed_status (*put)(void *user, const void *bytes, size_t size),
                                 void *user)
{
    size_t size = heed_dtype_size(a->dtype), total = (size_t)heed_array_count(a) * size;
    if (!HOST_IS_BIG_ENDIAN || size == 1)
        return put(user, a->data, total);
    const unsigned char *from = a->data;
    unsigned char turned[4096];
    for (size_t done = 0; done < total;) {
        size_t piece = total - done < sizeof turned ? total - done : sizeof turned;
        for (size_t i = 0; i < piece; i++)
            turned[i] = from[done + i - i % size + (size - 1 - i % size)];
        HEED_TRY(put(user, turned, piece));
        done += piece;
    }
    return HEED_OK;
}
