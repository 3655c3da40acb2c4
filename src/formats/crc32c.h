/* The checksum of TensorFlow's files: CRC-32C, turned and shifted so that what is summed may hold such sums itself. */
#ifndef HEED_FORMATS_CRC32C_H
#define HEED_FORMATS_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the files hold it. */
uint32_t heed_masked_crc32c(const void *bytes, size_t size);
/* Whether it is that; always, in builds for fuzzers, which would find nothing behind it. */
bool heed_masked_crc32c_is(uint64_t expected, const void *bytes, size_t size);

#endif
