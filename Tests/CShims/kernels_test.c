/* Compares every vector kernel with the scalar one, bit for bit. Tests/CShims/run builds and runs it, for this machine and for ARM. */
#include "comparisons.h"
#include "values.h"

static const q3_kernels *const reference = &q3_kernels_scalar;

/* === Activations === */

static void test_prepare_row(void) {
    enum { ROW = 5 };
    static const size_t widths[] = {32, 64, 992};
    for (int w = 0; w < 3; w++) {
        for (int kind = 0; kind < ROW_KINDS; kind++) {
            for (int with_gain = 0; with_gain < 2; with_gain++) {
                size_t cols = widths[w];
                float *x = take(cols * sizeof(float)), *gain = take(cols * sizeof(float)), *work = take(cols * sizeof(float));
                fill_row(x, cols, kind);
                fill_random(gain, cols, 2);
                q3_activations expected = take_activations(ROW + 1, cols);
                reference->prepare_row(x, with_gain ? gain : NULL, 1e-6f, ROW, &expected, work);
                name_case("prepare_row of kind %d, %zu values%s", kind, cols, with_gain ? ", normalized" : "");
                EACH_CONTENDER(c) {
                    q3_activations got = take_activations(ROW + 1, cols);
                    c->kernels->prepare_row(x, with_gain ? gain : NULL, 1e-6f, ROW, &got, work);
                    check_prepared(c, ROW, &got, &expected);
                }
                free_taken();
            }
        }
    }
}

/* === Products === */

enum { MAX_TOKENS = 17, FIRST = 8, ALL_TOKENS = FIRST + MAX_TOKENS, STRIDE = 19 };

/* A token's products are the same in any tile: `product` [ALL_TOKENS, 16] serves for every first and count. */
static void check_product(contender *c, q3_family family, void *panel, const q3_activations *a, const float *product) {
    for (size_t tokens = 1; tokens <= MAX_TOKENS; tokens++) {
        size_t first = tokens % 2 * FIRST;
        for (int add = 0; add < 2; add++) {
            float got[(MAX_TOKENS + 1) * STRIDE], expected[(MAX_TOKENS + 1) * STRIDE];
            fill_random(got, (MAX_TOKENS + 1) * STRIDE, 1);
            memcpy(expected, got, sizeof got);
            for (size_t t = 0; t < tokens; t++) {
                for (size_t r = 0; r < 16; r++) {
                    float y = product[(first + t) * 16 + r], *o = expected + t * STRIDE + r;
                    *o = add ? *o + y : y;
                }
            }
            c->kernels->multiply_panel(family, panel, a, first, tokens, got, STRIDE, add);
            check_floats(c, add ? "added product" : "product", got, expected, (MAX_TOKENS + 1) * STRIDE);
        }
    }
}

static void test_products_of(const weight_type *type, q3_family family, int pattern, size_t cols, q3_use use) {
    static const char *const families[] = {"U8", "W16", "F32", "S8"};
    enum { ROWS = 32, FIRST_ROW = 16, OFFSET = 1 }; /* a file may align its tensors to 1 */
    size_t row_bytes = cols / type->weights * type->bytes, panel_bytes = q3_panel_bytes(family, cols);
    uint8_t *data = take(OFFSET + ROWS * row_bytes);
    fill_weights(type, pattern, data + OFFSET, ROWS * cols / type->weights);
    q3_matrix weights = {data + OFFSET, type->id, family, ROWS, cols, row_bytes, {NULL, NULL}};
    void *panel = take(panel_bytes);
    reference->pack(&weights, FIRST_ROW, use, (q3_fetch){NULL, NULL, 0, 0}, panel);

    q3_activations a = take_activations(ALL_TOKENS, cols);
    float *x = take(cols * sizeof(float)), *product = take(ALL_TOKENS * 16 * sizeof(float));
    for (size_t t = 0; t < ALL_TOKENS; t++) {
        fill_row(x, cols, (int)(t % (t < FIRST + 8 ? ROW_KINDS : 5))); /* the last whole tile has what exponents allow */
        reference->prepare_row(x, NULL, 0, t, &a, NULL);
    }
    reference->multiply_panel(family, panel, &a, 0, ALL_TOKENS, product, 16, false);

    name_case("%s as %s, %s, %zu columns, use %d", type->name, families[family], pattern_names[pattern], cols, use);
    EACH_CONTENDER(c) {
        void *packed = take(panel_bytes);
        c->kernels->pack(&weights, FIRST_ROW, use, (q3_fetch){NULL, NULL, 0, 0}, packed);
        check_panel(c, family, packed, panel);
        check_product(c, family, packed, &a, product);
    }
    free_taken();
}

