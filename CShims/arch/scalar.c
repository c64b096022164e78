/* The reference: every kernel as plain loops, rounding where the vector kernels round, for any machine and for the tests. */
#include <math.h>

#include "../generic/unpack.h"
#include "kernels.h"

/* Σ over 16 partial sums, by halves: the order that vector code can follow. */
static float sum16(float *lane) {
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    }
    return lane[0];
}

static float round_even(float x) { return (x + Q3_ROUND) - Q3_ROUND; }

static float exp_one(float x) {
    if (x != x) return x;
    if (x < Q3_EXP_MIN) return 0;
    float n = fmaf(x, Q3_LOG2E, Q3_ROUND) - Q3_ROUND;
    float r = fmaf(n, -Q3_LN2_LOW, fmaf(n, -Q3_LN2_HIGH, x));
    float y = Q3_EXP_P5;
    y = fmaf(y, r, Q3_EXP_P4);
    y = fmaf(y, r, Q3_EXP_P3);
    y = fmaf(y, r, Q3_EXP_P2);
    y = fmaf(y, r, Q3_EXP_P1);
    y = fmaf(y, r, Q3_EXP_P0);
    y = fmaf(y, r * r, r) + 1;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return y * power;
}

static void scalar_exp(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = exp_one(x[i]);
}

/* === Weights === */

#define PACK_INTEGERS(unpack, unit, source, element, block) \
    for (size_t k = 0; k < w->cols / unit; k++) { \
        for (int r = 0; r < 16; r++) { \
            element q[unit]; \
            float d[unit / 32], m[unit / 32]; \
            unpack(rows + r * w->row_bytes + k * sizeof(source), q, d, m); \
            for (int j = 0; j < unit / 32; j++) { \
                block *b = (block *)(header + 1) + k * (unit / 32) + j; \
                enum { K = 4 / sizeof(element) }; /* in a dword */ \
                for (int i = 0; i < 32; i++) b->w[i / K][r][i % K] = q[32 * j + i]; \
                b->d[r] = d[j], b->m[r] = m[j]; \
            } \
        } \
    }
