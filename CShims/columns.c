/* Panels of F32 from columns: what pack makes of the transposed matrix, for products with a matrix as it lies. */
#include <string.h>

#include "panel.h"

void q3_pack_columns(const float *matrix, size_t stride, size_t depth, void *panel) {
    panel_header *header = panel;
    *header = (panel_header){.blocks = 0};
    float *to = (float *)(header + 1);
    for (size_t k = 0; k < depth; k++) memcpy(to + k * Q3_PANEL_ROWS, matrix + k * stride, Q3_PANEL_ROWS * sizeof(float));
}

void q3_transpose(const float *matrix, size_t stride, size_t rows, size_t cols, float *out) {
    enum { TILE = 16 };
    for (size_t r = 0; r < rows; r += TILE) {
        size_t r_end = rows - r < TILE ? rows : r + TILE;
        for (size_t c = 0; c < cols; c += TILE) {
            size_t c_end = cols - c < TILE ? cols : c + TILE;
            for (size_t j = c; j < c_end; j++) {
                for (size_t i = r; i < r_end; i++) out[j * rows + i] = matrix[i * stride + j];
            }
        }
    }
}
