#include "formats/protobuf.h"

#include <string.h>

bool heed_varint_read(const unsigned char **at, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

uint64_t heed_little_endian(const unsigned char *bytes, int count)
{
    uint64_t number = 0;
    for (int i = count - 1; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

heed_protobuf heed_protobuf_of(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    return (heed_protobuf){.at = at, .end = size == 0 ? at : at + size};
}

heed_protobuf heed_protobuf_within(const heed_protobuf *p) { return heed_protobuf_of(p->bytes, p->size); }

static bool read_fixed(heed_protobuf *p, int size)
{
    if (p->end - p->at < size)
        return false;
    p->number = heed_little_endian(p->at, size);
    p->at += size;
    return true;
}

static bool read_bytes(heed_protobuf *p)
{
    uint64_t size;
    if (!heed_varint_read(&p->at, p->end, &size) || size > (uint64_t)(p->end - p->at))
        return false;
    p->bytes = p->at;
    p->size = (size_t)size;
    p->at += size;
    return true;
}

bool heed_protobuf_next(heed_protobuf *p)
{
    enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
    uint64_t key;
    p->bytes = NULL;
    p->size = 0;
    p->number = 0;
    if (p->at == p->end || p->broken)
        return false;
    bool fine = heed_varint_read(&p->at, p->end, &key);
    p->field = key >> 3;
    switch (key & 7) {
    case VARINT: fine = fine && heed_varint_read(&p->at, p->end, &p->number); break;
    case FIXED64: fine = fine && read_fixed(p, 8); break;
    case BYTES: fine = fine && read_bytes(p); break;
    case FIXED32: fine = fine && read_fixed(p, 4); break;
    default: fine = false;
    }
    p->broken = !fine;
    return fine;
}

const char *heed_protobuf_text(heed_zone *z, const heed_protobuf *p)
{
    char *text = heed_zone_alloc(z, p->bytes == NULL ? 1 : p->size + 1, 1);
    if (text != NULL && p->bytes != NULL)
        memcpy(text, p->bytes, p->size);
    return text;
}
