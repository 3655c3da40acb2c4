/* Damages a file in memory in many ways, and hands each version to a reader that must survive it. */
#ifndef HEED_TEST_DAMAGE_H
#define HEED_TEST_DAMAGE_H

#include "base/random.h"
#include "heed/base.h"

/* Reads the bytes and frees what came of it. What it returns is only checked to be HEED_OK or an error with a text. */
typedef heed_status heed_test_reader(heed_context *c, const unsigned char *bytes, size_t size, void *user);

/* Each version stands in a heap block of exactly its size, so that a sanitizer sees reads beyond it, and is read in one
 * context. Asserts (cmocka) that afterwards no memory is in use and that at no time more than `most_memory` was. */

/* Every prefix, the empty one first, the whole last. Returns how many of them were read without an error. */
size_t heed_test_truncate(heed_test_reader *read, void *user, const void *bytes, size_t size, size_t most_memory);

/* `count` versions with 1 to 8 bits flipped or bytes replaced, drawn from `seed`. Returns how many were read. */
size_t heed_test_flip(heed_test_reader *read, void *user, const void *bytes, size_t size, size_t most_memory, size_t count,
                      uint64_t seed);

/* One such version: changes the bytes in place. */
void heed_test_damage(heed_random *r, unsigned char *bytes, size_t size);

#endif
