/* NEON with the dot product extension: sdot multiplies 16 bytes, smlal 4 words, and both add into 4 int32 lanes. */
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

/* A register holds 4 rows × 2 words, of which smlal takes two rows at a time: sums over even and odd K stay apart until the end of
 * the block. So 8 rows have as many sums as fit the registers. */
#define W16_PARTS 2
#define OWN_SUMS_W16
Q3_INLINE void sums_w16(const block_w16 *b, const int16_t *x, int n, int first, row_ints sum[INTEGER_TILE][PARTS]) {
    int32x4_t half[INTEGER_TILE][W16_PARTS][2];
    EACH(i, n) {
        EACH(p, W16_PARTS) half[i][p][0] = half[i][p][1] = vdupq_n_s32(0);
    }
    EACH(g, 16) {
        EACH(p, W16_PARTS) {
            int16x8_t w = (int16x8_t)load_rows(b->w[g][TILE_ROWS * (first + p)]);
            EACH(i, n) {
                int16x8_t two = (int16x8_t)broadcast32(x + 32 * i + 2 * g);
                half[i][p][0] = vmlal_s16(half[i][p][0], vget_low_s16(w), vget_low_s16(two));
                half[i][p][1] = vmlal_high_s16(half[i][p][1], w, two);
            }
        }
    }
    EACH(i, n) {
        EACH(p, W16_PARTS) sum[i][p] = (row_ints)vpaddq_s32(half[i][p][0], half[i][p][1]);
    }
}

#include "../generic/vector.inc"

#pragma clang attribute pop
#endif
