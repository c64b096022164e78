/* Arbitrary bytes as weights of every GGUF type and as activations: nothing reads or writes outside, and every vector kernel gives the
 * bits of the scalar one. Tests/Fuzz/run builds this with libFuzzer and the sanitizers. */
#include "../CShims/comparisons.h"
#include "../CShims/weight_types.h"

enum { ROWS = Q3_PANEL_ROWS, TOKENS = 9 };

/* The input, over and over once it is used up. */
static const uint8_t *input;
static size_t input_bytes, input_position;

static uint8_t next_byte(void) { return input[input_position++ % input_bytes]; }

static void fill(void *memory, size_t bytes) {
    uint8_t *at = memory;
    for (size_t i = 0; i < bytes; i++) at[i] = next_byte();
}

/* Rows as f32 are what the F32 panel has in its columns. */
static void check_dequantized(const q3_matrix *weights, const panel_header *panel) {
    static const int32_t ids[ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    float *rows = malloc(ROWS * weights->cols * sizeof(float));
    q3_dequantize_rows(*weights, ids, ROWS, rows);
    for (size_t k = 0; k < weights->cols && weights->family == Q3_FAMILY_F32; k++) {
        const block_f32 *block = (const block_f32 *)(panel + 1) + k / Q3_BLOCK;
        for (size_t r = 0; r < ROWS; r++) {
            if (!same_float(rows[r * weights->cols + k], block->w[k % Q3_BLOCK][r])) __builtin_trap();
        }
    }
    free(rows);
}

static void run_products(const weight_type *type, q3_family family, size_t cols, q3_use use, bool odd) {
    size_t row_bytes = cols / type->weights * type->bytes, panel_bytes = q3_panel_bytes(family, cols);
    uint8_t *data = malloc(odd + ROWS * row_bytes); /* of this very size, and at any alignment, as in a file */
    fill(data + odd, ROWS * row_bytes);
    q3_matrix weights = {data + odd, type->id, family, ROWS, cols, row_bytes, {NULL, NULL}};
    void *panel = take(panel_bytes);
    q3_kernels_scalar.pack(&weights, 0, use, (q3_fetch){NULL, NULL, 0, 0}, panel);
    check_dequantized(&weights, panel);

    q3_activations all = take_activations(TOKENS, cols);
    float *x = take(cols * sizeof(float)), *work = take(cols * sizeof(float)), expected[TOKENS * ROWS];
    for (size_t t = 0; t < TOKENS; t++) {
        fill(x, cols * sizeof(float));
        q3_kernels_scalar.prepare_row(x, NULL, 0, t, &all, work);
    }
    q3_kernels_scalar.multiply_panel(family, panel, &all, 0, TOKENS, expected, ROWS, false);
    q3_activations last = take_activations(1, cols);
    q3_kernels_scalar.prepare_row(x, x, 1e-6f, 0, &last, work);

    name_case("%s in family %d, %zu columns", type->name, family, cols);
    EACH_CONTENDER(c) {
        q3_activations prepared = take_activations(1, cols);
        void *packed = take(panel_bytes);
        float product[TOKENS * ROWS];
        c->kernels->prepare_row(x, x, 1e-6f, 0, &prepared, work);
        check_prepared(c, 0, &prepared, &last);
        c->kernels->pack(&weights, 0, use, (q3_fetch){NULL, NULL, 0, 0}, packed);
        check_panel(c, family, packed, panel);
        c->kernels->multiply_panel(family, packed, &all, 0, TOKENS, product, ROWS, false);
        check_floats(c, "product", product, expected, TOKENS * ROWS);
        if (c->failed > 0) __builtin_trap();
    }
    free_taken();
    free(data);
}

/* Type, family and width stand in the first three bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 4) return -1;
    input = bytes, input_bytes = count, input_position = 0;
    const weight_type *type = weight_types + next_byte() % WEIGHT_TYPES;
    q3_family family = (q3_family)(next_byte() % Q3_FAMILY_COUNT);
    uint8_t width = next_byte();
    if (!q3_type_in_family(type->id, family)) return -1;
    run_products(type, family, type->weights * (1 + width % 3), (q3_use)(width / 4 % 3), width & 0x80);
    return 0;
}
