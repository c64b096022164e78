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
