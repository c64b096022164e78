/* The codebooks of the IQ1, IQ2 and IQ3 types: vectors of 8 or 4 small numbers, which a block names by their index. A vector is one
 * uint16 of 2-bit or 4-bit components; unpack_grids.h says what these stand for. make_grids.py writes grids.c. */
#ifndef Q3_GRIDS_H
#define Q3_GRIDS_H

#include <stdint.h>

extern const uint16_t q3_grid_iq1[2048], q3_grid_iq2_xxs[256], q3_grid_iq2_xs[512], q3_grid_iq2_s[1024]; /* 8 of 2 bits */
extern const uint16_t q3_grid_iq3_xxs[256], q3_grid_iq3_s[512];                                          /* 4 of 4 bits */

#endif
