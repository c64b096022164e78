/* The quantized blocks of GGUF, byte for byte. `d` scales, `dmin` minimums; all f16 little-endian. */
#ifndef Q3_BLOCKS_H
#define Q3_BLOCKS_H

#include <stdint.h>

// clang-format off

#pragma pack(push, 1) /* blocks lie at any address: a file may align its tensors to 1 */

/* GGUF tensor type ids. */
enum {
    Q3_F32 = 0, Q3_F16 = 1, Q3_Q4_0 = 2, Q3_Q4_1 = 3, Q3_Q5_0 = 6, Q3_Q5_1 = 7, Q3_Q8_0 = 8, Q3_Q2_K = 10, Q3_Q3_K = 11,
    Q3_Q4_K = 12, Q3_Q5_K = 13, Q3_Q6_K = 14, Q3_IQ2_XXS = 16, Q3_IQ2_XS = 17, Q3_IQ3_XXS = 18, Q3_IQ1_S = 19, Q3_IQ4_NL = 20,
    Q3_IQ3_S = 21, Q3_IQ2_S = 22, Q3_IQ4_XS = 23, Q3_IQ1_M = 29, Q3_BF16 = 30, Q3_TQ1_0 = 34, Q3_TQ2_0 = 35, Q3_MXFP4 = 39,
    Q3_NVFP4 = 40,
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

/* 4-bit floats (generic/unpack_small.h). */
typedef struct { uint8_t e, qs[16]; } block_MXFP4;                                  /* 32: 2^(e - 127) */
typedef struct { uint8_t d[4], qs[32]; } block_NVFP4;                               /* 64: an 8-bit float for 16 */

/* 256 weights of -1, 0, 1: five to a byte, the last 16 four to a byte; or four to a byte. */
typedef struct { uint8_t qs[48], qh[4]; uint16_t d; } block_TQ1_0;
typedef struct { uint8_t qs[64]; uint16_t d; } block_TQ2_0;

/* 256 weights with integer scales for 16 or 32 of them. */
typedef struct { uint8_t scales[16], qs[64]; uint16_t d, dmin; } block_Q2_K;        /* per 16: low nibble scale, high nibble min */
typedef struct { uint8_t hmask[32], qs[64], scales[12]; uint16_t d; } block_Q3_K;   /* per 16: 6-bit scale - 32 */
typedef struct { uint16_t d, dmin; uint8_t scales[12], qs[128]; } block_Q4_K;       /* per 32: 6-bit scale, 6-bit min */
typedef struct { uint16_t d, dmin; uint8_t scales[12], qh[32], qs[128]; } block_Q5_K;
typedef struct { uint8_t ql[128], qh[64]; int8_t scales[16]; uint16_t d; } block_Q6_K; /* per 16: int8 scale; q - 32 */
typedef struct { uint16_t d, scales_h; uint8_t scales_l[4], qs[128]; } block_IQ4_XS; /* per 32: 6-bit scale - 32; codebook */

/* 256 weights as vectors of a codebook (generic/unpack_grids.h). qs indexes it, qh holds high bits of indices, scales have 3 or 4
 * bits, for 16 or 32 weights. In IQ2_XXS and IQ3_XXS a uint32 for 32 weights holds four times seven signs and the scale. */
typedef struct { uint16_t d; uint8_t qs[64]; } block_IQ2_XXS;                       /* per 32: four indices, the uint32 */
typedef struct { uint16_t d, qs[32]; uint8_t scales[8]; } block_IQ2_XS;             /* nine bits of index, seven of signs */
typedef struct { uint16_t d; uint8_t qs[32], signs[32], qh[8], scales[8]; } block_IQ2_S;
typedef struct { uint16_t d; uint8_t qs[64]; uint32_t scales[8]; } block_IQ3_XXS;
typedef struct { uint16_t d; uint8_t qs[64], qh[8], signs[32], scales[4]; } block_IQ3_S;
typedef struct { uint16_t d; uint8_t qs[32]; uint16_t qh[8]; } block_IQ1_S;         /* qh also: scale, sign of the shift */
typedef struct { uint8_t qs[32], qh[16]; uint16_t scales[4]; } block_IQ1_M;         /* d is in the top nibbles of scales */

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
_Static_assert(sizeof(block_MXFP4) == 17, "4.25 bits per weight");
_Static_assert(sizeof(block_NVFP4) == 36, "4.5 bits per weight");
_Static_assert(sizeof(block_TQ1_0) == 54, "1.6875 bits per weight");
_Static_assert(sizeof(block_TQ2_0) == 66, "2.0625 bits per weight");
_Static_assert(sizeof(block_IQ2_XXS) == 66, "2.0625 bits per weight");
_Static_assert(sizeof(block_IQ2_XS) == 74, "2.3125 bits per weight");
_Static_assert(sizeof(block_IQ2_S) == 82, "2.5625 bits per weight");
_Static_assert(sizeof(block_IQ3_XXS) == 98, "3.0625 bits per weight");
_Static_assert(sizeof(block_IQ3_S) == 110, "3.4375 bits per weight");
_Static_assert(sizeof(block_IQ1_S) == 50, "1.5625 bits per weight");
_Static_assert(sizeof(block_IQ1_M) == 56, "1.75 bits per weight");

// clang-format on

#endif