#define PACK_FOUR_BITS(name, unit) \
    if (header->width == Q3_BYTES) { \
        PACK_INTEGERS(unpack8_##name, unit, block_##name, uint8_t, block_u8) \
    } else { \
        PACK_HALF_BYTES(name, unit) \
    }
#define PACK_HALF_BYTES(name, unit) \
    for (size_t k = 0; k < w->cols / unit; k++) { \
        for (int r = 0; r < 16; r++) { \
            uint8_t q[unit]; \
            float d[unit / 32], m[unit / 32]; \
            unpack8_##name(rows + r * w->row_bytes + k * sizeof(block_##name), q, d, m); \
            for (int j = 0; j < unit / 32; j++) { \
                block_u4 *b = (block_u4 *)(header + 1) + k * (unit / 32) + j; \
                for (int i = 0; i < 16; i++) b->w[i / 4][r][i % 4] = (uint8_t)(q[32 * j + i] | q[32 * j + 16 + i] << 4); \
                b->d[r] = d[j], b->m[r] = m[j]; \
            } \
        } \
    }
#define PACK_SMALL(name, unit) \
    for (size_t k = 0; k < w->cols / unit; k++) { \
        for (int r = 0; r < 16; r++) { \
            int16_t q[unit]; \
            float d[unit / 32], m[unit / 32]; \
            unpack16_##name(rows + r * w->row_bytes + k * sizeof(block_##name), q, d, m); \
            for (int i = 0; i < unit; i++) { \
                block_w8 *b = (block_w8 *)(header + 1) + (k * unit + (size_t)i) / 32; \
                b->w[i % 32 / Q3_BYTE_RUN][r][i % Q3_BYTE_RUN] = (int8_t)q[i]; \
                b->d[r] = d[i / 32]; \
            } \
        } \
    }
#define PACK_BYTES(name, unit) PACK_SMALL(name, unit)
#define PACK_SCALED(name, unit) \
    if (header->width == Q3_WORDS) { \
        PACK_W16_EXACT(name, unit) \
    } else { \
        PACK_SCALED_BYTES(name, unit) \
    }
#define PACK_SCALED_BYTES(name, unit) \
    for (size_t k = 0; k < w->cols / unit; k++) { \
        for (int r = 0; r < 16; r++) { \
            int8_t q[unit]; \
            int32_t scale[unit / 16]; \
            float d[unit / 32], m[unit / 32]; \
            bytes_##name(rows + r * w->row_bytes + k * sizeof(block_##name), q, scale, d, m); \
            for (int i = 0; i < unit; i++) { \
                block_w8s *b = (block_w8s *)(header + 1) + (k * unit + (size_t)i) / 32; \
                b->w[i % 32 / Q3_BYTE_RUN][r][i % Q3_BYTE_RUN] = q[i]; \
                b->scale[i % 32 / 16][r][i % 2] = (int8_t)scale[i / 16]; \
                b->d[r] = d[i / 32]; \
            } \
        } \
    }
#define PACK_HALVES(name, unit) \
    PACK_W16_EXACT(name, unit) \
    header->powers = has_powers(header);
#define PACK_FLOATS(unpack, unit, source) \
    for (size_t k = 0; k < w->cols / unit; k++) { \
        for (int r = 0; r < 16; r++) { \
            float x[unit]; \
            unpack(rows + r * w->row_bytes + k * sizeof(source), x); \
            for (int i = 0; i < unit; i++) ((block_f32 *)(header + 1))[(k * unit + i) / 32].w[i % 32][r] = x[i]; \
        } \
    }
/* The code at the end makes weights q[unit] and scales d[unit / 32] of the block at `from`. */
#define PACK_S8_ROWS(name, unit, ...) \
    for (size_t k = 0; k < w->cols / unit; k++) { \
        for (int r = 0; r < 16; r++) { \
            const uint8_t *from = rows + (size_t)r * w->row_bytes + k * sizeof(block_##name); \
            int8_t q[unit]; \
            float d[unit / 32]; \
            __VA_ARGS__ \
            for (int i = 0; i < unit; i++) { \
                block_s8 *b = (block_s8 *)(header + 1) + (k * unit + (size_t)i) / 32; \
                b->w[i % 32 / 4][r][i % 4] = (uint8_t)(q[i] + 128); \
                b->d[r] = d[i / 32]; \
            } \
        } \
    }
#define PACK_S8_WORDS(name, unit) \
    PACK_S8_ROWS(name, unit, int16_t words[unit]; float m[unit / 32]; unpack16_##name(from, words, d, m); \
                 for (int i = 0; i < unit; i++) q[i] = (int8_t)words[i];)
#define PACK_S8_INTEGERS(name, unit) \
    PACK_S8_ROWS(name, unit, int16_t words[unit]; float base[unit / 32], m[unit / 32]; unpack16_##name(from, words, base, m); \
                 for (int j = 0; j < unit / 32; j++) round_integers_to_s8(words + 32 * j, base[j], q + 32 * j, d + j);)
#define PACK_S8_ROUNDED(name, unit) \
    PACK_S8_ROWS(name, unit, float x[unit]; unpackf_##name(from, x); \
                 for (int j = 0; j < unit / 32; j++) round_to_s8(x + 32 * j, q + 32 * j, d + j);)
#define PACK_S8_BYTES(name, unit) PACK_S8_WORDS(name, unit)
#define PACK_S8_SCALED(name, unit) PACK_S8_INTEGERS(name, unit)
#define PACK_S8_HALVES(name, unit) PACK_S8_ROUNDED(name, unit)

/* Every d is a power of two, or NaN. */
static bool has_powers(const panel_header *header) {
    const block_w16 *b = (const block_w16 *)(header + 1);
    uint32_t least = 255, largest = 0;
    for (size_t i = 0; i < 16 * header->blocks; i++) {
        uint32_t bits;
        memcpy(&bits, b[i / 16].d + i % 16, sizeof bits);
        least = bits >> 23 < least ? bits >> 23 : least;
        largest = bits >> 23 > largest ? bits >> 23 : largest;
    }
    return q3_adds(least, largest);
}

#include "../generic/pack.inc"

/* === Activations === */

static void scalar_rms_norm(const float *x, const float *gain, float epsilon, size_t n, float *y) {
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++) lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    float inverse = 1 / sqrtf(sum16(lane) / (float)n + epsilon);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * inverse * gain[i];
}

static float largest(const float *x, size_t n) {
    float max = 0;
    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(x[i]);
        max = magnitude > max ? magnitude : max;
    }
    return max;
}

/* 0, or NaN when x holds a NaN or an infinity. */
static float not_finite(const float *x, size_t n) {
    float zero = 0;
    for (size_t i = 0; i < n; i++) zero = fmaf(x[i], 0, zero);
    return zero;
}

static void split_words(const q3_activations *a, size_t slot) {
    for (int i = 0; i < 32; i++) {
        int x = a->i16[32 * slot + (size_t)i], high = (x + 64) >> 7;
        int8_t *at = q3_halves(a, slot) + 64 * (i / 8) + i % 8;
        at[0] = (int8_t)high;
        at[256] = (int8_t)(x - 128 * high);
    }
}

/* `more` is what a format has besides integers, scale and sum. */
#define PREPARE(format, element, limit, more) \
    static void prepare_##format(const float *x, size_t row, const q3_activations *a) { \
        for (size_t j = 0; j < a->cols / 32; j++) { \
            float bad = not_finite(x + 32 * j, 32), max = largest(x + 32 * j, 32); \
            float scale = max / limit + bad, inverse = max > Q3_TINY ? limit / max : 0; \
            size_t slot = q3_slot(a, row, j); \
            int sum = 0; \
            for (int i = 0; i < 32; i++) { \
                int q = bad == 0 ? (int)round_even(x[32 * j + i] * inverse) : 0; \
                a->format[32 * slot + i] = (element)q; \
                sum += q; \
            } \
            a->format##_scale[slot] = scale; \
            a->format##_sum[slot] = scale * (float)sum; \
            more \
        } \
    }
