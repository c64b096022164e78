/* CShims: the kernels of q3. README.md beside this folder says what lies where.
 *
 * Every product is out[t, r] = Σ_k weight[r, k] · activation[t, k]. Weights stay as the GGUF file has them and are packed, 16 rows
 * at a time, into a panel that one core keeps in its caches while all tokens pass over it. Four panel families exist; types.h
 * says which types they take:
 *
 *   U8   weights 0..31 as bytes with a minimum, activations int8 with one scale per 32 values
 *   W16  weights int16 with integer sub-scales folded in, activations ±8191 with one scale per 32 values
 *   F32  weights and activations f32: every type
 *   S8   weights int8 with one scale per 32, to which most types are rounded; activations as in U8
 *
 * All families walk K in blocks of 32 in file order, whatever the tile, the thread or the instruction set, and round at the same
 * places: the bits of a result depend on its own row and token only. Matrices are row-major, last axis fastest. Callers have
 * checked sizes (cols a multiple of 32, rows a multiple of 16) and provide all memory: nothing here allocates, and the kernels
 * cannot fail and keep no state. Only the thread team (team.c) asks the system for anything: for threads.
 */
#ifndef CSHIMS_H
#define CSHIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    Q3_BLOCK = 32,       /* K per panel block */
    Q3_PANEL_ROWS = 16,  /* weight rows per panel */
    Q3_TOKEN_GROUP = 8,  /* tokens that integer activations interleave */
    Q3_KEY_BLOCK = 64,   /* keys that attention visits together, aligned to absolute position */
    Q3_QUERY_ROWS = 256, /* query rows (tokens × heads of one K/V group) per attention item */
    Q3_TOKEN_CHUNK = 64, /* tokens per SwiGLU tile */
    Q3_MAX_THREADS = 512,
};

/* === Instruction sets === */

typedef enum {
    Q3_ISA_SCALAR,
    Q3_ISA_AVX2,
    Q3_ISA_AVXVNNI, /* AVX2 with vpdpbusd */
    Q3_ISA_AVX512VNNI,
    Q3_ISA_NEON, /* with the dot product extension */
    Q3_ISA_I8MM, /* NEON with products of byte matrices */
    Q3_ISA_COUNT
} q3_isa;

/* Whether this build has the kernels and this machine runs them. */
bool q3_isa_available(q3_isa isa);
/* The fastest available one, except AVX-VNNI, which must be asked for until it has run on such a processor. */
q3_isa q3_isa_best(void);
const char *q3_isa_name(q3_isa isa);

/* === Weights === */

typedef enum { Q3_FAMILY_U8, Q3_FAMILY_W16, Q3_FAMILY_F32, Q3_FAMILY_S8 } q3_family;
enum { Q3_FAMILY_COUNT = Q3_FAMILY_S8 + 1 };

/* Where panels of a matrix stay once they are packed, for products with few tokens, whose cost is packing. */
typedef struct {
    void *panels;    /* [rows / 16], q3_kept_panel_bytes each, at a multiple of 64 bytes; NULL where none stay */
    uint8_t *states; /* [rows / 16], zeros at first */
} q3_kept;

/* Memory that will be read next, how many lines of 64 bytes of it to ask for with every block that is worked on, and for how many blocks
 * to wait before: what comes too early leaves the cache again. */
typedef struct {
    const char *next, *end;
    size_t lines, wait;
} q3_fetch;

/* A weight matrix as it lies in the mapped file. */
typedef struct {
    const void *data; /* first row; any alignment */
    uint32_t type;    /* GGUF tensor type id */
    q3_family family; /* how to compute with it */
    size_t rows;      /* outputs, a multiple of 16 for products */
    size_t cols;      /* inputs, a multiple of 32 */
    size_t row_bytes;
    q3_kept kept;
} q3_matrix;

/* Whether `type` can be read, and whether it can be computed in `family`. */
bool q3_type_readable(uint32_t type);
bool q3_type_in_family(uint32_t type, q3_family family);
/* Writes rows ids[0..<count] of `w` as f32: out[i * cols ..]. Ids are within rows. */
void q3_dequantize_rows(q3_matrix w, const int32_t *ids, size_t count, float *out);
/* What a panel is packed for, which decides how large it is where a type leaves the choice: small panels are packed and read faster,
 * large ones multiplied faster. Products are the same. */
typedef enum {
    Q3_FOR_MANY, /* tokens */
    Q3_FOR_FEW,
    Q3_TO_KEEP, /* for later passes */
} q3_use;

/* Bytes of a packed panel of `cols` columns: of any type, and of `type` as it is kept. */
size_t q3_panel_bytes(q3_family family, size_t cols);
size_t q3_kept_panel_bytes(uint32_t type, q3_family family, size_t cols);

/* A panel of F32 from the first 16 columns of a matrix [depth, stride]: what packing the transposed matrix gives. `panel` is 64-byte
 * aligned and has q3_panel_bytes of `depth` columns, rounded up to blocks. */
