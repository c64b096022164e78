/* Quantized blocks to integers: what each GGUF type means, once, for every instruction set.
 *
 * A weight is d · q + m. `unpack16_*` fold the integer sub-scales into q (|q| ≤ 4096) and leave one d and one m for each 32
 * weights; `unpack8_*` keep q as an unsigned byte (0..31) and fold the sub-scale into d. Both are exact: d · scale · q needs at
 * most 24 bits. `unpackf_*` give f32. Plain loops over 16 or 32 items that the compiler turns into the vectors of the file that
 * includes this one. */
#ifndef Q3_UNPACK_H
#define Q3_UNPACK_H

#include <string.h>

#include "../blocks.h"
#include "../panel.h"
#include "../types.h"

#define Q3_INLINE static inline __attribute__((always_inline))

#if defined(Q3_HARDWARE_HALF)
Q3_INLINE float half_to_float(uint16_t h) {
    _Float16 x;
    memcpy(&x, &h, 2);
    return (float)x;
}
#else
/* f16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
Q3_INLINE float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023, bits;
    if (exponent == 0) {
        float tiny = (float)fraction * 0x1p-24f; /* zero and subnormals */
        memcpy(&bits, &tiny, 4);
    } else {
        bits = (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | fraction << 13;
    }
    bits |= sign;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
#endif

static const int8_t iq4_codebook[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* Sub-blocks of Q4_K and Q5_K: eight 6-bit scales and minimums in 12 bytes, four to a word. Words 0 and 1 hold scales and minimums
 * 0-3 and, in their top two bits, the top bits of 4-7; word 2 the low nibbles of those, scale low, minimum high. */
Q3_INLINE void k_scales_mins(const uint8_t *packed, uint8_t scale[8], uint8_t min[8]) {
    uint32_t p[3], s[2], m[2];
    memcpy(p, packed, 12);
    s[0] = p[0] & 0x3f3f3f3f;
    m[0] = p[1] & 0x3f3f3f3f;
    s[1] = (p[2] & 0x0f0f0f0f) | ((p[0] >> 2) & 0x30303030);
    m[1] = ((p[2] >> 4) & 0x0f0f0f0f) | ((p[1] >> 2) & 0x30303030);
    memcpy(scale, s, 8);
    memcpy(min, m, 8);
}

/* === 32-weight blocks: w[32], d[1], m[1] === */

Q3_INLINE void unpack8_Q4_0(const void *p, uint8_t *w, float *d, float *m) {
    const block_Q4_0 *b = p;
    *d = half_to_float(b->d);
    *m = -8 * *d;
    for (int i = 0; i < 16; i++) w[i] = b->qs[i] & 15;
    for (int i = 0; i < 16; i++) w[i + 16] = b->qs[i] >> 4;
}

Q3_INLINE void unpack8_Q4_1(const void *p, uint8_t *w, float *d, float *m) {
    const block_Q4_1 *b = p;
    *d = half_to_float(b->d);
    *m = half_to_float(b->m);
    for (int i = 0; i < 16; i++) w[i] = b->qs[i] & 15;
    for (int i = 0; i < 16; i++) w[i + 16] = b->qs[i] >> 4;
}

Q3_INLINE void unpack16_Q4_0(const void *p, int16_t *w, float *d, float *m) {
    const block_Q4_0 *b = p;
    *d = half_to_float(b->d);
    *m = 0;
    for (int i = 0; i < 16; i++) w[i] = (b->qs[i] & 15) - 8;
    for (int i = 0; i < 16; i++) w[i + 16] = (b->qs[i] >> 4) - 8;
}

Q3_INLINE void unpack16_Q4_1(const void *p, int16_t *w, float *d, float *m) {
    const block_Q4_1 *b = p;
    *d = half_to_float(b->d);
    *m = half_to_float(b->m);
    for (int i = 0; i < 16; i++) w[i] = b->qs[i] & 15;
    for (int i = 0; i < 16; i++) w[i + 16] = b->qs[i] >> 4;
}

Q3_INLINE void five_bits(const uint8_t *qh, const uint8_t *qs, int offset, int16_t *w) {
    uint32_t high;
    memcpy(&high, qh, 4);
    for (int i = 0; i < 16; i++) w[i] = (int16_t)(((qs[i] & 15) | (int)((high >> i) & 1) << 4) - offset);
    for (int i = 0; i < 16; i++) w[i + 16] = (int16_t)((qs[i] >> 4 | (int)((high >> (i + 16)) & 1) << 4) - offset);
}

Q3_INLINE void unpack16_Q5_0(const void *p, int16_t *w, float *d, float *m) {
    const block_Q5_0 *b = p;
    *d = half_to_float(b->d);
    *m = 0;
    five_bits(b->qh, b->qs, 16, w);
}

Q3_INLINE void unpack16_Q5_1(const void *p, int16_t *w, float *d, float *m) {
    const block_Q5_1 *b = p;
    *d = half_to_float(b->d);
    *m = half_to_float(b->m);
    five_bits(b->qh, b->qs, 0, w);
}

/* Types whose weights are signed bytes, times an integer scale for every 16 where `scale` is used. A scale fills both words of an
 * int32, as vectors multiply with it. */
Q3_INLINE void bytes_Q8_0(const void *p, int8_t *q, int32_t *scale, float *d, float *m) {
    const block_Q8_0 *b = p;
    (void)scale;
    *d = half_to_float(b->d);
    *m = 0;
    memcpy(q, b->qs, 32);
}

Q3_INLINE int32_t in_both_words(int16_t scale) { return (int32_t)((uint32_t)(uint16_t)scale * 0x10001); }

#define WIDENED(name, unit, scaled) \
    Q3_INLINE void unpack16_##name(const void *p, int16_t *w, float *d, float *m) { \
        int8_t q[unit]; \
        int32_t scale[unit / 16]; \
        bytes_##name(p, q, scale, d, m); \
        for (int j = 0; j < unit / 16; j++) { \
            for (int i = 0; i < 16; i++) w[16 * j + i] = (int16_t)(scaled ? q[16 * j + i] * (int16_t)scale[j] : q[16 * j + i]); \
        } \
    }
WIDENED(Q8_0, 32, 0)

Q3_INLINE void unpack16_IQ4_NL(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ4_NL *b = p;
    *d = half_to_float(b->d);
    *m = 0;
    for (int i = 0; i < 16; i++) w[i] = iq4_codebook[b->qs[i] & 15];
    for (int i = 0; i < 16; i++) w[i + 16] = iq4_codebook[b->qs[i] >> 4];
}

/* === 256-weight blocks: w[256], d[8], m[8] === */

Q3_INLINE void k_scales(uint16_t d16, uint16_t dmin16, const uint8_t *packed, int fold, float *d, float *m, uint8_t *scale) {
    float base = half_to_float(d16), base_min = -half_to_float(dmin16);
    uint8_t min[8];
    k_scales_mins(packed, scale, min);
    for (int j = 0; j < 8; j++) d[j] = fold ? base * (float)scale[j] : base;
    for (int j = 0; j < 8; j++) m[j] = base_min * (float)min[j];
}

Q3_INLINE void unpack8_Q4_K(const void *p, uint8_t *w, float *d, float *m) {
    const block_Q4_K *b = p;
    uint8_t scale[8];
    k_scales(b->d, b->dmin, b->scales, 1, d, m, scale);
    for (int c = 0; c < 4; c++) {
        for (int i = 0; i < 32; i++) w[64 * c + i] = b->qs[32 * c + i] & 15;
        for (int i = 0; i < 32; i++) w[64 * c + 32 + i] = b->qs[32 * c + i] >> 4;
    }
}

Q3_INLINE void unpack16_Q4_K(const void *p, int16_t *w, float *d, float *m) {
    const block_Q4_K *b = p;
    uint8_t scale[8];
    k_scales(b->d, b->dmin, b->scales, 0, d, m, scale);
    for (int c = 0; c < 4; c++) {
        int16_t low = (int16_t)scale[2 * c], high = (int16_t)scale[2 * c + 1];
        for (int i = 0; i < 32; i++) w[64 * c + i] = (int16_t)((b->qs[32 * c + i] & 15) * low);
        for (int i = 0; i < 32; i++) w[64 * c + 32 + i] = (int16_t)((b->qs[32 * c + i] >> 4) * high);
    }
}

Q3_INLINE void unpack8_Q5_K(const void *p, uint8_t *w, float *d, float *m) {
    const block_Q5_K *b = p;
    uint8_t scale[8];
    k_scales(b->d, b->dmin, b->scales, 1, d, m, scale);
    for (int c = 0; c < 4; c++) { /* bit 2c of qh[i] belongs to the low nibble, bit 2c + 1 to the high one */
        for (int i = 0; i < 32; i++) w[64 * c + i] = (b->qs[32 * c + i] & 15) | (uint8_t)(((b->qh[i] >> (2 * c)) & 1) << 4);
        for (int i = 0; i < 32; i++) w[64 * c + 32 + i] = b->qs[32 * c + i] >> 4 | (uint8_t)(((b->qh[i] >> (2 * c + 1)) & 1) << 4);
    }
}

Q3_INLINE void unpack16_Q5_K(const void *p, int16_t *w, float *d, float *m) {
    const block_Q5_K *b = p;
    uint8_t scale[8];
    uint8_t q[256];
    unpack8_Q5_K(p, q, d, m);
    k_scales(b->d, b->dmin, b->scales, 0, d, m, scale);
    for (int j = 0; j < 8; j++) {
        for (int i = 0; i < 32; i++) w[32 * j + i] = (int16_t)(q[32 * j + i] * (int16_t)scale[j]);
    }
}

Q3_INLINE void bytes_Q6_K(const void *p, int8_t *q, int32_t *scale, float *d, float *m) {
    const block_Q6_K *b = p;
    for (int n = 0; n < 2; n++) { /* 128 weights: low nibbles in ql[0..63], two high bits each in qh[0..31] */
        const uint8_t *l = b->ql + 64 * n, *h = b->qh + 32 * n;
        int8_t *o = q + 128 * n;
        for (int i = 0; i < 32; i++) o[i] = (int8_t)(((l[i] & 15) | (h[i] & 3) << 4) - 32);
        for (int i = 0; i < 32; i++) o[i + 32] = (int8_t)(((l[i + 32] & 15) | ((h[i] >> 2) & 3) << 4) - 32);
        for (int i = 0; i < 32; i++) o[i + 64] = (int8_t)((l[i] >> 4 | ((h[i] >> 4) & 3) << 4) - 32);
        for (int i = 0; i < 32; i++) o[i + 96] = (int8_t)((l[i + 32] >> 4 | (h[i] >> 6) << 4) - 32);
    }
    float base = half_to_float(b->d);
    for (int j = 0; j < 8; j++) d[j] = base, m[j] = 0;
    for (int j = 0; j < 16; j++) scale[j] = in_both_words(b->scales[j]);
}
WIDENED(Q6_K, 256, 1)

Q3_INLINE void unpack16_Q3_K(const void *p, int16_t *w, float *d, float *m) {
    const block_Q3_K *b = p;
    float base = half_to_float(b->d);
    for (int j = 0; j < 8; j++) d[j] = base, m[j] = 0;
    for (int j = 0; j < 16; j++) { /* scale j: 4 low bits in nibble j/8 of byte j%8, 2 high bits in byte 8 + j%4 */
        int low = (b->scales[j % 8] >> (4 * (j / 8))) & 15, high = (b->scales[8 + j % 4] >> (2 * (j / 4))) & 3;
        int16_t scale = (int16_t)((low | high << 4) - 32);
        int plane = j / 2, first = 16 * (j % 2); /* plane of 32 weights: two bits of qs, one of hmask */
        const uint8_t *qs = b->qs + 32 * (plane / 4) + first, *mask = b->hmask + first;
        for (int i = 0; i < 16; i++) {
            int q = ((qs[i] >> (2 * (plane % 4))) & 3) - (((mask[i] >> plane) & 1) ? 0 : 4);
            w[16 * j + i] = (int16_t)(q * scale);
        }
    }
}

Q3_INLINE void unpack16_IQ4_XS(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ4_XS *b = p;
    float base = half_to_float(b->d);
    for (int j = 0; j < 8; j++) {
        int low = (b->scales_l[j / 2] >> (4 * (j % 2))) & 15, high = (b->scales_h >> (2 * j)) & 3;
        int16_t scale = (int16_t)((low | high << 4) - 32);
        d[j] = base, m[j] = 0;
        for (int i = 0; i < 16; i++) w[32 * j + i] = (int16_t)(iq4_codebook[b->qs[16 * j + i] & 15] * scale);
        for (int i = 0; i < 16; i++) w[32 * j + 16 + i] = (int16_t)(iq4_codebook[b->qs[16 * j + i] >> 4] * scale);
    }
}

/* === To f32: 32 weights, or 256 of Q2_K === */

Q3_INLINE void unpackf_F32(const void *p, float *w) { memcpy(w, p, 32 * sizeof(float)); }

Q3_INLINE void unpackf_F16(const void *p, float *w) {
    uint16_t h[32];
    memcpy(h, p, sizeof h);
    for (int i = 0; i < 32; i++) w[i] = half_to_float(h[i]);
}

Q3_INLINE void unpackf_BF16(const void *p, float *w) {
    uint16_t h[32];
    uint32_t bits[32];
    memcpy(h, p, sizeof h);
    for (int i = 0; i < 32; i++) bits[i] = (uint32_t)h[i] << 16;
    memcpy(w, bits, sizeof bits);
}

Q3_INLINE void unpackf_Q2_K(const void *p, float *w) {
    const block_Q2_K *b = p;
    float base = half_to_float(b->d), base_min = half_to_float(b->dmin);
    for (int j = 0; j < 16; j++) { /* one minimum for 16 weights, which the integer panels have no place for */
        float d = base * (float)(b->scales[j] & 15), m = base_min * (float)(b->scales[j] >> 4);
        int plane = j / 2;
        const uint8_t *qs = b->qs + 32 * (plane / 4) + 16 * (j % 2);
        for (int i = 0; i < 16; i++) w[16 * j + i] = d * (float)((qs[i] >> (2 * (plane % 4))) & 3) - m;
    }
}

/* === f16 and bf16 rounded to 13 bits and a sign, 32 weights with one power of two === */

/* The largest of 32 weights gets 13 bits, so the others keep at least 13 bits less their distance from it. f16 weights have 11:
 * only those below a quarter of the largest are rounded at all; of bf16 ones, which have 8, those below a 32nd. */
Q3_INLINE void round_to_w16(const float *x, int16_t *w, float *d, float *m) {
    uint32_t bits[32], max = 0; /* magnitudes of floats order like their bits */
    memcpy(bits, x, sizeof bits);
    for (int i = 0; i < 32; i++) {
        uint32_t magnitude = bits[i] & 0x7fffffff;
        max = magnitude > max ? magnitude : max;
    }
    uint32_t exponent = max >> 23 < 13 ? 13 : max >> 23; /* biased: 2^(e-127) ≤ max < 2^(e-126) */
    uint32_t scale_bits = (exponent - 12) << 23, inverse_bits = (266 - exponent) << 23;
    if (exponent == 255) scale_bits = 0x7fc00000, inverse_bits = 0; /* a NaN or an infinity: d shows it, q is 0 */
    float inverse;
    memcpy(d, &scale_bits, 4);
    memcpy(&inverse, &inverse_bits, 4);
    *m = 0;
    for (int i = 0; i < 32; i++) {
        float q = inverse == 0 ? 0 : (x[i] * inverse + Q3_ROUND) - Q3_ROUND;
        w[i] = (int16_t)(int)q;
    }
}

Q3_INLINE void unpack16_F16(const void *p, int16_t *w, float *d, float *m) {
    float x[32];
    unpackf_F16(p, x);
    round_to_w16(x, w, d, m);
}

Q3_INLINE void unpack16_BF16(const void *p, int16_t *w, float *d, float *m) {
    float x[32];
    unpackf_BF16(p, x);
    round_to_w16(x, w, d, m);
}

#include "unpack_grids.h"
#include "unpack_small.h"

/* === Every other type to f32 === */

/* d · q is exact, so d · q + m rounds once: the same float as (d · scale) · q - dmin · min. */
Q3_INLINE void dequantize(const int16_t *q, const float *d, const float *m, int count, float *x) {
    for (int i = 0; i < count; i++) x[i] = d[i / 32] * (float)q[i] + m[i / 32];
}

#define DEQUANTIZED(name, unit, u8, w16, s8, minimums, wide, encodes) \
    Q3_IF_EXACT_##w16(Q3_INLINE void unpackf_##name(const void *p, float *x) { \
        int16_t q[unit]; \
        float d[unit / 32], m[unit / 32]; \
        unpack16_##name(p, q, d, m); \
        dequantize(q, d, m, unit, x); \
    })
