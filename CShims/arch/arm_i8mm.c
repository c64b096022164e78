/* NEON with the extension of byte matrices, i8mm: the kernels of arm_neon.c, with panels of bytes in which 8 successive K of a row
 * stand together. */
#define Q3_I8MM
#include "arm_neon.c"
