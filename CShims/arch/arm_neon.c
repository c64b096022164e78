/* NEON with the dot product extension: sdot multiplies 16 bytes, smlal 4 words, and both add into 4 int32 lanes. Words of 14 bits are
 * 128 · high + low, two bytes, so against bytes two sdot do for them what four smlal would. arm_i8mm.c includes this file: smmla
 * multiplies 32 bytes, of 2 rows and 2 tokens. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "kernels.h"

#if defined(Q3_I8MM)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#define KERNELS q3_kernels_i8mm
#else
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#define KERNELS q3_kernels_neon
#endif

#define Q3_HARDWARE_HALF
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

/* Lanes of an instruction are constants, which `lane` becomes. */
#define WITH_LANE(function, sum, w, x, lane) \
    ((lane) == 0   ? function(sum, w, x, 0) \
     : (lane) == 1 ? function(sum, w, x, 1) \
     : (lane) == 2 ? function(sum, w, x, 2) \
                   : function(sum, w, x, 3))
#define WITH_WORD(function, sum, w, x, lane) \
    ((lane) < 4    ? WITH_LANE(function, sum, w, vget_low_s16(x), lane) \
                   : WITH_LANE(function, sum, w, vget_high_s16(x), (lane) - 4))

/* Words of 8 rows: smlal multiplies 4 of them with one word of a token. */
Q3_INLINE void sums_words(const block_w16 *b, const int16_t *x, int n, int first, row_ints sum[INTEGER_TILE][PARTS]) {
    int32x4_t half[INTEGER_TILE][2];
    EACH(i, n) half[i][0] = half[i][1] = vdupq_n_s32(0);
    EACH(eight, 4) {
        int16x8_t words[INTEGER_TILE];
        EACH(i, n) words[i] = vld1q_s16(x + 32 * i + 8 * eight);
        EACH(g, 4) {
            int16x8x2_t w = vld2q_s16(b->w[4 * eight + g][TILE_ROWS * first]); /* even and odd K of the rows */
            EACH(odd, 2) {
                EACH(i, n) {
                    half[i][0] = WITH_WORD(vmlal_lane_s16, half[i][0], vget_low_s16(w.val[odd]), words[i], 2 * g + odd);
                    half[i][1] = WITH_WORD(vmlal_high_lane_s16, half[i][1], w.val[odd], words[i], 2 * g + odd);
                }
            }
        }
    }
    EACH(i, n) {
        EACH(p, 2) sum[i][p] = (row_ints)half[i][p];
    }
}

#if defined(Q3_I8MM)

/* === Bytes with smmla === */

/* Two rows and two tokens share a register: lanes are (token 0, row 0), (0, 1), (1, 0), (1, 1), until all blocks are added. */
enum { PAIRS_OF_TOKENS = INTEGER_TILE / 2, PAIRS_OF_ROWS = Q3_PANEL_ROWS / 2 };

/* Σ w · x over the columns 8 · [first_eight, end_eight) of 2 · `pairs` rows from `row` on: 128 times that of the high bytes, then
 * that of the low ones. */
Q3_INLINE void sums_pairs(const int8_t (*w)[16][Q3_BYTE_RUN], const int8_t *halves, int tokens, int row, int pairs, int first_eight,
                          int end_eight, int32x4_t sum[PAIRS_OF_TOKENS][PAIRS_OF_ROWS]) {
    EACH(i, tokens) {
        EACH(p, pairs) sum[i][p] = vdupq_n_s32(0);
    }
    EACH(half, 2) {
        if (half == 1) {
            EACH(i, tokens) {
                EACH(p, pairs) sum[i][p] = vshlq_n_s32(sum[i][p], 7);
            }
        }
        __asm__ volatile("" : : : "memory"); /* the compiler must load weights again: they do not fit the registers */
        EACH(eight, end_eight) {
            if (eight < first_eight) continue;
            int8x16_t x[PAIRS_OF_TOKENS];
            EACH(i, tokens) x[i] = vld1q_s8(halves + 256 * half + 64 * eight + 16 * i);
            EACH(p, pairs) {
                int8x16_t rows = vld1q_s8(w[eight][row + 2 * p]);
                EACH(i, tokens) sum[i][p] = vmmlaq_s32(sum[i][p], x[i], rows);
            }
        }
    }
}

/* Rows of which the sums are taken at once, so that all fit the registers. */
#define PAIRS_AT_ONCE(width) ((width) == Q3_BYTES ? 4 : 2)

