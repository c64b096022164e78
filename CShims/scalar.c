/* The truth: every kernel as plain loops, rounding where the vector kernels round, for any machine and for the tests. */
#include <math.h>

#include "panel.h"
#include "unpack.h"

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

#define PACK8(id, unpack, unit, block) \
    case id: \
        for (size_t k = 0; k < w->cols / unit; k++) { \
            for (int r = 0; r < 16; r++) { \
                uint8_t q[unit]; \
                float d[unit / 32], m[unit / 32]; \
                unpack(rows + r * w->row_bytes + k * sizeof(block), q, d, m); \
                for (int j = 0; j < unit / 32; j++) { \
                    block_u8 *b = (block_u8 *)(header + 1) + k * (unit / 32) + j; \
                    for (int i = 0; i < 32; i++) b->w[i / 4][r][i % 4] = q[32 * j + i]; \
                    b->d[r] = d[j], b->m[r] = m[j]; \
                } \
            } \
        } \
        break;

#define PACK16(id, unpack, unit, block) \
    case id: \
        for (size_t k = 0; k < w->cols / unit; k++) { \
            for (int r = 0; r < 16; r++) { \
                int16_t q[unit]; \
                float d[unit / 32], m[unit / 32]; \
                unpack(rows + r * w->row_bytes + k * sizeof(block), q, d, m); \
                for (int j = 0; j < unit / 32; j++) { \
                    block_w16 *b = (block_w16 *)(header + 1) + k * (unit / 32) + j; \
                    for (int i = 0; i < 32; i++) b->w[i / 2][r][i % 2] = q[32 * j + i]; \
                    b->d[r] = d[j], b->m[r] = m[j]; \
                } \
            } \
        } \
        break;

#define PACK_DEQUANTIZED(id, unpack, unit, block) \
    case id: \
        for (size_t k = 0; k < w->cols / unit; k++) { \
            for (int r = 0; r < 16; r++) { \
                int16_t q[unit]; \
                float d[unit / 32], m[unit / 32]; \
                unpack(rows + r * w->row_bytes + k * sizeof(block), q, d, m); \
                for (int i = 0; i < unit; i++) { \
                    ((block_f32 *)(header + 1))[(k * unit + i) / 32].w[i % 32][r] = d[i / 32] * (float)q[i] + m[i / 32]; \
                } \
            } \
        } \
        break;

#define PACKF(id, unpack, unit, block) \
    case id: \
        for (size_t k = 0; k < w->cols / unit; k++) { \
            for (int r = 0; r < 16; r++) { \
                float x[unit]; \
                unpack(rows + r * w->row_bytes + k * sizeof(block), x); \
                for (int i = 0; i < unit; i++) ((block_f32 *)(header + 1))[(k * unit + i) / 32].w[i % 32][r] = x[i]; \
            } \
        } \
        break;

static void scalar_pack(const q3_matrix *w, size_t first_row, void *panel) {
    panel_header *header = panel;
    const uint8_t *rows = (const uint8_t *)w->data + first_row * w->row_bytes;
    *header = (panel_header){.blocks = (uint32_t)(w->cols / Q3_BLOCK),
                             .minimums = (uint32_t)q3_has_minimums(w->type, w->family == Q3_FAMILY_U8),
                             .wide = w->type == Q3_Q5_K};
    switch (w->family) {
    case Q3_FAMILY_U8:
        switch (w->type) { Q3_U8_TYPES(PACK8) }
        break;
    case Q3_FAMILY_W16:
        switch (w->type) {
            Q3_W16_TYPES(PACK16)
            Q3_ROUNDED_TYPES(PACK16)
        }
        break;
    case Q3_FAMILY_F32:
        switch (w->type) {
            Q3_F32_TYPES(PACKF)
            Q3_W16_TYPES(PACK_DEQUANTIZED)
        }
        break;
    }
}

/* === Activations === */

static void scalar_rms_norm(const float *x, const float *gain, float epsilon, size_t n, float *y) {
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++) lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    float inverse = 1 / sqrtf(sum16(lane) / (float)n + epsilon);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * inverse * gain[i];
}

static float largest(const float *x, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(x[i]);
        most = magnitude > most ? magnitude : most;
    }
    return most;
}

/* 0, or NaN when x holds a NaN or an infinity. */
static float poison(const float *x, size_t n) {
    float zero = 0;
    for (size_t i = 0; i < n; i++) zero = fmaf(x[i], 0, zero);
    return zero;
}

