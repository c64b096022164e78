/* The packed form of 16 weight rows, and the constants of the arithmetic that all instruction sets share. */
#ifndef Q3_PANEL_H
#define Q3_PANEL_H

#include "CShims.h"

/* A product and a sum round one by one unless fma says otherwise: every file gives the same bits. */
#pragma STDC FP_CONTRACT OFF

/* A panel is this header and cols/32 blocks of its family. */
typedef struct {
    _Alignas(64) uint32_t blocks;
    uint32_t minimums; /* whether any m may differ from 0 */
    uint32_t wide;     /* whether U8 weights exceed 15 */
    uint32_t powers;   /* whether all d of W16 words are powers of two that q3_adds takes, and no minimum differs from 0 */
    uint32_t width;    /* how weights of U8 and W16 are held: q3_width */
    q3_fetch fetch;    /* what packing and products ask for */
    const void *kept;  /* the blocks, where they do not follow the header */
} panel_header;

/* What U8 and W16 panels hold; tokens that pass find the same integers in all of them. */
typedef enum {
    Q3_WORDS,      /* W16 */
    Q3_BYTES,      /* U8, and W16 of types that fit */
    Q3_SCALED,     /* W16 of bytes with an integer scale for every 16 */
    Q3_HALF_BYTES, /* U8 of types that fit */
} q3_width;

static inline const void *q3_blocks(const panel_header *h) { return h->kept ? h->kept : h + 1; }

/* Memory answers while this panel is worked on. A burst of requests would stop the core until it is served. */
static inline void q3_fetch_ahead(panel_header *h) {
    if (h->fetch.next >= h->fetch.end) return;
    if (h->fetch.wait > 0) {
        h->fetch.wait--;
        return;
    }
    for (size_t i = 0; i < h->fetch.lines; i++, h->fetch.next += 64) __builtin_prefetch(h->fetch.next, 0, 2);
}

/* Whether exponents of such powers of two, 2^-60 to 2^60, may be added to those of activations' scales of that size. */
static inline bool q3_adds(uint32_t least_exponent, uint32_t largest_exponent) {
    return least_exponent >= 127 - 60 && largest_exponent <= 127 + 60;
}

/* Dword g of row r stands at [g][r]: a vector load brings the same K of 16 rows. */
typedef struct {
    uint8_t w[8][16][4];
    float d[16], m[16];
} block_u8; /* K = 4 per dword */
typedef struct {
    uint8_t w[4][16][4]; /* the first 16 K in the low half bytes, the other 16 in the high ones */
    float d[16], m[16];
} block_u4;
typedef struct {
    int16_t w[16][16][2];
    float d[16], m[16];
} block_w16; /* K = 2 per dword */

/* How many bytes of a row stand together in W16 panels of bytes: as many as one instruction multiplies. */
#if defined(Q3_I8MM)
enum { Q3_BYTE_RUN = 8 };
#elif defined(__aarch64__)
enum { Q3_BYTE_RUN = 4 };
#else
enum { Q3_BYTE_RUN = 2 };
#endif
typedef struct {
    int8_t w[32 / Q3_BYTE_RUN][16][Q3_BYTE_RUN];
    float d[16];
} block_w8;
typedef struct {
    int8_t w[32 / Q3_BYTE_RUN][16][Q3_BYTE_RUN];
    float d[16];
    int8_t scale[2][16][2]; /* twice, for both words of a dword */
} block_w8s;
/* Bytes are the weights plus 128, since the instructions of x86 multiply unsigned bytes with signed ones. */
typedef struct {
    uint8_t w[8][16][4];
    float d[16];
} block_s8; /* K = 4 per dword */
typedef struct {
    float w[32][16];
} block_f32;

/* 16 channels of the values of 64 keys, as attention in bytes multiplies them. */
typedef struct {
    int8_t w[16][16][4];
} block_values; /* K = 4 keys per dword */

/* Where K block j of token t stands in the interleaved activations, in blocks. */
static inline size_t q3_slot(const q3_activations *a, size_t t, size_t j) {
    return (t / Q3_TOKEN_GROUP * (a->cols / Q3_BLOCK) + j) * Q3_TOKEN_GROUP + t % Q3_TOKEN_GROUP;
}

/* Where the high bytes of the first 8 columns of a token's block stand in i16_halves; the next 8 follow 64 bytes later, the low
 * bytes 256. */
static inline int8_t *q3_halves(const q3_activations *a, size_t slot) {
    return a->i16_halves + 64 * (slot - slot % Q3_TOKEN_GROUP) + 8 * (slot % Q3_TOKEN_GROUP);
}

/* Attention's head dimension in whole blocks. */
static inline size_t q3_padded(size_t head_dim) { return (head_dim + Q3_BLOCK - 1) / Q3_BLOCK * Q3_BLOCK; }

/* === Constants of the shared arithmetic, the same in the scalar kernels and the vectors === */

#define Q3_I8_MAX 127.0f
#define Q3_I16_MAX 8191.0f   /* 32 · 8192 · 8191 < 2^31: a block's sum fits int32 for every W16 type, and in attention */
#define Q3_TINY 0x1p-100f    /* rows and blocks below it round to 0: the inverse of their scale would leave the floats */
#define Q3_ROUND 12582912.0f /* 1.5 · 2^23: x + R - R rounds |x| < 2^22 to the nearest even integer */
#define Q3_EXP_MIN -87.33f   /* below it exp is set to 0; e^x would leave the normal floats at -87.336 */
#define Q3_LOG2E 1.44269504088896341f
#define Q3_LN2_HIGH 0.693359375f   /* 10 bits: n · LN2_HIGH is exact */
#define Q3_LN2_LOW -2.12194440e-4f /* ln 2 - LN2_HIGH */
/* e^r on |r| ≤ ln(2)/2 as 1 + r + r²·p(r): minimax coefficients of Cephes expf. */
#define Q3_EXP_P5 1.9875691500e-4f
#define Q3_EXP_P4 1.3981999507e-3f
#define Q3_EXP_P3 8.3334519073e-3f
#define Q3_EXP_P2 4.1665795894e-2f
#define Q3_EXP_P1 1.6666665459e-1f
#define Q3_EXP_P0 5.0000001201e-1f
/* 2^r on |r| ≤ 1/2 as 1 + r·p(r), within 1.02e-4: minimax coefficients by Lawson's algorithm. */
#define Q3_EXP2_P3 0.0550089329f
#define Q3_EXP2_P2 0.242210969f
#define Q3_EXP2_P1 0.693282902f
/* log2(1 + f) - f is within -0.0074 and 0.0079 of CURVE · f · (1 - f) on 0 ≤ f ≤ 1. */
#define Q3_LOG2_CURVE 0.345f
#define Q3_LOG2_ABOVE 0.0079f
#define Q3_LOG2_127 6.9886847f
#define Q3_LOWEST -3.0e38f /* below every finite score */

#endif
