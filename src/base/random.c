#include "base/random.h"

#include <math.h>

void heed_random_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t heed_random_u32(heed_random *r)
{
    uint32_t words[4];
    heed_random_block(r->seed, r->stream, r->next / 4, words);
    return words[r->next++ % 4];
}

uint32_t heed_random_below(heed_random *r, uint32_t limit)
{
    /* Lemire 2019: multiply, and reject the few words that would favour small results */
    uint32_t reject = -limit % limit;
    for (;;) {
        uint64_t product = (uint64_t)heed_random_u32(r) * limit;
        if ((uint32_t)product >= reject)
            return (uint32_t)(product >> 32);
    }
}

double heed_random_double(heed_random *r)
{
    uint64_t high = heed_random_u32(r) >> 5, low = heed_random_u32(r) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

double heed_random_normal(heed_random *r)
{
    double a = 1.0 - heed_random_double(r), b = heed_random_double(r);
    return sqrt(-2.0 * log(a)) * cos(6.283185307179586476925 * b);
}
