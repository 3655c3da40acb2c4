/* Random numbers on vectors: counters of Philox4x32-10 (base/random.c) side by side, bit for bit the same words. */
#ifndef HEED_KERNELS_NOISE_TMPL_H
#define HEED_KERNELS_NOISE_TMPL_H

#include "kernels/simd_math.h"

/* VL counters at once give WORDS elements. */
enum { WORDS = 4 * VL };

/* The words of blocks `block` .. block + VL - 1: word[j] holds the j-th of every block. Blocks lie in the lanes so that
 * the transposes of quads have all words in order: in lane 4 q + c block c VL/4 + q. */
INLINE void draw(uint64_t seed, uint64_t stream, uint64_t block, ivec word[4])
{
    uint32_t order[VL];
    for (uint32_t i = 0; i < VL; i++)
        order[i] = i % 4 * (VL / 4) + i / 4;
    ivec c1, c0 = i_count_from(block, i_load(order), &c1);
    ivec c2 = i_set((uint32_t)stream), c3 = i_set((uint32_t)(stream >> 32));
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        ivec high0, high2, low0 = i_multiply(c0, i_set(0xD2511F53u), &high0);
        ivec low2 = i_multiply(c2, i_set(0xCD9E8D57u), &high2);
        c0 = i_xor(i_xor(high2, c1), i_set(k0));
        c2 = i_xor(i_xor(high0, c3), i_set(k1));
        c1 = low2;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

/* WORDS uniform numbers in order */
INLINE void uniform_block(uint64_t seed, uint64_t stream, uint64_t block, vec y[4])
{
    ivec word[4];
    draw(seed, stream, block, word);
    UNROLL for (int j = 0; j < 4; j++)
        y[j] = i_uniform(word[j]);
    v_transpose_quads(y);
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
INLINE void normal_block(uint64_t seed, uint64_t stream, uint64_t block, vec y[4])
{
    ivec word[4];
    draw(seed, stream, block, word);
    UNROLL for (int j = 0; j < 4; j += 2) {
        vec logarithm = v_log(v_subtract(v_set(1.0f), i_uniform(word[j]))), cosine, sine;
        vec radius = v_sqrt(v_multiply(v_set(-2.0f), logarithm));
        circle(i_uniform(word[j + 1]), &cosine, &sine);
        y[j] = v_multiply(radius, cosine);
        y[j + 1] = v_multiply(radius, sine);
    }
    v_transpose_quads(y);
}

typedef void fill_block(uint64_t seed, uint64_t stream, uint64_t block, vec y[4]);

INLINE void fill(fill_block *f, int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y)
{
    for (int64_t i = 0; i < n; i += WORDS) {
        vec some[4];
        f(seed, stream, (first + (uint64_t)i) / 4, some);
        for (int64_t j = 0; j < 4 && i + j * VL < n; j++)
            v_store_some(y + i + j * VL, n - i - j * VL, some[j]);
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
        vec u[4];
        uniform_block(seed, stream, (first + (uint64_t)i) / 4, u);
        for (int64_t j = 0; j < 4 && i + j * VL < n; j++) {
            const int64_t at = i + j * VL;
            vec scaled = v_multiply(v_load_some(x + at, n - at), factor);
            v_store_some(y + at, n - at, v_select(v_less(u[j], limit), v_zero(), scaled));
        }
    }
}

#endif