static void prepare_i8(const float *x, size_t row, const q3_activations *a) {
    for (size_t j = 0; j < a->cols / 32; j++) {
        float bad = poison(x + 32 * j, 32), most = largest(x + 32 * j, 32);
        float scale = most / Q3_I8_MAX + bad, inverse = most > Q3_TINY ? Q3_I8_MAX / most : 0;
        size_t slot = q3_slot(a, row, j);
        int sum = 0;
        for (int i = 0; i < 32; i++) {
            int q = bad == 0 ? (int)round_even(x[32 * j + i] * inverse) : 0;
            a->i8[32 * slot + i] = (int8_t)q;
            sum += q;
        }
        a->i8_scale[slot] = scale;
        a->i8_sum[slot] = scale * (float)sum;
    }
}

static void prepare_i16(const float *x, size_t row, const q3_activations *a) {
    for (size_t j = 0; j < a->cols / 32; j++) {
        float bad = poison(x + 32 * j, 32), most = largest(x + 32 * j, 32);
        float scale = most / Q3_I16_MAX + bad, inverse = most > Q3_TINY ? Q3_I16_MAX / most : 0;
        size_t slot = q3_slot(a, row, j);
        int sum = 0;
        for (int i = 0; i < 32; i++) {
            int q = bad == 0 ? (int)round_even(x[32 * j + i] * inverse) : 0;
            a->i16[32 * slot + i] = (int16_t)q;
            sum += q;
        }
        a->i16_scale[slot] = scale;
        a->i16_sum[slot] = scale * (float)sum;
    }
}

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

static float row_u8(const panel_header *header, int r, const q3_activations *a, size_t t) {
    const block_u8 *b = (const block_u8 *)(header + 1);
    float y = 0;
    for (size_t j = 0; j < header->blocks; j++, b++) {
        size_t slot = q3_slot(a, t, j);
        int dot = 0;
        for (int i = 0; i < 32; i++) dot += b->w[i / 4][r][i % 4] * a->i8[32 * slot + i];
        y = fmaf((float)dot * b->d[r], a->i8_scale[slot], y);
        if (header->minimums) y = fmaf(b->m[r], a->i8_sum[slot], y);
    }
    return y;
}

static float row_w16(const panel_header *header, int r, const q3_activations *a, size_t t) {
    const block_w16 *b = (const block_w16 *)(header + 1);
    float y = 0;
    for (size_t j = 0; j < header->blocks; j++, b++) {
        size_t slot = q3_slot(a, t, j);
        int dot = 0;
        for (int i = 0; i < 32; i++) dot += b->w[i / 2][r][i % 2] * a->i16[32 * slot + i];
        y = fmaf((float)dot * b->d[r], a->i16_scale[slot], y);
        if (header->minimums) y = fmaf(b->m[r], a->i16_sum[slot], y);
    }
    return y;
}

static float row_f32(const panel_header *header, int r, const q3_activations *a, size_t t) {
    const block_f32 *b = (const block_f32 *)(header + 1);
    const float *x = a->f32 + t * a->cols;
    float y = 0;
    for (size_t k = 0; k < a->cols; k++) y = fmaf(b[k / 32].w[k % 32][r], x[k], y);
    return y;
}

