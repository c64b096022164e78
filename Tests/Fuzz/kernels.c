/* Any bytes as weights, any bytes as activations: every instruction set packs and multiplies them like the scalar kernels, and no
 * memory but its own is touched. `make fuzz` builds it with libFuzzer. */
#include "../CShims/contenders.h"
#include "../CShims/values.h"

enum { COLS = 256, ROWS = 16, TOKENS = 9 };

/* Fills memory with the input over and over; zeros without any. */
static void spread(void *to, size_t bytes, const uint8_t *from, size_t count) {
    for (size_t i = 0; i < bytes; i++) ((uint8_t *)to)[i] = count ? from[i % count] : 0;
}

static void run_family(const weight_type *type, q3_family family, const uint8_t *bytes, size_t count) {
    size_t row_bytes = COLS / type->weights * type->bytes, panel_bytes = q3_panel_bytes(family, COLS);
    uint8_t *data = take(ROWS * row_bytes);
    spread(data, ROWS * row_bytes, bytes, count);
    q3_matrix weights = {data, type->id, family, ROWS, COLS, row_bytes};
    float *x = take(COLS * sizeof(float));
    spread(x, COLS * sizeof(float), bytes + count / 2, count - count / 2);
    q3_activations a = {.cols = COLS,
                        .f32 = take(2 * Q3_TOKEN_GROUP * COLS * sizeof(float)),
                        .i8 = take(2 * Q3_TOKEN_GROUP * COLS),
                        .i8_scale = take(2 * Q3_TOKEN_GROUP * COLS / Q3_BLOCK * sizeof(float)),
                        .i8_sum = take(2 * Q3_TOKEN_GROUP * COLS / Q3_BLOCK * sizeof(float)),
                        .i16 = take(2 * Q3_TOKEN_GROUP * COLS * sizeof(int16_t)),
                        .i16_sum = take(2 * Q3_TOKEN_GROUP * COLS / Q3_BLOCK * sizeof(float)),
                        .i16_scale = take(2 * Q3_TOKEN_GROUP * COLS / Q3_BLOCK * sizeof(float))};
    for (size_t t = 0; t < TOKENS; t++) {
        x[t] = (float)t;
        q3_kernels_scalar.prepare_row(x, NULL, 0, t, &a, NULL);
    }
    void *panel = take(panel_bytes);
    float expected[TOKENS * 16];
    q3_kernels_scalar.pack(&weights, 0, panel);
    q3_kernels_scalar.multiply_panel(family, panel, &a, 0, TOKENS, expected, 16, false);
    EACH_CONTENDER(c) {
        void *packed = take(panel_bytes);
        float got[TOKENS * 16];
        c->kernels->pack(&weights, 0, packed);
        c->kernels->multiply_panel(family, packed, &a, 0, TOKENS, got, 16, false);
        name_case("%s", type->name);
        check_floats(c, "product", got, expected, TOKENS * 16);
        if (c->failed) abort();
    }
    free_taken();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0) return 0;
    const weight_type *type = weight_types + bytes[0] % (sizeof weight_types / sizeof *weight_types);
    float values[COLS];
    uint8_t *row = take(COLS / type->weights * type->bytes);
    spread(row, COLS / type->weights * type->bytes, bytes + 1, count - 1);
    q3_matrix w = {row, type->id, Q3_FAMILY_F32, 1, COLS, COLS / type->weights * type->bytes};
    q3_dequantize_rows(w, (int32_t[]){0}, 1, values);
    free_taken();
    for (q3_family family = Q3_FAMILY_U8; family <= Q3_FAMILY_F32; family++) {
        if (q3_type_in_family(type->id, family)) run_family(type, family, bytes + 1, count - 1);
    }
    return 0;
}
