#include "base/random.h"
#include "kernels/generic.h"

#include <math.h>

static inline float uniform(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

/* the block of four words that holds element `first + i`; i and first are multiples of 4 */
static inline void draw(uint64_t seed, uint64_t stream, uint64_t first, int64_t i, uint32_t words[4])
{
    heed_random_block(seed, stream, (first + (uint64_t)i) / 4, words);
}

void heed_generic_random_uniform(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        draw(seed, stream, first, i, words);
        for (int j = 0; j < 4 && i + j < n; j++)
            y[i + j] = uniform(words[j]);
    }
}

void heed_generic_random_normal(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        draw(seed, stream, first, i, words);
        for (int j = 0; j < 4 && i + j < n; j++) {
            float radius = sqrtf(-2.0f * logf(1.0f - uniform(words[j & 2])));
            float angle = 6.28318530717958648f * uniform(words[j | 1]);
            y[i + j] = radius * (j & 1 ? sinf(angle) : cosf(angle));
        }
    }
}

void heed_generic_dropout(int64_t n, const float *x, float rate, uint64_t seed, uint64_t stream, uint64_t first,
                          float *y)
{
    float scale = 1.0f / (1.0f - rate);
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        draw(seed, stream, first, i, words);
        for (int j = 0; j < 4 && i + j < n; j++)
            y[i + j] = uniform(words[j]) >= rate ? x[i + j] * scale : 0.0f;
    }
}