static void scalar_multiply_panel(q3_family family, void *panel, const q3_activations *a, size_t first, size_t tokens, float *out,
                                  size_t out_stride, bool add) {
    for (size_t t = 0; t < tokens; t++) {
        for (int r = 0; r < 16; r++) {
            float y = family == Q3_FAMILY_U8    ? row_u8(panel, r, a, first + t)
                      : family == Q3_FAMILY_W16 ? row_w16(panel, r, a, first + t)
                                                : row_f32(panel, r, a, first + t);
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

/* === Attention === */

/* The keys of one block that a token sees: where they lie, and their scores, then weights. */
typedef struct {
    int32_t count;
    size_t row[Q3_KEY_BLOCK];
    float p[Q3_KEY_BLOCK];
} key_block;

/* Integers up to Q3_I16_MAX and the scale that gives x [n] back; NaN when x holds a NaN or an infinity. */
static float round_row(const float *x, size_t n, int *q) {
    float bad = poison(x, n), most = largest(x, n), inverse = most > Q3_TINY ? Q3_I16_MAX / most : 0;
    for (size_t i = 0; i < n; i++) q[i] = bad == 0 ? (int)round_even(x[i] * inverse) : 0;
    return most / Q3_I16_MAX + bad;
}

/* Σ of 32 products exact, those sums scaled and added one after the other: what a panel of 16 columns does. */
static float block_product(const int *a, const float *a_scale, const int *b, float b_scale, size_t n) {
    float y = 0;
    for (size_t j = 0; j < n; j += 32) {
        int dot = 0;
        for (size_t i = j; i < n && i < j + 32; i++) dot += a[i] * b[i];
        y = fmaf((float)dot * b_scale, a_scale[j / 32], y);
    }
    return y;
}

static float score(const q3_attention *a, const float *q, const float *key) {
    size_t n = a->head_dim;
    if (a->integers) {
        int qi[256], ki[256];
        float q_scale[8];
        for (size_t j = 0; j < n; j += 32) q_scale[j / 32] = round_row(q + j, n - j < 32 ? n - j : 32, qi + j) * a->scale;
        float k_scale = round_row(key, n, ki);
        return block_product(qi, q_scale, ki, k_scale, n);
    }
    float s = 0;
    for (size_t i = 0; i < n; i++) s = fmaf(key[i], q[i], s);
    return s * a->scale;
}

/* o += Σ p · value. */
static void add_values(const q3_attention *a, const key_block *b, float *o) {
    size_t n = a->head_dim;
    if (!a->integers) {
        for (size_t i = 0; i < n; i++) {
            for (int32_t j = 0; j < b->count; j++) o[i] = fmaf(a->values[b->row[j] + i], b->p[j], o[i]);
        }
        return;
    }
    int integers[Q3_KEY_BLOCK][256], w[Q3_KEY_BLOCK], column[Q3_KEY_BLOCK];
    float weight[Q3_KEY_BLOCK], scale[Q3_KEY_BLOCK / 32];
    for (int32_t j = 0; j < b->count; j++) weight[j] = fabsf(b->p[j] * round_row(a->values + b->row[j], n, integers[j]));
    for (int32_t j = 0; j < b->count; j += 32) {
        size_t count = b->count - j < 32 ? (size_t)(b->count - j) : 32;
        scale[j / 32] = round_row(weight + j, count, w + j);
    }
    for (size_t i = 0; i < n; i++) {
        for (int32_t j = 0; j < b->count; j++) column[j] = integers[j][i];
        o[i] += block_product(w, scale, column, 1, (size_t)b->count);
    }
}

static void attend_row(const q3_attention *a, q3_query query, int32_t token, size_t kv_head, const float *q, float *o) {
    size_t n = a->head_dim;
    int32_t run = query.run, position = a->runs[run].position + query.first + token;
    float most = -INFINITY, total = 0;
    for (size_t i = 0; i < n; i++) o[i] = 0;
    for (int32_t block = position / Q3_KEY_BLOCK; block >= 0; block--) {
        int32_t start = block * Q3_KEY_BLOCK;
        key_block b = {.count = position - start + 1 < Q3_KEY_BLOCK ? position - start + 1 : Q3_KEY_BLOCK};
        float block_most = -INFINITY;
        for (int32_t j = b.count - 1; j >= 0; j--) {
            while (start + j < a->runs[run].position) run = a->runs[run].parent;
            b.row[j] = ((size_t)(a->runs[run].row + start + j - a->runs[run].position) * a->kv_heads + kv_head) * n;
            b.p[j] = score(a, q, a->keys + b.row[j]);
            block_most = b.p[j] > block_most ? b.p[j] : block_most;
        }
        float top = block_most > most ? block_most : most, shrink = exp_one(most - top), lane[16] = {0};
        for (int32_t j = 0; j < b.count; j++) {
            b.p[j] = exp_one(b.p[j] - top);
            lane[j % 16] += b.p[j];
        }
        for (size_t i = 0; i < n; i++) o[i] *= shrink;
        add_values(a, &b, o);
        total = fmaf(total, shrink, sum16(lane));
        most = top;
    }
    float inverse = 1 / total;
    for (size_t i = 0; i < n; i++) o[i] *= inverse;
}

static void scalar_attend(const q3_attention *a, q3_query query, size_t kv_head, const float *queries, float *out, void *scratch) {
    (void)scratch;
    size_t group = a->heads / a->kv_heads;
    for (int32_t t = 0; t < query.count; t++) {
        for (size_t h = kv_head * group; h < (kv_head + 1) * group; h++) {
            size_t at = ((size_t)(query.row + t) * a->heads + h) * a->head_dim;
            attend_row(a, query, t, kv_head, queries + at, out + at);
        }
    }
}

/* Making weights is written once, for vectors of any width; here the compiler has only what every processor has. */
#include "quantize.inc"

const q3_kernels q3_kernels_scalar = {
    scalar_pack, scalar_multiply_panel, scalar_prepare_row, scalar_rms_norm, scalar_swiglu, scalar_norm_rope,
    scalar_exp,  scalar_attend,         isa_encode,         isa_decode,      isa_compare,
};
