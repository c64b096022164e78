/* products TYPE FAMILY TIMES: as many products of 16 rows of 1024 weights with 64 tokens, by the best kernels of the machine. */
#include "../comparisons.h"
#include "../weight_types.h"

int main(int argc, char **argv) {
    enum { COLS = 1024, TOKENS = 64 };
    static const char *const families[] = {"u8", "w16", "f32", "s8"};
    const weight_type *type = weight_types;
    q3_family family = Q3_FAMILY_U8;
    if (argc != 4) return 2;
    while (type < weight_types + WEIGHT_TYPES && strcmp(type->name, argv[1]) != 0) type++;
    while (family < Q3_FAMILY_COUNT && strcmp(families[family], argv[2]) != 0) family++;
    if (type == weight_types + WEIGHT_TYPES || family == Q3_FAMILY_COUNT || !q3_type_in_family(type->id, family)) return 2;

    const q3_kernels *kernels = q3_kernels_of(q3_isa_best());
    size_t row_bytes = COLS / type->weights * type->bytes;
    q3_matrix weights = {take(16 * row_bytes), type->id, family, 16, COLS, row_bytes, {NULL, NULL}};
    q3_activations a = take_activations(TOKENS, COLS);
    float *x = take(COLS * sizeof(float)), *out = take(TOKENS * 16 * sizeof(float));
    void *panel = take(q3_panel_bytes(family, COLS));
    for (size_t i = 0; i < COLS; i++) x[i] = (float)(i % 7);
    for (size_t t = 0; t < TOKENS; t++) kernels->prepare_row(x, NULL, 0, t, &a, NULL);
    kernels->pack(&weights, 0, Q3_TO_KEEP, (q3_fetch){NULL, NULL, 0, 0}, panel);
    for (int i = 0; i < atoi(argv[3]); i++) kernels->multiply_panel(family, panel, &a, 0, TOKENS, out, 16, false);
    free_taken();
    return 0;
}
