/* Random numbers on vectors: many counters of Philox4x32-10 (base/random.c) side by side, bit for bit the same words. */
#ifndef HEED_KERNELS_NOISE_TMPL_H
#define HEED_KERNELS_NOISE_TMPL_H

#include "kernels/simd_math.h"

#include <string.h>

/* LANES counters at once give WORDS elements: element 4 * lane + j is word[j][lane]. */
enum { LANES = 2 * VL, WORDS = 4 * LANES };

typedef struct words {
    uint32_t word[4][LANES];
} words;

/* the words of blocks `block` .. block + LANES - 1 */
INLINE void draw(uint64_t seed, uint64_t stream, uint64_t block, words *out)
{
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        c0[i] = (uint32_t)(block + (uint64_t)i);
        c1[i] = (uint32_t)((block + (uint64_t)i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; round++) {
#pragma omp simd
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)p1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out->word[0], c0, sizeof c0);
    memcpy(out->word[1], c1, sizeof c1);
    memcpy(out->word[2], c2, sizeof c2);
    memcpy(out->word[3], c3, sizeof c3);
}

/* WORDS uniform numbers in order */
static void uniform_block(uint64_t seed, uint64_t stream, uint64_t block, float *y)
{
    words w;
    draw(seed, stream, block, &w);
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 4; j++)
            y[4 * i + j] = (float)(int32_t)(w.word[j][i] >> 8) * 0x1p-24f;
}

/* cosine and sine of `turns` whole turns, turns in 0..1 */
INLINE void circle(vec turns, vec *cosine, vec *sine)
{
    vec quarters = v_multiply(v_set(4.0f), turns), q = v_round(quarters), f = v_subtract(quarters, q);
    vec square = v_multiply(f, f);
    vec s = v_set(-0.00460217381f); /* sin(pi/2 f) / f */
    s = v_fma(s, square, v_set(0.0796802267f));
    s = v_fma(s, square, v_set(-0.64596349f));
    s = v_fma(s, square, v_set(1.57079637f));
    s = v_multiply(s, f);
    vec c = v_set(0.000904020853f); /* (cos(pi/2 f) - 1) / f^2 */
    c = v_fma(c, square, v_set(-0.0208602883f));
    c = v_fma(c, square, v_set(0.253669232f));
    c = v_fma(c, square, v_set(-1.23370051f));
    c = v_fma(c, square, v_set(1.0f));
    /* whole quarters 0..4 turn (c, s) */
    mask odd = either(v_less(v_abs(v_subtract(q, v_set(1.0f))), v_set(0.5f)),
                      v_less(v_abs(v_subtract(q, v_set(3.0f))), v_set(0.5f)));
    mask second_half = both(v_less(v_set(1.5f), q), v_less(q, v_set(3.5f)));
    mask left_half = both(v_less(v_set(0.5f), q), v_less(q, v_set(2.5f)));
    vec x = v_select(odd, s, c), y = v_select(odd, c, s);
    *cosine = v_select(left_half, v_negative(x), x);
    *sine = v_select(second_half, v_negative(y), y);
}

/* WORDS normal numbers in order */
static void normal_block(uint64_t seed, uint64_t stream, uint64_t block, float *y)
{
    words w;
    float u[4][LANES];
    draw(seed, stream, block, &w);
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < LANES; i++)
            u[j][i] = (float)(int32_t)(w.word[j][i] >> 8) * 0x1p-24f;
    for (int j = 0; j < 4; j += 2) {
        for (int i = 0; i < LANES; i += VL) {
            vec logarithm = v_log(v_subtract(v_set(1.0f), v_load(u[j] + i))), c, s;
            vec radius = v_sqrt(v_multiply(v_set(-2.0f), logarithm));
            circle(v_load(u[j + 1] + i), &c, &s);
            v_store(u[j] + i, v_multiply(radius, c));
            v_store(u[j + 1] + i, v_multiply(radius, s));
        }
    }
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 4; j++)
            y[4 * i + j] = u[j][i];
}

typedef void fill_block(uint64_t seed, uint64_t stream, uint64_t block, float *y);

INLINE void fill(fill_block *f, int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    int64_t i = 0;
    for (; i + WORDS <= n; i += WORDS)
        f(seed, stream, (first + (uint64_t)i) / 4, y + i);
    if (i < n) {
        float rest[WORDS];
        f(seed, stream, (first + (uint64_t)i) / 4, rest);
        memcpy(y + i, rest, (size_t)(n - i) * sizeof *y);
    }
}

static void random_uniform(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    fill(uniform_block, n, seed, stream, first, y);
}

static void random_normal(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    fill(normal_block, n, seed, stream, first, y);
}

static void dropout(int64_t n, const float *x, float rate, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    const vec limit = v_set(rate), factor = v_set(1.0f / (1.0f - rate));
    for (int64_t i = 0; i < n; i += WORDS) {
        float u[WORDS];
        uniform_block(seed, stream, (first + (uint64_t)i) / 4, u);
        for (int64_t j = 0; j < WORDS && i + j < n; j += VL) {
            vec kept_value = v_multiply(v_load_some(x + i + j, n - i - j), factor);
            v_store_some(y + i + j, n - i - j, v_select(v_less(v_load(u + j), limit), v_zero(), kept_value));
        }
    }
}

#endif
