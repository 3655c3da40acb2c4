#include "formats/crc32c.h"

uint32_t heed_masked_crc32c(const void *bytes, size_t size)
{
    static const uint32_t of_half[16] = { /* of half a byte: the polynomial 0x82f63b78, bits turned around */
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    uint32_t crc = UINT32_MAX;
    for (const unsigned char *at = bytes, *end = at + size; at < end; at++) {
        crc ^= *at;
        crc = crc >> 4 ^ of_half[crc & 15];
        crc = crc >> 4 ^ of_half[crc & 15];
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

bool heed_masked_crc32c_is(uint64_t expected, const void *bytes, size_t size)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    return true;
#else
    return heed_masked_crc32c(bytes, size) == expected;
#endif
}
