/* AVX2 and FMA: vpmaddubsw sums byte products in int16, vpmaddwd word products in int32. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "panel.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define Q3_HARDWARE_HALF
#include "unpack.h"

#define KERNELS q3_kernels_avx2
#define INTEGER_TILE 4
#define FLOAT_ROWS 3
#define FLOAT_VECTORS 2
#define FLOAT_TOKENS 4
#define EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)

Q3_INLINE __m256i broadcast32(const void *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return _mm256_set1_epi32(v);
}

Q3_INLINE void put(float *o, __m256 y, bool add) { _mm256_storeu_ps(o, add ? _mm256_add_ps(_mm256_loadu_ps(o), y) : y); }

/* int16 lanes hold 8 sums of 2 products of 0..15 with ±127 (8·2·15·127 = 30480); of 0..31 only 4 (4·2·31·127 = 31496). */
Q3_INLINE void tile_u8(panel_header *h, const q3_activations *a, size_t t, int n, bool wide, float *o, size_t stride, bool add) {
    const block_u8 *b = (const block_u8 *)(h + 1);
    const __m256i ones = _mm256_set1_epi16(1);
    __m256 y[INTEGER_TILE][2];
    EACH(i, n) y[i][0] = y[i][1] = _mm256_setzero_ps();
    size_t slot = q3_slot(a, t, 0);
    const int8_t *x = a->i8 + 32 * slot;
    const float *scale = a->i8_scale + slot, *sum = a->i8_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        __m256i dot[INTEGER_TILE][2], part[INTEGER_TILE][2];
        EACH(g, 8) {
            EACH(half, 2) {
                __m256i w = _mm256_load_si256((const __m256i *)b->w[g][8 * half]);
                EACH(i, n) {
                    __m256i product = _mm256_maddubs_epi16(w, broadcast32(x + 32 * i + 4 * g));
                    bool starts = g == 0 || (wide && g == 4);
                    part[i][half] = starts ? product : _mm256_add_epi16(part[i][half], product);
                    if (wide && g == 3) dot[i][half] = _mm256_madd_epi16(part[i][half], ones);
                }
            }
        }
        EACH(half, 2) {
            __m256 d = _mm256_load_ps(b->d + 8 * half), m = _mm256_load_ps(b->m + 8 * half);
            EACH(i, n) {
                __m256i all = _mm256_madd_epi16(part[i][half], ones);
                if (wide) all = _mm256_add_epi32(all, dot[i][half]);
                __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(all), d);
                y[i][half] = _mm256_fmadd_ps(scaled, _mm256_set1_ps(scale[i]), y[i][half]);
                y[i][half] = _mm256_fmadd_ps(m, _mm256_set1_ps(sum[i]), y[i][half]);
            }
        }
    }
    EACH(i, n) {
        EACH(half, 2) put(o + (size_t)i * stride + 8 * half, y[i][half], add);
    }
}

Q3_INLINE void tile_w16(panel_header *h, const q3_activations *a, size_t t, int n, bool minimums, float *o, size_t stride,
                        bool add) {
    const block_w16 *b = (const block_w16 *)(h + 1);
    __m256 y[INTEGER_TILE][2];
    EACH(i, n) y[i][0] = y[i][1] = _mm256_setzero_ps();
    size_t slot = q3_slot(a, t, 0);
    const int16_t *x = a->i16 + 32 * slot;
    const float *scale = a->i16_scale + slot, *sum = a->i16_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        __m256i dot[INTEGER_TILE][2];
        EACH(g, 16) {
            EACH(half, 2) {
                __m256i w = _mm256_load_si256((const __m256i *)b->w[g][8 * half]);
                EACH(i, n) {
                    __m256i product = _mm256_madd_epi16(w, broadcast32(x + 32 * i + 2 * g));
                    dot[i][half] = g == 0 ? product : _mm256_add_epi32(dot[i][half], product);
                }
            }
        }
        EACH(half, 2) {
            __m256 d = _mm256_load_ps(b->d + 8 * half), m = _mm256_load_ps(b->m + 8 * half);
            EACH(i, n) {
                __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[i][half]), d);
                y[i][half] = _mm256_fmadd_ps(scaled, _mm256_set1_ps(scale[i]), y[i][half]);
                if (minimums) y[i][half] = _mm256_fmadd_ps(m, _mm256_set1_ps(sum[i]), y[i][half]);
            }
        }
    }
    EACH(i, n) {
        EACH(half, 2) put(o + (size_t)i * stride + 8 * half, y[i][half], add);
    }
}

#include "vector.inc"

#pragma clang attribute pop
#endif
