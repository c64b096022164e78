/* Rows of activations and packed panels, compared with what the scalar kernels make. */
#ifndef Q3_COMPARISONS_H
#define Q3_COMPARISONS_H

#include <math.h>

#include "contenders.h"

static size_t padded_tokens(size_t tokens) { return (tokens + Q3_TOKEN_GROUP - 1) / Q3_TOKEN_GROUP * Q3_TOKEN_GROUP; }

static q3_activations take_activations(size_t rows, size_t cols) {
    size_t padded = padded_tokens(rows), blocks = padded * cols / Q3_BLOCK;
    return (q3_activations){
        .cols = cols,
        .f32 = take(padded * cols * sizeof(float)),
        .i8 = take(padded * cols),
        .i8_scale = take(blocks * sizeof(float)),
        .i8_sum = take(blocks * sizeof(float)),
        .i8_start = take(blocks * sizeof(int32_t)),
        .i16 = take(padded * cols * sizeof(int16_t)),
        .i16_sum = take(blocks * sizeof(float)),
        .i16_scale = take(blocks * sizeof(float)),
        .i16_halves = take(padded * cols * sizeof(int16_t)),
    };
}

/* Activations of which only `row` was prepared. */
static void check_prepared(contender *c, size_t row, const q3_activations *got, const q3_activations *expected) {
    size_t values = padded_tokens(row + 1) * expected->cols, blocks = values / Q3_BLOCK;
    check_floats(c, "f32", got->f32, expected->f32, values);
    check_floats(c, "i8_scale", got->i8_scale, expected->i8_scale, blocks);
    check_floats(c, "i8_sum", got->i8_sum, expected->i8_sum, blocks);
    check_floats(c, "i16_scale", got->i16_scale, expected->i16_scale, blocks);
    for (size_t j = 0; j < expected->cols / Q3_BLOCK; j++) {
        if (isnan(expected->i16_scale[q3_slot(expected, row, j)])) return; /* the integers mean nothing */
    }
    check_bytes(c, "i8", got->i8, expected->i8, values);
    check_bytes(c, "i8_start", got->i8_start, expected->i8_start, blocks * sizeof(int32_t));
    check_bytes(c, "i16", got->i16, expected->i16, values * sizeof(int16_t));
    check_bytes(c, "i16_halves", got->i16_halves, expected->i16_halves, values * sizeof(int16_t));
    check_floats(c, "i16_sum", got->i16_sum, expected->i16_sum, blocks);
}

/* Weights of a W16 block in bytes, of which some kernels hold more in a run than the scalar ones. */
static void check_byte_weights(contender *c, const void *got, const void *expected) {
    int8_t turned[32 * 16];
    size_t run = c->byte_run ? c->byte_run : Q3_BYTE_RUN;
    for (size_t i = 0; i < 32; i++) {
        for (size_t r = 0; r < 16; r++) {
            const int8_t *from = (const int8_t *)expected + (i / Q3_BYTE_RUN * 16 + r) * Q3_BYTE_RUN;
            turned[(i / run * 16 + r) * run + i % run] = from[i % Q3_BYTE_RUN];
        }
    }
    check_bytes(c, "weights", got, turned, sizeof turned);
}

/* One block of a panel: weights, then scales, then minimums or what else it has. */
#define CHECK_BLOCK(block, more) CHECK_BLOCK_BY(check_bytes(c, "weights", a->w, b->w, sizeof a->w);, block, more)
#define CHECK_BLOCK_BY(weights, block, more) \
    { \
        const block *a = (const block *)(got + 1) + j, *b = (const block *)(expected + 1) + j; \
        weights \
        check_floats(c, "d", a->d, b->d, 16); \
        more \
    }
#define CHECK_MINIMUMS check_floats(c, "m", a->m, b->m, 16);

static void check_panel(contender *c, q3_family family, const panel_header *got, const panel_header *expected) {
    check_bytes(c, "header", got, expected, offsetof(panel_header, width) + sizeof got->width);
    for (size_t j = 0; j < expected->blocks; j++) {
        switch (family) {
        case Q3_FAMILY_U8:
            if (expected->width == Q3_BYTES) CHECK_BLOCK(block_u8, CHECK_MINIMUMS)
            else CHECK_BLOCK(block_u4, CHECK_MINIMUMS)
            break;
        case Q3_FAMILY_W16:
            if (expected->width == Q3_BYTES) CHECK_BLOCK_BY(check_byte_weights(c, a->w, b->w);, block_w8, )
            else if (expected->width == Q3_SCALED)
                CHECK_BLOCK_BY(check_byte_weights(c, a->w, b->w);, block_w8s,
                               check_bytes(c, "scales", a->scale, b->scale, sizeof a->scale);)
            else CHECK_BLOCK(block_w16, CHECK_MINIMUMS)
            break;
        case Q3_FAMILY_S8: CHECK_BLOCK(block_s8, ) break;
        case Q3_FAMILY_F32: {
            const block_f32 *a = (const block_f32 *)(got + 1) + j, *b = (const block_f32 *)(expected + 1) + j;
            check_floats(c, "floats", a->w[0], b->w[0], 32 * 16);
            break;
        }
        }
    }
}

#endif
