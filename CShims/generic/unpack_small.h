/* The types of three values (TQ1_0, TQ2_0) and those with tiny floats (MXFP4, NVFP4). Part of unpack.h. */
#ifndef Q3_UNPACK_SMALL_H
#define Q3_UNPACK_SMALL_H

/* === -1, 0, 1 times d === */

/* Five values are digits of base 3, the first one highest, of byte/256 rounded up: times 3^n drops n of them. */
Q3_INLINE int16_t ternary_digit(uint8_t byte, uint8_t power) { return (int16_t)(((uint8_t)(byte * power) * 3 >> 8) - 1); }

Q3_INLINE void unpack16_TQ1_0(const void *p, int16_t *w, float *d, float *m) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    const block_TQ1_0 *b = p;
    for (int n = 0; n < 5; n++) {
        for (int i = 0; i < 32; i++) w[32 * n + i] = ternary_digit(b->qs[i], powers[n]);
        for (int i = 0; i < 16; i++) w[160 + 16 * n + i] = ternary_digit(b->qs[32 + i], powers[n]);
    }
    for (int n = 0; n < 4; n++) {
        for (int i = 0; i < 4; i++) w[240 + 4 * n + i] = ternary_digit(b->qh[i], powers[n]);
    }
    float base = half_to_float(b->d);
    for (int j = 0; j < 8; j++) d[j] = base, m[j] = 0;
}

Q3_INLINE void unpack16_TQ2_0(const void *p, int16_t *w, float *d, float *m) {
    const block_TQ2_0 *b = p;
    float base = half_to_float(b->d);
    for (int j = 0; j < 8; j++) { /* two bits of 32 bytes */
        for (int i = 0; i < 32; i++) w[32 * j + i] = (int16_t)((b->qs[32 * (j / 4) + i] >> (2 * (j % 4)) & 3) - 1);
        d[j] = base, m[j] = 0;
    }
}

/* === 4-bit floats: sign, two bits of exponent, one of fraction === */

/* Twice their values: 0, 1, 2, 3, 4, 6, 8, 12 for codes 0..7, negative for 8..15. As arithmetic, since vectors have no table. */
Q3_INLINE int16_t e2m1_doubled(int code) {
    int c = code & 7, above = c > 4 ? c - 4 : 0, magnitude = c + above + (c == 7 ? 2 : 0);
    return (int16_t)(code & 8 ? -magnitude : magnitude);
}

/* 2^(e - 128): half of the block's power of two 2^(e - 127). */
Q3_INLINE float half_power(uint8_t e) {
    uint32_t bits = e < 2 ? UINT32_C(0x00200000) << e : (uint32_t)(e - 1) << 23; /* the first two are subnormal */
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

Q3_INLINE void unpack16_MXFP4(const void *p, int16_t *w, float *d, float *m) {
    const block_MXFP4 *b = p;
    *d = half_power(b->e);
    *m = 0;
    for (int i = 0; i < 16; i++) w[i] = e2m1_doubled(b->qs[i] & 15);
    for (int i = 0; i < 16; i++) w[i + 16] = e2m1_doubled(b->qs[i] >> 4);
}

/* Half of an unsigned float with four bits of exponent (bias 7) and three of fraction; 0x7f is 0, and the top bit is not read. */
Q3_INLINE float half_of_ue4m3(uint8_t x) {
    int exponent = x >> 3 & 15, fraction = x & 7;
    if (x == 0x7f) return 0;
    uint32_t bits = (uint32_t)((exponent == 0 ? 1 : exponent) - 11 + 127) << 23; /* 2^(exponent - 11) */
    float power;
    memcpy(&power, &bits, 4);
    return (float)(exponent == 0 ? fraction : 8 + fraction) * power;
}

Q3_INLINE void unpackf_NVFP4(const void *p, float *w) {
    const block_NVFP4 *b = p;
    for (int j = 0; j < 4; j++) { /* 16 weights: low nibbles, then high ones */
        float d = half_of_ue4m3(b->d[j]);
        const uint8_t *qs = b->qs + 8 * j;
        for (int i = 0; i < 8; i++) w[16 * j + i] = d * (float)e2m1_doubled(qs[i] & 15);
        for (int i = 0; i < 8; i++) w[16 * j + 8 + i] = d * (float)e2m1_doubled(qs[i] >> 4);
    }
}

/* A weight has eight bits, so those of a scale at least a 32nd of its neighbour's are exact. */
Q3_INLINE void unpack16_NVFP4(const void *p, int16_t *w, float *d, float *m) {
    float x[64];
    unpackf_NVFP4(p, x);
    for (int j = 0; j < 2; j++) round_to_w16(x + 32 * j, w + 32 * j, d + j, m + j);
}

#endif
