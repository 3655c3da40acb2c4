/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * The i-th number of a stream is a function of (seed, stream, i) alone, so any tile can draw its own share and a resumed
 * run draws what the uninterrupted one would have drawn. */
#ifndef HEED_BASE_RANDOM_H
#define HEED_BASE_RANDOM_H

#include <stdint.h>

/* Four random words for block `block` of stream `stream` under `seed`. */
void heed_random_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]);

/* A sequence of numbers for code that draws one after another. Start as {.seed = s, .stream = t}; the whole state can be
 * copied, saved and restored. */
typedef struct heed_random {
    uint64_t seed, stream, next; /* next: how many words were drawn */
} heed_random;

uint32_t heed_random_u32(heed_random *r);
uint32_t heed_random_below(heed_random *r, uint32_t limit); /* 0..limit-1, unbiased; limit >= 1 */
double   heed_random_double(heed_random *r);                /* [0,1), 53 bits */
double   heed_random_normal(heed_random *r);                /* mean 0, deviation 1 (Box and Muller) */

#endif
