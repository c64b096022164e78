/* The quantized blocks of GGUF, byte for byte. `d` scales, `dmin` minimums; all f16 little-endian. */
#ifndef Q3_BLOCKS_H
#define Q3_BLOCKS_H

#include <stdint.h>

// clang-format off

#pragma pack(push, 1) /* blocks lie at any address: a file may align its tensors to 1 */

/* GGUF tensor type ids. */
enum {
    Q3_F32 = 0, Q3_F16 = 1, Q3_Q4_0 = 2, Q3_Q4_1 = 3, Q3_Q5_0 = 6, Q3_Q5_1 = 7, Q3_Q8_0 = 8, Q3_Q2_K = 10, Q3_Q3_K = 11,
    Q3_Q4_K = 12, Q3_Q5_K = 13, Q3_Q6_K = 14, Q3_IQ4_NL = 20, Q3_IQ4_XS = 23, Q3_BF16 = 30,
};

/* What kernels take for a block of types that have none. */
typedef float block_F32[32];
typedef uint16_t block_F16[32], block_BF16[32];

/* 32 weights. In the 4-bit and 5-bit ones byte i of qs holds weight i (low nibble) and weight i + 16 (high nibble);
 * bit j of qh is the fifth bit of weight j. */
typedef struct { uint16_t d; uint8_t qs[16]; } block_Q4_0;                          /* d · (q - 8) */
typedef struct { uint16_t d, m; uint8_t qs[16]; } block_Q4_1;                       /* d · q + m */
typedef struct { uint16_t d; uint8_t qh[4], qs[16]; } block_Q5_0;                   /* d · (q - 16) */
typedef struct { uint16_t d, m; uint8_t qh[4], qs[16]; } block_Q5_1;                /* d · q + m */
typedef struct { uint16_t d; uint8_t qs[32]; } block_Q8_0;                          /* d · (int8) q */
typedef struct { uint16_t d; uint8_t qs[16]; } block_IQ4_NL;                        /* d · codebook[q] */

/* 256 weights with integer scales for 16 or 32 of them. */
typedef struct { uint8_t scales[16], qs[64]; uint16_t d, dmin; } block_Q2_K;        /* per 16: low nibble scale, high nibble min */
typedef struct { uint8_t hmask[32], qs[64], scales[12]; uint16_t d; } block_Q3_K;   /* per 16: 6-bit scale - 32 */
typedef struct { uint16_t d, dmin; uint8_t scales[12], qs[128]; } block_Q4_K;       /* per 32: 6-bit scale, 6-bit min */
typedef struct { uint16_t d, dmin; uint8_t scales[12], qh[32], qs[128]; } block_Q5_K;
typedef struct { uint8_t ql[128], qh[64]; int8_t scales[16]; uint16_t d; } block_Q6_K; /* per 16: int8 scale; q - 32 */
typedef struct { uint16_t d, scales_h; uint8_t scales_l[4], qs[128]; } block_IQ4_XS; /* per 32: 6-bit scale - 32; codebook */

#pragma pack(pop)

_Static_assert(sizeof(block_Q4_0) == 18, "4.5 bits per weight");
_Static_assert(sizeof(block_Q4_1) == 20, "5 bits per weight");
_Static_assert(sizeof(block_Q5_0) == 22, "5.5 bits per weight");
_Static_assert(sizeof(block_Q5_1) == 24, "6 bits per weight");
_Static_assert(sizeof(block_Q8_0) == 34, "8.5 bits per weight");
_Static_assert(sizeof(block_IQ4_NL) == 18, "4.5 bits per weight");
_Static_assert(sizeof(block_Q2_K) == 84, "2.625 bits per weight");
_Static_assert(sizeof(block_Q3_K) == 110, "3.4375 bits per weight");
_Static_assert(sizeof(block_Q4_K) == 144, "4.5 bits per weight");
_Static_assert(sizeof(block_Q5_K) == 176, "5.5 bits per weight");
_Static_assert(sizeof(block_Q6_K) == 210, "6.5625 bits per weight");
_Static_assert(sizeof(block_IQ4_XS) == 136, "4.25 bits per weight");

// clang-format on

#endif
