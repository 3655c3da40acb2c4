/* The checksum of TensorFlow's files: CRC-32C, turned and shifted so that what is summed may hold such sums itself. */
#ifndef HEED_FORMATS_CRC32C_H
#define HEED_FORMATS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C of bytes that follow others, whose sum is `before`; 0 at the beginning. */
uint32_t heed_crc32c(uint32_t before, const void *bytes, size_t size);
/* As the files hold it. */
uint32_t heed_masked_crc32c(uint32_t crc);

#endif