PREPARE(i8, int8_t, Q3_I8_MAX, a->i8_start[slot] = -128 * sum;)
PREPARE(i16, int16_t, Q3_I16_MAX, if (a->i16_halves) split_words(a, slot);)

static void scalar_prepare_row(const float *x, const float *gain, float epsilon, size_t row, const q3_activations *a, float *work) {
    if (gain) {
        scalar_rms_norm(x, gain, epsilon, a->cols, work);
        x = work;
    }
    if (a->f32) memcpy(a->f32 + row * a->cols, x, a->cols * sizeof(float));
    if (a->i8) prepare_i8(x, row, a);
    if (a->i16) prepare_i16(x, row, a);
}

/* === Products === */

/* `weight` is weight i of row r of block b, `m` what its minimum is. */
#define ROW(name, block, format, weight, minimum) \
    static float row_##name(const panel_header *header, int r, const q3_activations *a, size_t t) { \
        const block *b = q3_blocks(header); \
        float y = 0; \
        for (size_t j = 0; j < header->blocks; j++, b++) { \
            size_t slot = q3_slot(a, t, j); \
            int dot = 0; \
            for (int i = 0; i < 32; i++) dot += (weight) * a->format[32 * slot + i]; \
            y = fmaf((float)dot * b->d[r], a->format##_scale[slot], y); \
            if (header->minimums) y = fmaf(minimum, a->format##_sum[slot], y); \
        } \
        return y; \
    }
ROW(u8, block_u8, i8, b->w[i / 4][r][i % 4], b->m[r])
ROW(u4, block_u4, i8, b->w[i % 16 / 4][r][i % 4] >> i / 16 * 4 & 15, b->m[r])
ROW(words, block_w16, i16, b->w[i / 2][r][i % 2], b->m[r])
ROW(bytes, block_w8, i16, b->w[i / Q3_BYTE_RUN][r][i % Q3_BYTE_RUN], 0)
ROW(scaled, block_w8s, i16, b->w[i / Q3_BYTE_RUN][r][i % Q3_BYTE_RUN] * b->scale[i / 16][r][0], 0)

static float row_s8(const panel_header *header, int r, const q3_activations *a, size_t t) {
    const block_s8 *b = q3_blocks(header);
    float y = 0;
    for (size_t j = 0; j < header->blocks; j++, b++) {
        size_t slot = q3_slot(a, t, j);
        int dot = a->i8_start[slot];
        for (int i = 0; i < 32; i++) dot += b->w[i / 4][r][i % 4] * a->i8[32 * slot + i];
        y = fmaf((float)dot * b->d[r], a->i8_scale[slot], y);
    }
    return y;
}

static float row_f32(const panel_header *header, int r, const q3_activations *a, size_t t) {
    const block_f32 *b = q3_blocks(header);
    const float *x = a->f32 + t * a->cols;
    float y = 0;
    for (size_t k = 0; k < a->cols; k++) y = fmaf(b[k / 32].w[k % 32][r], x[k], y);
    return y;
}

typedef float (*row_product)(const panel_header *header, int r, const q3_activations *a, size_t t);

static row_product row_product_of(q3_family family, const panel_header *header) {
    static const row_product words[] = {[Q3_WORDS] = row_words, [Q3_BYTES] = row_bytes, [Q3_SCALED] = row_scaled};
    switch (family) {
    case Q3_FAMILY_U8: return header->width == Q3_BYTES ? row_u8 : row_u4;
    case Q3_FAMILY_W16: return words[header->width];
    case Q3_FAMILY_S8: return row_s8;
    case Q3_FAMILY_F32: break;
    }
    return row_f32;
}

static void scalar_multiply_panel(q3_family family, void *panel, const q3_activations *a, size_t first, size_t tokens, float *out,
                                  size_t out_stride, bool add) {
    row_product product = row_product_of(family, panel);
    for (size_t t = 0; t < tokens; t++) {
        for (int r = 0; r < 16; r++) {
            float y = product(panel, r, a, first + t);
            float *o = out + t * out_stride + r;
            *o = add ? *o + y : y;
        }
    }
}

static void scalar_swiglu(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float e = exp_one(-fabsf(gate[i]));
        float sigmoid = (gate[i] >= 0 ? 1 : e) / (1 + e);
        gate[i] = gate[i] * sigmoid * up[i];
    }
}

static void scalar_norm_rope(float *head, const float *gain, float epsilon, const float *cos, const float *sin, size_t n) {
    scalar_rms_norm(head, gain, epsilon, n, head);
    for (size_t i = 0; i < n / 2; i++) {
        float a = head[i], b = head[i + n / 2];
        head[i] = fmaf(-b, sin[i], a * cos[i]);
        head[i + n / 2] = fmaf(a, sin[i], b * cos[i]);
    }
}

#include "scalar_attention.inc"

/* Making weights is written once, for vectors of any width; here the compiler has only what every processor has. */
#include "../generic/quantize.inc"

const q3_kernels q3_kernels_scalar = {
    isa_pack,   scalar_multiply_panel, scalar_prepare_row, scalar_rms_norm, scalar_swiglu, scalar_norm_rope,
    scalar_exp, scalar_attend,         isa_encode,         isa_decode,      isa_compare,
};
