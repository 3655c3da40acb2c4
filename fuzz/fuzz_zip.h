/* Zip archives that were changed somewhere, mended: a checksum would keep every change from being looked at. */
#ifndef HEED_FUZZ_ZIP_H
#define HEED_FUZZ_ZIP_H

#include "fuzz.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

static inline uint32_t heed_fuzz_number(const unsigned char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

/* Where `entry` of the central directory says that its stored bytes begin, if they lie in the archive whole. */
static inline unsigned char *heed_fuzz_stored(unsigned char *zip, size_t size, const unsigned char *entry, size_t *stored)
{
    enum { LOCAL = 30 };
    size_t local = heed_fuzz_number(entry + 42, 4);
    *stored = heed_fuzz_number(entry + 20, 4);
    if (heed_fuzz_number(entry + 10, 2) != 0 || size < LOCAL || local > size - LOCAL)
        return NULL;
    size_t begin = local + LOCAL + heed_fuzz_number(zip + local + 26, 2) + heed_fuzz_number(zip + local + 28, 2);
    return begin > size || *stored > size - begin ? NULL : zip + begin;
}

/* Gives each stored member the checksum of the bytes that it has. */
static inline void heed_fuzz_mend_zip(unsigned char *zip, size_t size)
{
    enum { ENTRY = 46 };
    if (size < 4 || memcmp(zip, "PK\3\4", 4) != 0)
        return;
    for (size_t at = 0; size >= ENTRY && at <= size - ENTRY; at++) {
        size_t stored;
        unsigned char *entry = zip + at;
        const unsigned char *bytes = memcmp(entry, "PK\1\2", 4) == 0 ? heed_fuzz_stored(zip, size, entry, &stored) : NULL;
        if (bytes == NULL)
            continue;
        uint32_t sum = (uint32_t)crc32(0, bytes, (uInt)stored);
        unsigned char *local = zip + heed_fuzz_number(entry + 42, 4);
        for (int i = 0; i < 4; i++)
            entry[16 + i] = local[14 + i] = (unsigned char)(sum >> 8 * i);
    }
}

/* A copy of the input, mended; to be freed. */
static inline unsigned char *heed_fuzz_mended(const uint8_t *bytes, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    heed_fuzz_mend_zip(copy, size);
    return copy;
}

#endif