static void test_products(void) {
    for (size_t i = 0; i < WEIGHT_TYPES; i++) {
        const weight_type *type = weight_types + i;
        for (q3_family family = Q3_FAMILY_U8; family < Q3_FAMILY_COUNT; family++) {
            if (!q3_type_in_family(type->id, family)) continue;
            for (int pattern = 0; pattern < PATTERNS; pattern++) {
                for (q3_use use = Q3_FOR_MANY; use <= Q3_TO_KEEP; use++) {
                    test_products_of(type, family, pattern, (use == Q3_FOR_FEW ? 1 : 3) * type->weights, use);
                }
            }
        }
    }
}

/* A panel of columns is that of the transposed matrix, and needs no whole blocks. */
static void test_columns(void) {
    enum { STRIDE_OF_MATRIX = 37, FIRST_COLUMN = 5 };
    for (size_t depth = 32; depth <= 96; depth += 32) {
        float *matrix = take(depth * STRIDE_OF_MATRIX * sizeof(float)), *turned = take(STRIDE_OF_MATRIX * depth * sizeof(float));
        fill_random(matrix, depth * STRIDE_OF_MATRIX, 1);
        q3_transpose(matrix, STRIDE_OF_MATRIX, depth, STRIDE_OF_MATRIX, turned);
        q3_matrix weights = {turned + FIRST_COLUMN * depth, 0, Q3_FAMILY_F32, 16, depth, depth * sizeof(float), {NULL, NULL}};
        size_t bytes = q3_panel_bytes(Q3_FAMILY_F32, depth);
        float *expected = take(bytes), *got = take(bytes);
        reference->pack(&weights, 0, Q3_FOR_MANY, (q3_fetch){NULL, NULL, 0, 0}, expected);
        q3_pack_columns(matrix + FIRST_COLUMN, STRIDE_OF_MATRIX, depth, got);
        size_t header = bytes / sizeof(float) - depth * 16;
        name_case("columns of depth %zu", depth);
        EACH_CONTENDER(c) check_floats(c, "a panel of columns", got + header, expected + header, depth * 16);
        free_taken();
    }
}

/* === Element by element === */

static void test_rms_norm(void) {
    for (size_t n = 16; n <= 1024; n *= 4) {
        for (int kind = 0; kind < ROW_KINDS; kind++) {
            float *x = take(n * sizeof(float)), *gain = take(n * sizeof(float)), *expected = take(n * sizeof(float));
            fill_row(x, n, kind);
            fill_random(gain, n, 2);
            reference->rms_norm(x, gain, 1e-6f, n, expected);
            name_case("rms_norm of kind %d, %zu values", kind, n);
            EACH_CONTENDER(c) {
                float *got = take(n * sizeof(float));
                c->kernels->rms_norm(x, gain, 1e-6f, n, got);
                check_floats(c, "y", got, expected, n);
            }
            free_taken();
        }
    }
}

static void test_norm_rope(void) {
    for (size_t n = 32; n <= 256; n += 32) {
        for (int kind = 0; kind < ROW_KINDS; kind++) {
            float *head = take(n * sizeof(float)), *gain = take(n * sizeof(float)), *expected = take(n * sizeof(float));
            float *cosines = take(n / 2 * sizeof(float)), *sines = take(n / 2 * sizeof(float));
            fill_row(head, n, kind);
            fill_random(gain, n, 2);
            for (size_t i = 0; i < n / 2; i++) {
                float angle = random_float(100);
                cosines[i] = cosf(angle), sines[i] = sinf(angle);
            }
            memcpy(expected, head, n * sizeof(float));
            reference->norm_rope(expected, gain, 1e-6f, cosines, sines, n);
            name_case("norm_rope of kind %d, %zu values", kind, n);
            EACH_CONTENDER(c) {
                float *got = take(n * sizeof(float));
                memcpy(got, head, n * sizeof(float));
                c->kernels->norm_rope(got, gain, 1e-6f, cosines, sines, n);
                check_floats(c, "head", got, expected, n);
            }
            free_taken();
        }
    }
}

/* exp of negative floats from `bits` on, `step` apart, until they are NaNs or there were `blocks` of 4096; SwiGLU of the same values
 * with both signs. */
static void test_curves_from(uint32_t bits, uint32_t step, int blocks) {
    enum { N = 4096 };
    for (int block = 0; block < blocks; block++) {
        float x[N], gate[N], expected[N], got[N], up[N];
        for (int i = 0; i < N; i++) {
            memcpy(x + i, &bits, 4);
            gate[i] = i % 2 ? x[i] : -x[i];
            if (bits <= UINT32_MAX - step) bits += step;
        }
        fill_random(up, N, 4);
        reference->exp(x, expected, N);
        name_case("exp from %.9g on", (double)x[0]);
        EACH_CONTENDER(c) {
            c->kernels->exp(x, got, N);
            check_floats(c, "y", got, expected, N);
        }
        memcpy(expected, gate, sizeof gate);
        reference->swiglu(expected, up, N);
        name_case("swiglu from %.9g on", (double)x[0]);
        EACH_CONTENDER(c) {
            memcpy(got, gate, sizeof gate);
            c->kernels->swiglu(got, up, N);
            check_floats(c, "gate", got, expected, N);
        }
    }
}

