/* AVX-VNNI (Alder Lake, Zen 5 and later): vpdpbusd multiplies 32 bytes, vpdpwssd 16 words, and both add into 8 int32 lanes.
 *
 * In the VEX encoding these kernels have not run anywhere yet, so q3_isa_best() leaves them out. Tests/CShims compiles the same
 * source for AVX-512-VNNI's 256-bit form (Q3_AVXVNNI_TARGET) and checks that. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#if !defined(Q3_AVXVNNI_TARGET)
#define Q3_AVXVNNI_TARGET "avx2,fma,f16c,avxvnni"
#endif
#pragma clang attribute push(__attribute__((target(Q3_AVXVNNI_TARGET))), apply_to = function)

#define Q3_HARDWARE_HALF
#define KERNELS q3_kernels_avxvnni
#define TILE_ROWS 8
#define INTEGER_TILE 4
#define FLOAT_ROWS 3
#define FLOAT_VECTORS 2
#define FLOAT_TOKENS 4
#include "../generic/rows.h"

Q3_INLINE row_ints dot_u8(row_ints sum, row_ints w, row_ints x) {
    return (row_ints)_mm256_dpbusd_epi32((__m256i)sum, (__m256i)w, (__m256i)x);
}
Q3_INLINE row_ints dot_w16(row_ints sum, row_ints w, row_ints x) {
    return (row_ints)_mm256_dpwssd_epi32((__m256i)sum, (__m256i)w, (__m256i)x);
}

#include "../generic/vector.inc"

#pragma clang attribute pop
#endif
