/* The types below 4 bits whose blocks name vectors of a codebook: IQ1, IQ2 and IQ3. Part of unpack.h.
 *
 * A block names 32 vectors of 8 weights (IQ3: 64 of 4). Their components are spread to bytes and turned into magnitudes by
 * arithmetic on 8 bytes at once; signs stand apart. The integers times their sub-scales stay below 2048, and what is left of the
 * scale is d times a power of two, so the W16 form is exact. Every loop but the look-up itself becomes vectors. */
#ifndef Q3_UNPACK_GRIDS_H
#define Q3_UNPACK_GRIDS_H

#include "../grids.h"

/* Weights 8i..8i+7 of a block as bytes of word i, the first one lowest. */
typedef struct {
    uint64_t of[32];
} eights;

/* 8 components of 2 bits to bytes. */
Q3_INLINE uint64_t spread_2_bits(uint64_t x) {
    x = (x | x << 24) & 0x000000ff000000ff;
    x = (x | x << 12) & 0x000f000f000f000f;
    return (x | x << 6) & 0x0303030303030303;
}

/* 8 components of 4 bits, from two vectors, to bytes. */
Q3_INLINE uint64_t spread_4_bits(uint64_t x) {
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    return (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
}

#define Q3_BYTES(n) (UINT64_C(0x0101010101010101) * (n))

/* 8 magnitudes, none of them 0, get the signs that the bits of a byte say. */
Q3_INLINE uint64_t with_signs(uint64_t magnitudes, uint64_t signs) {
    uint64_t bit = (signs * Q3_BYTES(1)) & 0x8040201008040201;       /* bit i in byte i */
    uint64_t negative = ((bit + Q3_BYTES(0x7f)) >> 7) & Q3_BYTES(1); /* 0 or 1 */
    return (magnitudes ^ negative * 0xff) + negative;
}

/* Seven signs and their parity as the eighth. */
Q3_INLINE uint64_t signs_of_seven(uint64_t s) {
    uint64_t parity = s ^ s >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return s | (parity & 1) << 7;
}

/* Bytes times the integer scale of each 16. */
Q3_INLINE void scaled_eights(const eights *q, const int16_t scale[16], int16_t *w) {
    int8_t bytes[256];
    memcpy(bytes, q->of, sizeof bytes);
    for (int j = 0; j < 16; j++) {
        for (int i = 0; i < 16; i++) w[16 * j + i] = (int16_t)(bytes[16 * j + i] * scale[j]);
    }
}

Q3_INLINE void one_scale(float base, float *d, float *m) {
    for (int j = 0; j < 8; j++) d[j] = base, m[j] = 0;
}

/* === IQ2: magnitudes 8, 25, 43 for 0, 1, 2; d · (scale + 1/2) / 4 · magnitude === */

Q3_INLINE void iq2_weights(const eights *codes, const eights *signs, const int16_t scale[16], float d16, int16_t *w, float *d,
                           float *m) {
    eights q;
    for (int i = 0; i < 32; i++) {
        uint64_t x = spread_2_bits(codes->of[i]), magnitudes = Q3_BYTES(8) + x * 17 + (x >> 1 & Q3_BYTES(1));
        q.of[i] = with_signs(magnitudes, signs->of[i]);
    }
    scaled_eights(&q, scale, w);
    one_scale(d16 * 0.125f, d, m);
}

Q3_INLINE void unpack16_IQ2_XXS(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ2_XXS *b = p;
    eights codes, signs;
    int16_t scale[16];
    for (int j = 0; j < 8; j++) { /* 32 weights: four indices, then four times seven signs and the scale */
        const uint8_t *index = b->qs + 8 * j;
        uint32_t rest;
        memcpy(&rest, index + 4, 4);
        for (int i = 0; i < 4; i++) {
            codes.of[4 * j + i] = q3_grid_iq2_xxs[index[i]];
            signs.of[4 * j + i] = signs_of_seven(rest >> (7 * i) & 127);
        }
        scale[2 * j] = scale[2 * j + 1] = (int16_t)(2 * (rest >> 28) + 1);
    }
    iq2_weights(&codes, &signs, scale, half_to_float(b->d), w, d, m);
}

/* Sixteen scales of 4 bits, low nibbles first. */
Q3_INLINE void nibble_scales(const uint8_t *packed, int16_t scale[16]) {
    for (int j = 0; j < 8; j++) {
        scale[2 * j] = (int16_t)(2 * (packed[j] & 15) + 1);
        scale[2 * j + 1] = (int16_t)(2 * (packed[j] >> 4) + 1);
    }
}

Q3_INLINE void unpack16_IQ2_XS(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ2_XS *b = p;
    eights codes, signs;
    int16_t scale[16];
    for (int i = 0; i < 32; i++) { /* nine bits of index, seven of signs */
        codes.of[i] = q3_grid_iq2_xs[b->qs[i] & 511];
        signs.of[i] = signs_of_seven(b->qs[i] >> 9);
    }
    nibble_scales(b->scales, scale);
    iq2_weights(&codes, &signs, scale, half_to_float(b->d), w, d, m);
}

Q3_INLINE void unpack16_IQ2_S(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ2_S *b = p;
    eights codes, signs;
    int16_t scale[16];
    for (int i = 0; i < 32; i++) {
        codes.of[i] = q3_grid_iq2_s[b->qs[i] | (b->qh[i / 4] >> (2 * (i % 4)) & 3) << 8];
        signs.of[i] = b->signs[i];
    }
    nibble_scales(b->scales, scale);
    iq2_weights(&codes, &signs, scale, half_to_float(b->d), w, d, m);
}

/* === IQ3 === */

/* Magnitudes 4, 12, .. 52 and 62; d · (scale + 1/2) / 2 · magnitude. */
Q3_INLINE void unpack16_IQ3_XXS(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ3_XXS *b = p;
    eights codes, signs, q;
    int16_t scale[16];
    for (int i = 0; i < 32; i++) codes.of[i] = q3_grid_iq3_xxs[b->qs[2 * i]] | (uint32_t)q3_grid_iq3_xxs[b->qs[2 * i + 1]] << 16;
    for (int j = 0; j < 8; j++) {
        for (int i = 0; i < 4; i++) signs.of[4 * j + i] = signs_of_seven(b->scales[j] >> (7 * i) & 127);
        scale[2 * j] = scale[2 * j + 1] = (int16_t)(2 * (b->scales[j] >> 28) + 1);
    }
    for (int i = 0; i < 32; i++) {
        uint64_t x = spread_4_bits(codes.of[i]), seven = x & x >> 1 & x >> 2 & Q3_BYTES(1);
        q.of[i] = with_signs(8 * x + Q3_BYTES(4) + 2 * seven, signs.of[i]);
    }
    scaled_eights(&q, scale, w);
    one_scale(half_to_float(b->d) * 0.25f, d, m);
}

/* Magnitudes 1, 3, .. 15; d · (2 · scale + 1) · magnitude. */
Q3_INLINE void unpack16_IQ3_S(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ3_S *b = p;
    eights codes, q;
    int16_t scale[16];
    for (int i = 0; i < 32; i++) {
        uint32_t high = (uint32_t)b->qh[i / 4] >> (2 * (i % 4)), first = q3_grid_iq3_s[b->qs[2 * i] | (high & 1) << 8];
        codes.of[i] = first | (uint32_t)q3_grid_iq3_s[b->qs[2 * i + 1] | (high >> 1 & 1) << 8] << 16;
    }
    for (int j = 0; j < 8; j++) scale[2 * j] = scale[2 * j + 1] = (int16_t)(2 * (b->scales[j / 2] >> (4 * (j % 2)) & 15) + 1);
    for (int i = 0; i < 32; i++) q.of[i] = with_signs(2 * spread_4_bits(codes.of[i]) + Q3_BYTES(1), b->signs[i]);
    scaled_eights(&q, scale, w);
    one_scale(half_to_float(b->d), d, m);
}

/* === IQ1: components -1, 0, 1 and a shift of ±1/8; d · (2 · scale + 1) · (component + shift) === */

/* `shift` says for each 8 weights whether the shift is negative. Everything is in eighths. */
Q3_INLINE void iq1_weights(const eights *codes, const uint8_t shift[32], const int16_t scale[16], float d16, int16_t *w, float *d,
                           float *m) {
    eights q;
    uint8_t bytes[256];
    for (int i = 0; i < 32; i++) q.of[i] = 8 * spread_2_bits(codes->of[i]);
    memcpy(bytes, q.of, sizeof bytes);
    for (int j = 0; j < 32; j++) {
        int16_t offset = shift[j] ? -9 : -7;
        for (int i = 0; i < 8; i++) w[8 * j + i] = (int16_t)((bytes[8 * j + i] + offset) * scale[j / 2]);
    }
    one_scale(d16 * 0.125f, d, m);
}

Q3_INLINE void unpack16_IQ1_S(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ1_S *b = p;
    eights codes;
    uint8_t shift[32];
    int16_t scale[16];
    for (int i = 0; i < 32; i++) { /* qh: three bits for each of four indices, the scale, the sign of the shift */
        uint16_t high = b->qh[i / 4];
        codes.of[i] = q3_grid_iq1[b->qs[i] | (high >> (3 * (i % 4)) & 7) << 8];
        shift[i] = high >> 15;
        scale[i / 2] = (int16_t)(2 * (high >> 12 & 7) + 1);
    }
    iq1_weights(&codes, shift, scale, half_to_float(b->d), w, d, m);
}

Q3_INLINE void unpack16_IQ1_M(const void *p, int16_t *w, float *d, float *m) {
    const block_IQ1_M *b = p;
    eights codes;
    uint8_t shift[32];
    int16_t scale[16];
    for (int i = 0; i < 32; i++) {
        uint8_t high = b->qh[i / 2] >> (4 * (i % 2));
        codes.of[i] = q3_grid_iq1[b->qs[i] | (high & 7) << 8];
        shift[i] = high >> 3 & 1;
    }
    for (int j = 0; j < 16; j++) scale[j] = (int16_t)(2 * (b->scales[j / 4] >> (3 * (j % 4)) & 7) + 1);
    uint32_t half = 0; /* nibble by nibble, the lowest first */
    for (int j = 0; j < 4; j++) half |= (uint32_t)(b->scales[j] >> 12) << (4 * j);
    iq1_weights(&codes, shift, scale, half_to_float((uint16_t)half), w, d, m);
}

#undef Q3_BYTES

#endif