static void test_curves(void) {
    const float edge = Q3_EXP_MIN + 0.01f; /* closely around the place where exp becomes 0 */
    uint32_t bits;
    memcpy(&bits, &edge, 4);
    test_curves_from(bits, 1, 1);
    test_curves_from(0x80000000, 4099, 128); /* from -0 to -infinity and NaN */
}

/* === Attention === */

/* A root, two children at its end, and a grandchild that leaves the first child at its middle. */
static const q3_run runs[] = {{-1, 0, 0, 70}, {0, 70, 70, 130}, {0, 70, 200, 5}, {1, 150, 205, 40}};
enum { KEY_ROWS = 245 };

static void test_attention_of(size_t head_dim, size_t kv_heads, size_t group, float range, q3_query query,
                              q3_attention_rounding rounding) {
    static const char *const names[] = {"f32", "14 bits", "bytes"};
    size_t heads = kv_heads * group, rows = (size_t)(query.row + query.count), width = heads * head_dim;
    float *keys = take(KEY_ROWS * kv_heads * head_dim * sizeof(float)),
          *values = take(KEY_ROWS * kv_heads * head_dim * sizeof(float));
    float *queries = take(rows * width * sizeof(float)), *expected = take(rows * width * sizeof(float));
    fill_random(keys, KEY_ROWS * kv_heads * head_dim, 1);
    fill_random(values, KEY_ROWS * kv_heads * head_dim, 1);
    fill_random(queries, rows * width, range);
    if (range == 3) { /* a channel that is large in every key, values of zeros, of very different sizes, and with a NaN */
        for (size_t r = 0; r < KEY_ROWS * kv_heads; r++) keys[r * head_dim + 5] = 12 + keys[r * head_dim + 5];
        memset(values + 64 * kv_heads * head_dim, 0, kv_heads * head_dim * sizeof(float));
        for (size_t i = 0; i < kv_heads * head_dim; i++) values[i] *= 1e-30f, values[90 * kv_heads * head_dim + i] *= 1e30f;
        values[(240 * kv_heads + kv_heads - 1) * head_dim] = NAN;
    }
    q3_attention a = {runs, keys, values, heads, kv_heads, head_dim, 1 / sqrtf((float)head_dim), rounding};
    reference->attend(&a, query, kv_heads - 1, queries, expected, NULL);
    name_case("attention in %s, head of %zu, %zu query heads, range %g, %d tokens of run %d from %d", names[rounding], head_dim,
              group, (double)range, query.count, query.run, query.first);
    EACH_CONTENDER(c) {
        float *got = take(rows * width * sizeof(float));
        c->kernels->attend(&a, query, kv_heads - 1, queries, got, take(q3_attention_scratch_bytes(head_dim)));
        check_floats(c, "out", got, expected, rows * width);
    }
    free_taken();
}

static void test_attention(q3_attention_rounding rounding) {
    static const q3_query queries[] = {{0, 0, 1, 0},   {0, 0, 64, 0}, {0, 63, 7, 3}, {1, 0, 64, 0},
                                       {1, 66, 64, 1}, {2, 0, 5, 0},  {3, 0, 40, 2}, {3, 39, 1, 0}};
    static const float ranges[] = {0, 0.1f, 3, 1000};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
            for (size_t head_dim = 32; head_dim <= 256; head_dim *= 2)
                test_attention_of(head_dim, 2, 2, ranges[r], queries[i], rounding);
            test_attention_of(16, 1, 1, ranges[r], queries[i], rounding);
        }
    }
    test_attention_of(128, 1, 5, 3, (q3_query){1, 100, 25, 0}, rounding);
}

/* Attention in bytes stays near that in f32 however long the text, and with a channel that is large in every key: the mean of 1 -
 * cosine is 1.1e-4 over normal keys, and less where few keys decide. */