void q3_pack_columns(const float *matrix, size_t stride, size_t depth, void *panel);
/* out [cols, rows] is the transpose of the first `cols` columns of a matrix [rows, stride]. */
void q3_transpose(const float *matrix, size_t stride, size_t rows, size_t cols, float *out);

/* Whether blocks of `type` can be made. */
bool q3_type_writable(uint32_t type);

/* How far values lie from others: Σ (value - other)², Σ value², max |value - other|. */
typedef struct {
    double squares, power;
    float largest;
} q3_difference;

/* === Activations === */

/* A block of token rows in the formats that the next product needs; absent ones are NULL.
 * The integer formats interleave 8 tokens, [tokens/8, cols/32, 8, 32], so that a tile of tokens reads one stream. */
typedef struct {
    size_t cols;
    float *f32;        /* [tokens, cols] */
    int8_t *i8;        /* [tokens/8, cols/32, 8, 32] */
    float *i8_scale;   /* [tokens/8, cols/32, 8] */
    float *i8_sum;     /* like i8_scale: scale · Σ i8 */
    int32_t *i8_start; /* like i8_scale: -128 · Σ i8, what sums of bytes that are 128 too large begin with */
    int16_t *i16;      /* [tokens/8, cols/32, 8, 32] */
    float *i16_scale;  /* [tokens/8, cols/32, 8] */
    float *i16_sum;    /* like i16_scale: scale · Σ i16 */
    /* i16 as 128 · high + low, [tokens/8, cols/32, 2, 4, 8, 8]: for eight tokens and 32 columns all high bytes, then all low ones,
     * each by eights of columns. Used where q3_splits_words says so, in place of i16 by panels of bytes. */
    int8_t *i16_halves;
} q3_activations;

/* Whether products of 14-bit activations with bytes take them apart: ARM multiplies bytes twice as fast as words. */
bool q3_splits_words(void);

/* === Attention === */

/* A run of consecutive tokens of the batch trie. Its keys are its own rows and those of its ancestors. */
typedef struct {
    int32_t parent;   /* run that holds the token before `position`; -1 at the root */
    int32_t position; /* absolute position of the first token */
    int32_t row;      /* first row in K and V */
    int32_t count;
} q3_run;

/* How attention rounds. */
typedef enum {
    Q3_ATTENTION_F32,   /* not at all */
    Q3_ATTENTION_W16,   /* queries, keys, values and weights to integers up to 8191 */
    Q3_ATTENTION_BYTES, /* queries and keys so, values to integers up to 127, weights to 0..127 for every 64 keys */
} q3_attention_rounding;

typedef struct {
    const q3_run *runs;
    const float *keys;                /* [rows, kv_heads, head_dim], rotated */
    const float *values;              /* [rows, kv_heads, head_dim] */
    size_t heads, kv_heads, head_dim; /* head_dim a multiple of 16, at most 256 */
    float scale;                      /* 1/sqrt(head_dim) */
    q3_attention_rounding rounding;
} q3_attention;

/* Tokens of one run that ask: [first, first + count) within the run; their queries and outputs lie in rows from `row` on. */
typedef struct {
    int32_t run, first, count, row;
} q3_query;

/* Bytes of scratch for one thread. */
size_t q3_attention_scratch_bytes(size_t head_dim);

/* === The kernels of one instruction set === */

typedef struct {
    /* Packs 16 rows, from `first_row` on, for `use`, and prefetches the rows after them. `panel` is 64-byte aligned. */
    void (*pack)(const q3_matrix *w, size_t first_row, q3_use use, q3_fetch fetch, void *panel);
    /* out[t, r] = (add ? out[t, r] : 0) + Σ_k panel[r, k] · a[t, k], r in 0..<16, t in first..<first + tokens; first is a multiple
     * of 8, out[0] belongs to token `first`. */
    void (*multiply_panel)(q3_family family, void *panel, const q3_activations *a, size_t first, size_t tokens, float *out,
                           size_t out_stride, bool add);
    /* x [cols], normalized by RMS and `gain` when gain is not NULL, becomes row `row` of every format that `a` holds. A row with a
     * NaN or an infinity gets NaN scales, so that no integer hides it. `work` is [cols]. */
    void (*prepare_row)(const float *x, const float *gain, float epsilon, size_t row, const q3_activations *a, float *work);
    /* y = x / rms(x) · gain over n values (a multiple of 16). */
    void (*rms_norm)(const float *x, const float *gain, float epsilon, size_t n, float *y);
    /* gate = silu(gate) · up over n values (a multiple of 16). */
    void (*swiglu)(float *gate, const float *up, size_t n);
    /* RMS norm with `gain`, then rotary embedding of one head in place: pairs (i, i + n/2); cos and sin are [n/2]. */
    void (*norm_rope)(float *head, const float *gain, float epsilon, const float *cos, const float *sin, size_t n);
    /* y[i] = exp(x[i]) for x ≤ 0; relative error at most 2^-22, 0 below -87.33. n a multiple of 16. */
    void (*exp)(const float *x, float *y, size_t n);
    /* Causal attention of `query` over K/V head `kv_head`; queries and out are [rows, heads, head_dim]. query.count ·
     * heads/kv_heads is at most Q3_QUERY_ROWS. Keys are visited in blocks of 64 from the newest to the oldest. */
    void (*attend)(const q3_attention *a, q3_query query, size_t kv_head, const float *queries, float *out, void *scratch);
    /* Makes blocks of `type` from values [count], whole blocks of finite numbers, with the least squared error that a search finds.
     * What is too large for a block's f16 scale decodes to infinities or NaN. `blocks` may lie at any address. */
    void (*encode)(uint32_t type, const float *values, size_t count, void *blocks);
    /* The values [count] of whole blocks, which may lie at any address. */
    void (*decode)(uint32_t type, const void *blocks, size_t count, float *values);
    /* Differences of values [count] from others [count]; NaN or infinite squares where any of them is not a finite number. */
    q3_difference (*compare)(const float *values, const float *others, size_t count);
} q3_kernels;

