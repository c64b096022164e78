/* What a file of arch/ begins with once it has set its target and TILE_ROWS: a register of int32, one for each row. */
#include "unpack.h"

/* A loop that becomes straight code, so that what it indexes are registers. */
#define EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)

/* Registers that the 16 rows of a panel take. */
enum { PARTS = Q3_PANEL_ROWS / TILE_ROWS };

typedef int32_t row_ints __attribute__((ext_vector_type(TILE_ROWS), aligned(4)));
typedef float row_floats __attribute__((ext_vector_type(TILE_ROWS), aligned(4)));

Q3_INLINE row_ints load_rows(const void *p) { return *(const row_ints *)p; }

Q3_INLINE row_ints broadcast32(const void *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return (row_ints)v;
}

/* A block of some tokens: i16, and i16_halves where there are any. */
typedef struct {
    const int16_t *words;
    const int8_t *halves;
} word_input;

/* === Weights of a block: dword g of part p of the rows === */

Q3_INLINE row_ints weights_u8(const void *b, int g, int p, q3_width width) {
    if (width == Q3_BYTES) return load_rows(((const block_u8 *)b)->w[g][TILE_ROWS * p]);
    row_ints two = load_rows(((const block_u4 *)b)->w[g % 4][TILE_ROWS * p]);
    return (g < 4 ? two : two >> 4) & 0x0f0f0f0f;
}

typedef int8_t row_pairs __attribute__((ext_vector_type(2 * TILE_ROWS), aligned(1)));
typedef int16_t row_words __attribute__((ext_vector_type(2 * TILE_ROWS), aligned(2)));

Q3_INLINE row_words widened(const void *pairs) { return __builtin_convertvector(*(const row_pairs *)pairs, row_words); }

/* Where bytes stand in pairs. */
Q3_INLINE row_ints weights_w16(const void *b, int g, int p, q3_width width) {
    switch (width) {
    case Q3_BYTES: return (row_ints)widened(((const block_w8 *)b)->w[g][TILE_ROWS * p]);
    case Q3_SCALED: {
        const block_w8s *bytes = b;
        return (row_ints)(widened(bytes->w[g][TILE_ROWS * p]) * widened(bytes->scale[g / 8][TILE_ROWS * p]));
    }
    default: return load_rows(((const block_w16 *)b)->w[g][TILE_ROWS * p]);
    }
}
