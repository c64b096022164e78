/* NEON with the dot product extension: sdot multiplies 16 bytes, smlal 4 words, and both add into 4 int32 lanes. Words of 14 bits are
 * 128 · high + low, two bytes, so against bytes two sdot do for them what four smlal would. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "kernels.h"

/* smmla of the i8mm extension wants 8 successive K of a row in a register where the panel has 4, so it is not used. */
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define Q3_HARDWARE_HALF
#define KERNELS q3_kernels_neon
#define TILE_ROWS 4
#define INTEGER_TILE 4
#define FLOAT_ROWS 6
#define FLOAT_VECTORS 1
#define FLOAT_TOKENS 4
#include "../generic/rows.h"

/* Bytes up to 31 read the same as int8. */
Q3_INLINE row_ints dot_u8(row_ints sum, row_ints w, row_ints x) {
    return (row_ints)vdotq_s32((int32x4_t)sum, (int8x16_t)w, (int8x16_t)x);
}

/* sdot takes signed bytes. */
#define OWN_SUMS_S8
Q3_INLINE void sums_s8(const block_s8 *b, const int8_t *x, const int32_t *start, int n, row_ints sum[INTEGER_TILE][PARTS]) {
    (void)start;
    EACH(i, n) {
        EACH(p, PARTS) sum[i][p] = 0;
    }
    EACH(g, 8) {
        EACH(p, PARTS) {
            row_ints w = (row_ints)veorq_u8((uint8x16_t)load_rows(b->w[g][TILE_ROWS * p]), vdupq_n_u8(128));
            EACH(i, n) sum[i][p] = dot_u8(sum[i][p], w, broadcast32(x + 32 * i + 4 * g));
        }
    }
}

/* Words: a register holds 4 rows × 2 of them, of which smlal takes two rows at a time: sums over even and odd K stay apart until the
 * end of the block. So 8 rows have as many sums as fit the registers. */
Q3_INLINE void sums_words(const block_w16 *b, const int16_t *x, int n, int first, row_ints sum[INTEGER_TILE][PARTS]) {
    int32x4_t half[INTEGER_TILE][2][2];
    EACH(i, n) {
        EACH(p, 2) half[i][p][0] = half[i][p][1] = vdupq_n_s32(0);
    }
    EACH(g, 16) {
        EACH(p, 2) {
            int16x8_t w = (int16x8_t)load_rows(b->w[g][TILE_ROWS * (first + p)]);
            EACH(i, n) {
                int16x8_t two = (int16x8_t)broadcast32(x + 32 * i + 2 * g);
                half[i][p][0] = vmlal_s16(half[i][p][0], vget_low_s16(w), vget_low_s16(two));
                half[i][p][1] = vmlal_high_s16(half[i][p][1], w, two);
            }
        }
    }
    EACH(i, n) {
        EACH(p, 2) sum[i][p] = (row_ints)vpaddq_s32(half[i][p][0], half[i][p][1]);
    }
}

/* Lanes of an instruction are constants, which `lane` becomes. */
Q3_INLINE int32x4_t dot_lane(int32x4_t sum, row_ints w, int8x16_t x, int lane) {
    switch (lane) {
    case 0: return vdotq_laneq_s32(sum, (int8x16_t)w, x, 0);
    case 1: return vdotq_laneq_s32(sum, (int8x16_t)w, x, 1);
    case 2: return vdotq_laneq_s32(sum, (int8x16_t)w, x, 2);
    default: return vdotq_laneq_s32(sum, (int8x16_t)w, x, 3);
    }
}

/* Bytes: 128 · Σ w · high + Σ w · low is the sum over words, exactly. Sums of the columns 8 · [first_eight, end_eight). */
Q3_INLINE void sums_eights(const int8_t (*w)[16][Q3_BYTE_RUN], const int8_t *halves, int n, int first, int parts, int first_eight,
                           int end_eight, int32x4_t sum[INTEGER_TILE][PARTS]) {
    EACH(i, n) {
        EACH(p, parts) sum[i][p] = vdupq_n_s32(0);
    }
    EACH(half, 2) {
        if (half == 1) {
            EACH(i, n) {
                EACH(p, parts) sum[i][p] = vshlq_n_s32(sum[i][p], 7);
            }
        }
        EACH(eight, end_eight) {
            if (eight < first_eight) continue;
            int8x16_t x[INTEGER_TILE / 2]; /* of two tokens each */
            EACH(i, (n + 1) / 2) x[i] = vld1q_s8(halves + 256 * half + 64 * eight + 16 * i);
            EACH(g, 2) {
                EACH(p, parts) {
                    row_ints four = load_rows(w[2 * eight + g][TILE_ROWS * (first + p)]);
                    EACH(i, n) sum[i][p] = dot_lane(sum[i][p], four, x[i / 2], i % 2 * 2 + g);
                }
            }
        }
    }
}

#define W16_PARTS(width) ((width) == Q3_BYTES ? PARTS : 2)
#define OWN_SUMS_W16
Q3_INLINE void sums_w16(const void *b, word_input x, int n, int first, q3_width width, row_ints sum[INTEGER_TILE][PARTS]) {
    int32x4_t part[INTEGER_TILE][PARTS];
    switch (width) {
    case Q3_BYTES:
        sums_eights(((const block_w8 *)b)->w, x.halves, n, first, PARTS, 0, 4, part);
        EACH(i, n) {
            EACH(p, PARTS) sum[i][p] = (row_ints)part[i][p];
        }
        break;
    case Q3_SCALED:
        EACH(half, 2) {
            const block_w8s *bytes = b;
            sums_eights(bytes->w, x.halves, n, first, 2, 2 * half, 2 * half + 2, part);
            EACH(p, 2) {
                int32x4_t scale = (int32x4_t)widened(bytes->scale[half][TILE_ROWS * (first + p)]) >> 16;
                EACH(i, n) {
                    sum[i][p] =
                        (row_ints)(half == 0 ? vmulq_s32(part[i][p], scale) : vmlaq_s32((int32x4_t)sum[i][p], part[i][p], scale));
                }
            }
        }
        break;
    default: sums_words(b, x.words, n, first, sum);
    }
}

#include "../generic/vector.inc"

#pragma clang attribute pop
#endif
