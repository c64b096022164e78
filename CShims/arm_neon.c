/* NEON with the dot product extension: sdot multiplies 16 bytes, smlal 4 words, and both add into 4 int32 lanes. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "panel.h"

/* smmla of the i8mm extension wants 8 successive K of a row in a register where the panel has 4, so it is not used. */
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define Q3_HARDWARE_HALF
#include "unpack.h"

#define KERNELS q3_kernels_neon
#define INTEGER_TILE 4
#define FLOAT_ROWS 6
#define FLOAT_VECTORS 1
#define FLOAT_TOKENS 4
#define EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)

Q3_INLINE int32x4_t broadcast32(const void *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return vdupq_n_s32(v);
}

Q3_INLINE void put(float *o, float32x4_t y, bool add) { vst1q_f32(o, add ? vaddq_f32(vld1q_f32(o), y) : y); }

/* Bytes up to 31 are the same signed, and their products with int8 fit the int32 lanes of sdot: wide weights need no care. */
Q3_INLINE void tile_u8(panel_header *h, const q3_activations *a, size_t t, int n, bool wide, float *o, size_t stride, bool add) {
    (void)wide;
    const block_u8 *b = (const block_u8 *)(h + 1);
    float32x4_t y[INTEGER_TILE][4];
    EACH(i, n) y[i][0] = y[i][1] = y[i][2] = y[i][3] = vdupq_n_f32(0);
    size_t slot = q3_slot(a, t, 0);
    const int8_t *x = a->i8 + 32 * slot;
    const float *scale = a->i8_scale + slot, *sum = a->i8_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        int32x4_t dot[INTEGER_TILE][4];
        EACH(i, n) dot[i][0] = dot[i][1] = dot[i][2] = dot[i][3] = vdupq_n_s32(0);
        EACH(g, 8) {
            EACH(quarter, 4) {
                int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(b->w[g][4 * quarter]));
                EACH(i, n) {
                    int8x16_t four = vreinterpretq_s8_s32(broadcast32(x + 32 * i + 4 * g));
                    dot[i][quarter] = vdotq_s32(dot[i][quarter], w, four);
                }
            }
        }
        EACH(quarter, 4) {
            float32x4_t d = vld1q_f32(b->d + 4 * quarter), m = vld1q_f32(b->m + 4 * quarter);
            EACH(i, n) {
                float32x4_t scaled = vmulq_f32(vcvtq_f32_s32(dot[i][quarter]), d);
                y[i][quarter] = vfmaq_n_f32(y[i][quarter], scaled, scale[i]);
                y[i][quarter] = vfmaq_n_f32(y[i][quarter], m, sum[i]);
            }
        }
    }
    EACH(i, n) {
        EACH(quarter, 4) {
            put(o + (size_t)i * stride + 4 * quarter, y[i][quarter], add);
        }
    }
}

/* A register holds 4 rows × 2 words. Its lanes keep the sums over even and odd K apart until the block's end. Eight rows at a
 * time, in a loop that stays one, so that the sums fit the registers. */
Q3_INLINE void tile_w16(panel_header *h, const q3_activations *a, size_t t, int n, bool minimums, float *o, size_t stride,
                        bool add) {
    const block_w16 *b = (const block_w16 *)(h + 1);
    float32x4_t y[INTEGER_TILE][4];
    EACH(i, n) y[i][0] = y[i][1] = y[i][2] = y[i][3] = vdupq_n_f32(0);
    size_t slot = q3_slot(a, t, 0);
    const int16_t *x = a->i16 + 32 * slot;
    const float *scale = a->i16_scale + slot, *sum = a->i16_sum + slot;
    for (size_t j = 0; j < h->blocks; j++, b++, x += 32 * Q3_TOKEN_GROUP, scale += Q3_TOKEN_GROUP, sum += Q3_TOKEN_GROUP) {
        q3_fetch_ahead(h);
        _Pragma("clang loop unroll(disable)") for (int half = 0; half < 4; half += 2) {
            int32x4_t dot[INTEGER_TILE][2][2];
            EACH(i, n) {
                dot[i][0][0] = dot[i][0][1] = dot[i][1][0] = dot[i][1][1] = vdupq_n_s32(0);
            }
            EACH(g, 16) {
                EACH(q, 2) {
                    int16x8_t w = vld1q_s16(b->w[g][4 * (half + q)]);
                    EACH(i, n) {
                        int16x8_t two = vreinterpretq_s16_s32(broadcast32(x + 32 * i + 2 * g));
                        dot[i][q][0] = vmlal_s16(dot[i][q][0], vget_low_s16(w), vget_low_s16(two));
                        dot[i][q][1] = vmlal_high_s16(dot[i][q][1], w, two);
                    }
                }
            }
            EACH(q, 2) {
                int quarter = half + q;
                float32x4_t d = vld1q_f32(b->d + 4 * quarter), m = vld1q_f32(b->m + 4 * quarter);
                EACH(i, n) {
                    float32x4_t all = vcvtq_f32_s32(vpaddq_s32(dot[i][q][0], dot[i][q][1]));
                    y[i][quarter] = vfmaq_n_f32(y[i][quarter], vmulq_f32(all, d), scale[i]);
                    if (minimums) y[i][quarter] = vfmaq_n_f32(y[i][quarter], m, sum[i]);
                }
            }
        }
    }
    EACH(i, n) {
        EACH(quarter, 4) {
            put(o + (size_t)i * stride + 4 * quarter, y[i][quarter], add);
        }
    }
}

#include "vector.inc"

#pragma clang attribute pop
#endif
