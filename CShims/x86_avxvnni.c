/* AVX-VNNI (Alder Lake, Zen 5 and later): vpdpbusd multiplies 32 bytes, vpdpwssd 16 words, and both add into 8 int32 lanes.
 *
 * In the VEX encoding these kernels have not run anywhere yet, so q3_isa_best() leaves them out. Tests/CShims compiles the same
 * source for AVX-512-VNNI's 256-bit form (Q3_AVXVNNI_TARGET) and checks that. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "panel.h"

#if !defined(Q3_AVXVNNI_TARGET)
#define Q3_AVXVNNI_TARGET "avx2,fma,f16c,avxvnni"
#endif
#pragma clang attribute push(__attribute__((target(Q3_AVXVNNI_TARGET))), apply_to = function)

#define Q3_HARDWARE_HALF
#include "unpack.h"

#define KERNELS q3_kernels_avxvnni
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

/* Bytes up to 31 times int8 fit the int32 lanes of vpdpbusd, so wide weights need no care. */
Q3_INLINE void tile_u8(panel_header *h, const q3_activations *a, size_t t, int n, bool wide, float *o, size_t stride, bool add) {
    (void)wide;
    const block_u8 *b = (const block_u8 *)(h + 1);
    __m256 y[INTEGER_TILE][2];
    EACH(i, n) y[i][0] = y[i][1] = _mm256_setzero_ps();
    size_t slot = q3_slot(a, t, 0);
    const int8_t *x = a->i8 + 32 * slot;
    const float *scale = a->i8_scale + slot, *sum = a->i8_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        __m256i dot[INTEGER_TILE][2];
        EACH(i, n) dot[i][0] = dot[i][1] = _mm256_setzero_si256();
        EACH(g, 8) {
            EACH(half, 2) {
                __m256i w = _mm256_load_si256((const __m256i *)b->w[g][8 * half]);
                EACH(i, n) {
                    dot[i][half] = _mm256_dpbusd_epi32(dot[i][half], w, broadcast32(x + 32 * i + 4 * g));
                }
            }
        }
        EACH(half, 2) {
            __m256 d = _mm256_load_ps(b->d + 8 * half), m = _mm256_load_ps(b->m + 8 * half);
            EACH(i, n) {
                __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[i][half]), d);
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
        EACH(i, n) dot[i][0] = dot[i][1] = _mm256_setzero_si256();
        EACH(g, 16) {
            EACH(half, 2) {
                __m256i w = _mm256_load_si256((const __m256i *)b->w[g][8 * half]);
                EACH(i, n) {
                    dot[i][half] = _mm256_dpwssd_epi32(dot[i][half], w, broadcast32(x + 32 * i + 2 * g));
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