/* The kernels of an available instruction set; the scalar ones for any other. */
const q3_kernels *q3_kernels_of(q3_isa isa);

/* === Thread team === */

/* How many of `threads` threads the system lets run at once, the caller among them. libomp ends the process when it cannot have a
 * thread, so this is asked first. */
unsigned q3_startable_threads(unsigned threads);
/* Runs body(context, item, thread) for items 0..<count on at most `threads` threads, and no more than there are processors for the
 * caller, each taking the next item from one queue. To be entered by one thread only: libomp keeps a team for every caller. */
void q3_parallel(unsigned threads, size_t count, void (*body)(void *context, size_t item, unsigned thread), void *context);

/* === Whole operations on the team === */

/* One product of an operation; several products over the same input are scheduled as one parallel loop. */
typedef struct {
    q3_matrix weights;
    float *out; /* [tokens, out_stride] */
    size_t out_stride;
    bool add;
} q3_product;

/* Work memory: `thread_bytes` for each of `threads` threads, 64-byte aligned. */
typedef struct {
    const q3_kernels *kernels;
    unsigned threads;
    void *scratch;
    size_t thread_bytes;
} q3_team;

/* Into how many items of equal size products of `panels` panels with `tokens` tokens are cut, and operations on single rows: as few as
 * leave at most 10 % of the threads idle, where that can be had. */
size_t q3_product_items(size_t panels, size_t tokens, unsigned threads);
size_t q3_row_items(size_t tokens, unsigned threads);

/* Thread bytes that the products below need for matrices of at most `cols` columns. */
size_t q3_multiply_scratch_bytes(size_t cols);
void q3_multiply(q3_team team, const q3_product *products, size_t count, q3_activations input, size_t tokens);
/* out[t, r] = silu(gate·x) · (up·x); gate and up have the same rows. */
void q3_multiply_swiglu(q3_team team, q3_matrix gate, q3_matrix up, q3_activations input, float *out, size_t tokens);
/* prepare_row for rows 0..<tokens of x [tokens, a.cols]. */
void q3_prepare(q3_team team, const float *x, const float *gain, float epsilon, size_t tokens, q3_activations a);
/* norm_rope on every head of x [tokens, heads, head_dim]; cos and sin are [positions, head_dim/2]. */
void q3_norm_rope_heads(q3_team team, float *x, size_t tokens, size_t heads, size_t head_dim, const float *gain, float epsilon,
                        const int32_t *positions, const float *cos, const float *sin);
void q3_attend_all(q3_team team, q3_attention a, const q3_query *queries, size_t count, const float *q, float *out);

/* === Scan of an index === */

/* out[r] = Σ rows[r · cols + k] · query[k] for rows 0..<count. cols is a multiple of 64 and at most 2^16, rows lie at a multiple of
 * 64 bytes, and no value is -128. */
void q3_scan_rows(q3_isa isa, const int8_t *rows, size_t count, size_t cols, const int8_t *query, int32_t *out);

/* The places of the values [count] that are at least `least`, in order, into `found` [count]; returns how many. No NaN is. */
size_t q3_find_at_least(const float *values, size_t count, float least, uint32_t *found);

/* The largest of the values, which NaNs are not compared with; -infinity of none. */
float q3_largest(const float *values, size_t count);

/* === CRC-32C === */

/* The checksum of what `crc` is the checksum of, 0 for nothing, followed by these bytes. */
uint32_t q3_crc32c(uint32_t crc, const void *bytes, size_t count);
/* The same without instructions for it. */
uint32_t q3_crc32c_scalar(uint32_t crc, const void *bytes, size_t count);

/* === Ceilings of this machine === */

/* The instructions that bound products of a family; NULL where none are measured. */
const char *q3_ceiling_name(q3_isa isa, q3_family family);
/* Multiply-adds per second of `threads` threads together, each working on registers only for `seconds` of its processor's
 * time, which is what rates are counted in; 0 without a name. */
double q3_measure_ceiling(q3_isa isa, q3_family family, unsigned threads, double seconds);
/* Bytes per second that threads together read from `buffer`, which should be much larger than the caches and is
 * overwritten; 64-byte aligned. */
double q3_measure_reading(void *buffer, size_t bytes, unsigned threads, double seconds);

#endif