static void test_long_attention(int32_t tokens, float range, bool large) {
    enum { N = 128, GROUP = 2, LAST = 8, OUT = LAST * GROUP * N };
    float *keys = take((size_t)tokens * N * sizeof(float)), *values = take((size_t)tokens * N * sizeof(float));
    float *queries = take(OUT * sizeof(float)), *exact = take(OUT * sizeof(float)), *got = take(OUT * sizeof(float));
    fill_random(keys, (size_t)tokens * N, 1);
    fill_random(values, (size_t)tokens * N, 1);
    fill_random(queries, OUT, range);
    for (size_t r = 0; r < (size_t)tokens && large; r++) keys[r * N + 40] += 12;
    q3_run text = {-1, 0, 0, tokens};
    q3_attention a = {&text, keys, values, GROUP, 1, N, 1 / sqrtf(N), Q3_ATTENTION_F32};
    q3_query query = {0, tokens - LAST, LAST, 0};
    void *scratch = take(q3_attention_scratch_bytes(N));
    name_case("attention in bytes over %d tokens, range %g", tokens, (double)range);
    EACH_CONTENDER(c) {
        double sum = 0;
        a.rounding = Q3_ATTENTION_F32;
        c->kernels->attend(&a, query, 0, queries, exact, scratch);
        a.rounding = Q3_ATTENTION_BYTES;
        c->kernels->attend(&a, query, 0, queries, got, scratch);
        for (size_t r = 0; r < LAST * GROUP; r++) {
            double xy = 0, xx = 0, yy = 0;
            for (size_t i = r * N; i < (r + 1) * N; i++) {
                double x = exact[i], y = got[i];
                xy += x * y, xx += x * x, yy += y * y;
            }
            sum += 1 - xy / sqrt(xx * yy);
        }
        count(c, sum / (LAST * GROUP) < 3e-4, "mean of 1 - cosine", 0, sum / (LAST * GROUP), 0);
    }
    free_taken();
}

/* === Making weights === */

static void test_codec(void) {
    enum { VALUES = 3 * 512 + 256, BYTES = VALUES * 4, KINDS = 6, SHIFTED = 6, TINY = 7, ALL = 8 };
    for (const weight_type *type = weight_types; type < weight_types + WEIGHT_TYPES; type++) {
        for (int kind = 0; type->encodes && kind < ALL; kind++) {
            float *x = take(VALUES * sizeof(float)), *values = take(VALUES * sizeof(float));
            uint8_t *blocks = take(BYTES + 1);
            fill_row(x, VALUES, kind < KINDS ? kind : 0);
            for (size_t i = 0; i < VALUES; i++) x[i] = kind == SHIFTED ? x[i] - 20 : kind == TINY ? x[i] * 1e-6f : x[i];
            reference->encode(type->id, x, VALUES, blocks + 1); /* blocks lie anywhere */
            reference->decode(type->id, blocks + 1, VALUES, values);
            q3_difference expected = reference->compare(x, values, VALUES);
            name_case("%s of kind %d", type->name, kind);
            EACH_CONTENDER(c) {
                float *got = take(VALUES * sizeof(float));
                uint8_t *made = take(BYTES + 1);
                c->kernels->encode(type->id, x, VALUES, made + 1);
                check_bytes(c, "blocks", made, blocks, BYTES + 1);
                c->kernels->decode(type->id, blocks + 1, VALUES, got);
                check_floats(c, "values", got, values, VALUES);
                q3_difference difference = c->kernels->compare(x, values, VALUES);
                check_bytes(c, "squares", &difference.squares, &expected.squares, sizeof difference.squares);
                check_bytes(c, "power", &difference.power, &expected.power, sizeof difference.power);
                check_floats(c, "largest", &difference.largest, &expected.largest, 1);
            }
            free_taken();
        }
    }
}

/* === Inputs that fuzzing found worth keeping === */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count); /* Tests/Fuzz/kernels.c; ends the program where kernels differ */

static void replay(const char *path) {
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, count);
}

int main(int argc, char **argv) {
    printf("q3_isa_best: %s\n", q3_isa_name(q3_isa_best()));
    test_prepare_row();
    test_products();
    test_columns();
    test_rms_norm();
    test_norm_rope();
    test_curves();
    for (q3_attention_rounding rounding = Q3_ATTENTION_F32; rounding <= Q3_ATTENTION_BYTES; rounding++) test_attention(rounding);
    for (int32_t tokens = 512; tokens <= 32768; tokens *= 8) {
        for (int large = 0; large < 2; large++) {
            test_long_attention(tokens, 1, large);
            test_long_attention(tokens, 3, large);
        }
    }
    test_codec();
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%d inputs of the fuzzer replayed\n", argc - 1);

    size_t passed = 0, failed = 0;
    for (contender *c = contenders; c < contenders + sizeof contenders / sizeof *contenders; c++) {
        passed += c->passed, failed += c->failed;
        if (!q3_isa_available(c->needs)) printf("%s: this processor does not run it\n", c->name);
    }
    EACH_CONTENDER(c) printf("%s: %zu passed, %zu failed\n", c->name, c->passed, c->failed);
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
