/* Vectors of floats for AVX2 and AVX-512 under one set of names, so that one template serves both. VL floats a vector.
 *
 * Order of arguments matters in v_minimum and v_maximum: where either is NaN they give the second. */
#ifndef HEED_KERNELS_SIMD_H
#define HEED_KERNELS_SIMD_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__)

enum { VL = 16 };
typedef __m512 vec;
typedef __m512i ivec;
typedef __mmask16 mask;

INLINE mask v_first(int64_t count) /* the first `count` (0..VL) elements */
{
    return (mask)((1u << count) - 1);
}
INLINE vec v_set(float x) { return _mm512_set1_ps(x); }
INLINE vec v_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE vec v_load_first(const float *p, int64_t count) { return _mm512_maskz_loadu_ps(v_first(count), p); }
INLINE void v_store(float *p, vec x) { _mm512_storeu_ps(p, x); }
INLINE void v_store_first(float *p, int64_t count, vec x) { _mm512_mask_storeu_ps(p, v_first(count), x); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec v_subtract(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec v_multiply(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec v_divide(vec a, vec b) { return _mm512_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }   /* a b + c */
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
INLINE vec v_fms(vec a, vec b, vec c) { return _mm512_fmsub_ps(a, b, c); }   /* a b - c */
INLINE vec v_minimum(vec a, vec b) { return _mm512_min_ps(a, b); }
INLINE vec v_maximum(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec v_sqrt(vec x) { return _mm512_sqrt_ps(x); }
INLINE vec v_round(vec x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT); }
INLINE vec v_abs(vec x) { return _mm512_abs_ps(x); }
INLINE vec v_with_sign(vec magnitude, vec sign) { return _mm512_or_ps(magnitude, _mm512_and_ps(sign, v_set(-0.0f))); }
INLINE vec v_negative(vec x) { return _mm512_xor_ps(x, v_set(-0.0f)); }
/* minuend - 1/x, to a unit in the last place of 1/x, where x and 1/x are normal numbers; from 14 bits by one step */
INLINE vec v_minus_reciprocal(vec minuend, vec x)
{
    vec r = _mm512_rcp14_ps(x);
    return v_fnma(r, v_fnma(x, r, v_set(2.0f)), minuend);
}
INLINE mask v_less(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE mask v_less_equal(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE mask v_is_nan(vec x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
INLINE mask both(mask a, mask b) { return (mask)(a & b); }
INLINE mask either(mask a, mask b) { return (mask)(a | b); }
INLINE bool any(mask m) { return m != 0; }
INLINE vec v_select(mask m, vec yes, vec no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE float v_sum(vec x) { return _mm512_reduce_add_ps(x); }
INLINE float v_largest(vec x) { return _mm512_reduce_max_ps(x); }
INLINE vec v_scale(vec x, vec n) { return _mm512_scalef_ps(x, n); } /* x 2^n, n whole and small enough for int32 */
INLINE vec v_power_of_two(vec n) { return _mm512_scalef_ps(v_set(1.0f), n); } /* n whole in -126..127 */
/* x = mantissa 2^exponent, mantissa in [0.75, 1.5); for finite x > 0, denormals too */
INLINE vec v_split(vec x, vec *exponent)
{
    vec mantissa = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
    *exponent = v_subtract(_mm512_getexp_ps(x), _mm512_getexp_ps(mantissa));
    return mantissa;
}
/* elements whose byte is not zero; reads `count` (0..VL) bytes */
INLINE mask v_bytes(const uint8_t *p, int64_t count)
{
    __m128i bytes = _mm_maskz_loadu_epi8(v_first(count), p);
    return _mm_test_epi8_mask(bytes, bytes);
}
INLINE ivec i_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
INLINE ivec i_load(const uint32_t *p) { return _mm512_loadu_si512(p); }
INLINE ivec i_xor(ivec a, ivec b) { return _mm512_xor_si512(a, b); }
/* both halves of the 64-bit sums of `base` and 32-bit offsets */
INLINE ivec i_count_from(uint64_t base, ivec offset, ivec *high)
{
    ivec low = _mm512_add_epi32(i_set((uint32_t)base), offset), upper = i_set((uint32_t)(base >> 32));
    *high = _mm512_mask_add_epi32(upper, _mm512_cmplt_epu32_mask(low, offset), upper, i_set(1));
    return low;
}
/* both halves of the 64-bit products of unsigned 32-bit elements */
INLINE ivec i_multiply(ivec a, ivec b, ivec *high)
{
    ivec even = _mm512_mul_epu32(a, b), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}
INLINE vec i_uniform(ivec word) /* [0, 1), the upper 24 bits */
{
    return v_multiply(_mm512_cvtepi32_ps(_mm512_srli_epi32(word, 8)), v_set(0x1p-24f));
}
/* Each 4 by 4 matrix that four vectors hold in the same quarter becomes its transpose. */
INLINE void v_transpose_quads(vec row[4])
{
    vec low0 = _mm512_unpacklo_ps(row[0], row[1]), high0 = _mm512_unpackhi_ps(row[0], row[1]);
    vec low1 = _mm512_unpacklo_ps(row[2], row[3]), high1 = _mm512_unpackhi_ps(row[2], row[3]);
    row[0] = _mm512_shuffle_ps(low0, low1, 0x44);
    row[1] = _mm512_shuffle_ps(low0, low1, 0xee);
    row[2] = _mm512_shuffle_ps(high0, high1, 0x44);
    row[3] = _mm512_shuffle_ps(high0, high1, 0xee);
}
/* the VL by VL matrix whose rows are given becomes its transpose */
INLINE void v_transpose(vec row[VL])
{
    UNROLL for (int i = 0; i < VL; i += 4)
        v_transpose_quads(row + i); /* row[i + c]: of four rows, column c of each quarter */
    UNROLL for (int c = 0; c < 4; c++) {
        vec even0 = _mm512_shuffle_f32x4(row[c], row[4 + c], 0x88);
        vec odd0 = _mm512_shuffle_f32x4(row[c], row[4 + c], 0xdd);
        vec even1 = _mm512_shuffle_f32x4(row[8 + c], row[12 + c], 0x88);
        vec odd1 = _mm512_shuffle_f32x4(row[8 + c], row[12 + c], 0xdd);
        row[c] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        row[4 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        row[8 + c] = _mm512_shuffle_f32x4(even0, even1, 0xdd);
        row[12 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);
    }
}

#elif defined(__AVX2__) && defined(__FMA__)

enum { VL = 8 };
typedef __m256 vec;
typedef __m256i ivec;
typedef __m256 mask; /* all bits of an element, or none */

INLINE mask v_first(int64_t count) /* the first `count` (0..VL) elements */
{
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                                                  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}
INLINE vec v_set(float x) { return _mm256_set1_ps(x); }
INLINE vec v_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE vec v_load_first(const float *p, int64_t count)
{
    return _mm256_maskload_ps(p, _mm256_castps_si256(v_first(count)));
}
INLINE void v_store(float *p, vec x) { _mm256_storeu_ps(p, x); }
INLINE void v_store_first(float *p, int64_t count, vec x)
{
    _mm256_maskstore_ps(p, _mm256_castps_si256(v_first(count)), x);
}
INLINE vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
INLINE vec v_subtract(vec a, vec b) { return _mm256_sub_ps(a, b); }
INLINE vec v_multiply(vec a, vec b) { return _mm256_mul_ps(a, b); }
INLINE vec v_divide(vec a, vec b) { return _mm256_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
INLINE vec v_fms(vec a, vec b, vec c) { return _mm256_fmsub_ps(a, b, c); }   /* a b - c */
INLINE vec v_minimum(vec a, vec b) { return _mm256_min_ps(a, b); }
INLINE vec v_maximum(vec a, vec b) { return _mm256_max_ps(a, b); }
INLINE vec v_sqrt(vec x) { return _mm256_sqrt_ps(x); }
INLINE vec v_round(vec x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec v_abs(vec x) { return _mm256_andnot_ps(v_set(-0.0f), x); }
INLINE vec v_with_sign(vec magnitude, vec sign) { return _mm256_or_ps(magnitude, _mm256_and_ps(sign, v_set(-0.0f))); }
INLINE vec v_negative(vec x) { return _mm256_xor_ps(x, v_set(-0.0f)); }
/* minuend - 1/x, to a unit in the last place of 1/x, where x and 1/x are normal numbers; from 11 bits by one cubic
 * step */
INLINE vec v_minus_reciprocal(vec minuend, vec x)
{
    vec r = _mm256_rcp_ps(x), error = v_fnma(x, r, v_set(1.0f));
    return v_fnma(v_fma(error, error, error), r, v_subtract(minuend, r));
}
INLINE mask v_less(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE mask v_less_equal(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
INLINE mask v_is_nan(vec x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
INLINE mask both(mask a, mask b) { return _mm256_and_ps(a, b); }
INLINE mask either(mask a, mask b) { return _mm256_or_ps(a, b); }
INLINE bool any(mask m) { return _mm256_movemask_ps(m) != 0; }
INLINE vec v_select(mask m, vec yes, vec no) { return _mm256_blendv_ps(no, yes, m); }
INLINE float v_sum(vec x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float v_largest(vec x)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
INLINE vec v_power_of_two(vec n) /* n whole in -126..127 */
{
    ivec whole = _mm256_cvtps_epi32(n);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(127)), 23));
}
/* x 2^n, n whole in -252..254; in two steps, so that denormals and infinities come out */
INLINE vec v_scale(vec x, vec n)
{
    ivec whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
    ivec one = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    ivec two = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    return v_multiply(v_multiply(x, _mm256_castsi256_ps(one)), _mm256_castsi256_ps(two));
}
/* x = mantissa 2^exponent, mantissa in [0.75, 1.5); for finite x > 0, denormals too */
INLINE vec v_split(vec x, vec *exponent)
{
    mask denormal = v_less(x, v_set(0x1p-126f));
    ivec bits = _mm256_castps_si256(v_select(denormal, v_multiply(x, v_set(0x1p23f)), x));
    ivec origin = _mm256_set1_epi32(0x3f400000); /* of 0.75 */
    ivec shift = _mm256_srai_epi32(_mm256_sub_epi32(bits, origin), 23);
    *exponent = v_subtract(_mm256_cvtepi32_ps(shift), v_select(denormal, v_set(23.0f), v_set(0.0f)));
    return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(shift, 23)));
}
/* elements whose byte is not zero; reads `count` (0..VL) bytes */
INLINE mask v_bytes(const uint8_t *p, int64_t count)
{
    uint8_t bytes[VL] = {0};
    memcpy(bytes, p, (size_t)count);
    ivec wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()));
}
INLINE ivec i_set(uint32_t x) { return _mm256_set1_epi32((int)x); }
INLINE ivec i_load(const uint32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE ivec i_xor(ivec a, ivec b) { return _mm256_xor_si256(a, b); }
/* both halves of the 64-bit sums of `base` and 32-bit offsets */
INLINE ivec i_count_from(uint64_t base, ivec offset, ivec *high)
{
    ivec low = _mm256_add_epi32(i_set((uint32_t)base), offset), sign = i_set(0x80000000u);
    ivec carry = _mm256_cmpgt_epi32(i_xor(offset, sign), i_xor(low, sign)); /* -1 where low < offset, unsigned */
    *high = _mm256_sub_epi32(i_set((uint32_t)(base >> 32)), carry);
    return low;
}
/* both halves of the 64-bit products of unsigned 32-bit elements */
INLINE ivec i_multiply(ivec a, ivec b, ivec *high)
{
    ivec even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}
INLINE vec i_uniform(ivec word) /* [0, 1), the upper 24 bits */
{
    return v_multiply(_mm256_cvtepi32_ps(_mm256_srli_epi32(word, 8)), v_set(0x1p-24f));
}
/* Each 4 by 4 matrix that four vectors hold in the same half becomes its transpose. */
INLINE void v_transpose_quads(vec row[4])
{
    vec low0 = _mm256_unpacklo_ps(row[0], row[1]), high0 = _mm256_unpackhi_ps(row[0], row[1]);
    vec low1 = _mm256_unpacklo_ps(row[2], row[3]), high1 = _mm256_unpackhi_ps(row[2], row[3]);
    row[0] = _mm256_shuffle_ps(low0, low1, 0x44);
    row[1] = _mm256_shuffle_ps(low0, low1, 0xee);
    row[2] = _mm256_shuffle_ps(high0, high1, 0x44);
    row[3] = _mm256_shuffle_ps(high0, high1, 0xee);
}
/* the VL by VL matrix whose rows are given becomes its transpose */
INLINE void v_transpose(vec row[VL])
{
    v_transpose_quads(row); /* row[c] and row[4 + c]: of four rows, column c of each half */
    v_transpose_quads(row + 4);
    UNROLL for (int c = 0; c < 4; c++) {
        vec low = row[c], high = row[4 + c];
        row[c] = _mm256_permute2f128_ps(low, high, 0x20);
        row[4 + c] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}

#else
#error "simd.h is for files compiled for AVX2 with FMA, or for AVX-512"
#endif

/* VL elements, or what is `left` of them (the rest is zero) */
INLINE vec v_load_some(const float *p, int64_t left) { return left >= VL ? v_load(p) : v_load_first(p, left); }
INLINE void v_store_some(float *p, int64_t left, vec x)
{
    if (left >= VL)
        v_store(p, x);
    else
        v_store_first(p, left, x);
}
INLINE vec v_zero(void) { return v_set(0.0f); }

#endif