#define OWN_TILE_W8
Q3_INLINE void tile_w8(panel_header *h, const q3_activations *a, size_t t, int n, q3_width width, float *o, size_t stride,
                       bool add) {
    const char *b = q3_blocks(h);
    const int tokens = (n + 1) / 2, pairs = PAIRS_AT_ONCE(width);
    float32x4_t y[PAIRS_OF_TOKENS][PAIRS_OF_ROWS];
    EACH(i, tokens) {
        EACH(p, PAIRS_OF_ROWS) y[i][p] = vdupq_n_f32(0);
    }
    size_t slot = q3_slot(a, t, 0);
    const int8_t *x = q3_halves(a, slot);
    const float *scale = a->i16_scale + slot;
    for (size_t j = 0; j < h->blocks; j++, x += 2 * 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        float32x4_t scales = vld1q_f32(scale), of_tokens[2] = {vzip1q_f32(scales, scales), vzip2q_f32(scales, scales)};
        const int8_t(*w)[16][Q3_BYTE_RUN] = ((const block_w8 *)b)->w;
        const float *d = ((const block_w8 *)b)->d;
        EACH(part, PAIRS_OF_ROWS / pairs) {
            const int first = part * pairs;
            int32x4_t sum[PAIRS_OF_TOKENS][PAIRS_OF_ROWS];
            if (width == Q3_BYTES) {
                sums_pairs(w, x, tokens, 2 * first, pairs, 0, 4, sum);
            } else {
                EACH(half, 2) {
                    int32x4_t sixteen[PAIRS_OF_TOKENS][PAIRS_OF_ROWS];
                    sums_pairs(w, x, tokens, 2 * first, pairs, 2 * half, 2 * half + 2, sixteen);
                    int16x8_t twice = vmovl_s8(vld1_s8(((const block_w8s *)b)->scale[half][2 * first]));
                    int64x2_t four = (int64x2_t)((int32x4_t)twice >> 16);
                    int32x4_t scale_of[2] = {(int32x4_t)vdupq_laneq_s64(four, 0), (int32x4_t)vdupq_laneq_s64(four, 1)};
                    EACH(i, tokens) {
                        EACH(p, 2) {
                            sum[i][p] = half == 0 ? vmulq_s32(sixteen[i][p], scale_of[p])
                                                  : vmlaq_s32(sum[i][p], sixteen[i][p], scale_of[p]);
                        }
                    }
                }
            }
            EACH(p, pairs) {
                float64x2_t four = (float64x2_t)vld1q_f32(d + 4 * ((first + p) / 2));
                float32x4_t of_rows = (float32x4_t)(p % 2 == 0 ? vdupq_laneq_f64(four, 0) : vdupq_laneq_f64(four, 1));
                EACH(i, tokens) {
                    float32x4_t scaled = vmulq_f32(vcvtq_f32_s32(sum[i][p]), of_rows);
                    y[i][first + p] = vfmaq_f32(y[i][first + p], scaled, of_tokens[i]);
                }
            }
        }
        b += width == Q3_BYTES ? sizeof(block_w8) : sizeof(block_w8s);
    }
    EACH(i, n) {
        EACH(p, PARTS) {
            float64x2_t low = (float64x2_t)y[i / 2][2 * p], high = (float64x2_t)y[i / 2][2 * p + 1];
            float32x4_t four = (float32x4_t)(i % 2 == 0 ? vzip1q_f64(low, high) : vzip2q_f64(low, high));
            float *at = o + (size_t)i * stride + TILE_ROWS * p;
            vst1q_f32(at, add ? vaddq_f32(vld1q_f32(at), four) : four);
        }
    }
}

#define W16_PARTS(width) 2
#define OWN_SUMS_W16
Q3_INLINE void sums_w16(const void *b, word_input x, int n, int first, q3_width width, row_ints sum[INTEGER_TILE][PARTS]) {
    (void)width;
    sums_words(b, x.words, n, first, sum);
}

#else

/* === Bytes with sdot === */

/* Bytes: 128 · Σ w · high + Σ w · low is the sum over words, exactly. Sums of the columns 8 · [first_eight, end_eight). */
Q3_INLINE void sums_eights(const int8_t (*w)[16][Q3_BYTE_RUN], const int8_t *halves, int n, int first, int parts, int first_eight,
                           int end_eight, int32x4_t sum[INTEGER_TILE][PARTS]) {
    __asm__ volatile("" : "+r"(halves)); /* else copies of every lane, made once for all rows, lie in memory */
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
                    EACH(i, n) sum[i][p] = WITH_LANE(vdotq_laneq_s32, sum[i][p], (int8x16_t)four, x[i / 2], i % 2 * 2 + g);
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

#endif

#include "../generic/vector.inc"

#pragma clang attribute pop
#endif