Q3_TYPES(DEQUANTIZED)
#undef DEQUANTIZED

/* === Every type to bytes: 32 weights with one scale, so that the largest is ±127 === */

Q3_INLINE void round_to_s8(const float *x, int8_t *w, float *d) {
    float max = 0, bad = 0;
    for (int i = 0; i < 32; i++) {
        float magnitude = __builtin_fabsf(x[i]);
        max = magnitude > max ? magnitude : max;
        bad = __builtin_fmaf(x[i], 0, bad); /* NaN after a NaN or an infinity, which d shows */
    }
    float inverse = bad == 0 && max > Q3_TINY ? Q3_I8_MAX / max : 0;
    *d = max / Q3_I8_MAX + bad;
    for (int i = 0; i < 32; i++) w[i] = inverse == 0 ? 0 : (int8_t)(__builtin_fmaf(x[i], inverse, Q3_ROUND) - Q3_ROUND);
}

/* The same for d · q, where the integers are rounded. */
Q3_INLINE void round_integers_to_s8(const int16_t *q, float d, int8_t *w, float *w_d) {
    int max = 0;
    for (int i = 0; i < 32; i++) {
        int magnitude = q[i] < 0 ? -q[i] : q[i];
        max = magnitude > max ? magnitude : max;
    }
    float inverse = max > 0 ? Q3_I8_MAX / (float)max : 0;
    *w_d = d * ((float)max / Q3_I8_MAX);
    for (int i = 0; i < 32; i++) w[i] = (int8_t)(__builtin_fmaf(q[i], inverse, Q3_ROUND) - Q3_ROUND);
}

#endif
