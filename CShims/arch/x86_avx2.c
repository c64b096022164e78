/* AVX2 and FMA: vpmaddubsw sums byte products in int16, vpmaddwd word products in int32. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define Q3_HARDWARE_HALF
#define KERNELS q3_kernels_avx2
#define TILE_ROWS 8
#define INTEGER_TILE 4
#define FLOAT_ROWS 3
#define FLOAT_VECTORS 2
#define FLOAT_TOKENS 4
#include "../generic/rows.h"

Q3_INLINE row_ints dot_w16(row_ints sum, row_ints w, row_ints x) {
    return sum + (row_ints)_mm256_madd_epi16((__m256i)w, (__m256i)x);
}

/* int16 lanes hold 8 sums of 2 products of 0..15 with ±127 (8·2·15·127 = 30480); of 0..31 only 4 (4·2·31·127 = 31496). */
#define OWN_SUMS_U8
Q3_INLINE void sums_u8(const void *b, const int8_t *x, int n, q3_width width, bool wide, row_ints sum[INTEGER_TILE][PARTS]) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i part[INTEGER_TILE][PARTS];
    EACH(g, 8) {
        EACH(half, 2) {
            __m256i w = (__m256i)weights_u8(b, g, half, width);
            EACH(i, n) {
                __m256i product = _mm256_maddubs_epi16(w, (__m256i)broadcast32(x + 32 * i + 4 * g));
                bool starts = g == 0 || (wide && g == 4);
                part[i][half] = starts ? product : _mm256_add_epi16(part[i][half], product);
                if (wide && g == 3) sum[i][half] = (row_ints)_mm256_madd_epi16(part[i][half], ones);
            }
        }
    }
    EACH(half, 2) {
        EACH(i, n) {
            row_ints all = (row_ints)_mm256_madd_epi16(part[i][half], ones);
            sum[i][half] = wide ? sum[i][half] + all : all;
        }
    }
}

/* The sign of a weight goes to the activation, so that weights are unsigned: 2·128·127 fits int16. */
#define OWN_SUMS_S8
Q3_INLINE void sums_s8(const block_s8 *b, const int8_t *x, const int32_t *start, int n, row_ints sum[INTEGER_TILE][PARTS]) {
    (void)start;
    const __m256i ones = _mm256_set1_epi16(1), bias = _mm256_set1_epi8(-128);
    EACH(i, n) {
        EACH(half, 2) sum[i][half] = 0;
    }
    EACH(g, 8) {
        EACH(half, 2) {
            __m256i w = _mm256_xor_si256((__m256i)load_rows(b->w[g][8 * half]), bias), magnitude = _mm256_abs_epi8(w);
            EACH(i, n) {
                __m256i signed_x = _mm256_sign_epi8((__m256i)broadcast32(x + 32 * i + 4 * g), w);
                sum[i][half] += (row_ints)_mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, signed_x), ones);
            }
        }
    }
}

/* 2·127·127 fits int16. */
#define OWN_DOT_SMALL
Q3_INLINE row_ints dot_small(row_ints sum, row_ints w, row_ints x) {
    return sum + (row_ints)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)w, (__m256i)x), _mm256_set1_epi16(1));
}

#include "../generic/vector.inc"

#pragma clang attribute pop
#endif
