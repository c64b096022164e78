/* AVX-512 with VNNI: vpdpbusd multiplies 64 bytes, vpdpwssd 32 words, and both add into 16 int32 lanes. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "panel.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)

#define Q3_HARDWARE_HALF
#include "unpack.h"

#define KERNELS q3_kernels_avx512vnni
#define INTEGER_TILE 8
#define FLOAT_ROWS 6
#define FLOAT_VECTORS 4
#define FLOAT_TOKENS 8
#define EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)

Q3_INLINE __m512i broadcast32(const void *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return _mm512_set1_epi32(v);
}

Q3_INLINE void put(float *o, __m512 y, bool add) { _mm512_storeu_ps(o, add ? _mm512_add_ps(_mm512_loadu_ps(o), y) : y); }

/* Bytes up to 31 times int8 fit the int32 lanes of vpdpbusd, so wide weights need no care. */
Q3_INLINE void tile_u8(panel_header *h, const q3_activations *a, size_t t, int n, bool wide, float *o, size_t stride, bool add) {
    (void)wide;
    const block_u8 *b = (const block_u8 *)(h + 1);
    __m512 y[INTEGER_TILE];
    EACH(i, n) y[i] = _mm512_setzero_ps();
    size_t slot = q3_slot(a, t, 0);
    const int8_t *x = a->i8 + 32 * slot;
    const float *scale = a->i8_scale + slot, *sum = a->i8_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        __m512i dot[INTEGER_TILE];
        EACH(i, n) dot[i] = _mm512_setzero_si512();
        EACH(g, 8) {
            __m512i w = _mm512_load_si512(b->w[g]);
            EACH(i, n) dot[i] = _mm512_dpbusd_epi32(dot[i], w, broadcast32(x + 32 * i + 4 * g));
        }
        __m512 d = _mm512_load_ps(b->d), m = _mm512_load_ps(b->m);
        EACH(i, n) {
            y[i] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dot[i]), d), _mm512_set1_ps(scale[i]), y[i]);
            y[i] = _mm512_fmadd_ps(m, _mm512_set1_ps(sum[i]), y[i]);
        }
    }
    EACH(i, n) put(o + (size_t)i * stride, y[i], add);
}

Q3_INLINE void tile_w16(panel_header *h, const q3_activations *a, size_t t, int n, bool minimums, float *o, size_t stride,
                        bool add) {
    const block_w16 *b = (const block_w16 *)(h + 1);
    __m512 y[INTEGER_TILE];
    EACH(i, n) y[i] = _mm512_setzero_ps();
    size_t slot = q3_slot(a, t, 0);
    const int16_t *x = a->i16 + 32 * slot;
    const float *scale = a->i16_scale + slot, *sum = a->i16_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        __m512i dot[INTEGER_TILE];
        EACH(i, n) dot[i] = _mm512_setzero_si512();
        EACH(g, 16) {
            __m512i w = _mm512_load_si512(b->w[g]);
            EACH(i, n) dot[i] = _mm512_dpwssd_epi32(dot[i], w, broadcast32(x + 32 * i + 2 * g));
        }
        __m512 d = _mm512_load_ps(b->d), m = _mm512_load_ps(b->m);
        EACH(i, n) {
            y[i] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dot[i]), d), _mm512_set1_ps(scale[i]), y[i]);
            if (minimums) y[i] = _mm512_fmadd_ps(m, _mm512_set1_ps(sum[i]), y[i]);
        }
    }
    EACH(i, n) put(o + (size_t)i * stride, y[i], add);
}

#include "vector.inc"

#pragma clang attribute pop
#endif
