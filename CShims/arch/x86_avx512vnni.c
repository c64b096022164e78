/* AVX-512 with VNNI: vpdpbusd multiplies 64 bytes, vpdpwssd 32 words, and both add into 16 int32 lanes. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)

#define Q3_HARDWARE_HALF
#define KERNELS q3_kernels_avx512vnni
#define TILE_ROWS 16
#define INTEGER_TILE 8
#define FETCHED_BLOCKS 4
#define ADD_POWERS true /* vpaddd runs where products do not */
#define FLOAT_ROWS 6
#define FLOAT_VECTORS 4
#define FLOAT_TOKENS 8
#include "../generic/rows.h"

Q3_INLINE row_ints dot_u8(row_ints sum, row_ints w, row_ints x) {
    return (row_ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}
Q3_INLINE row_ints dot_w16(row_ints sum, row_ints w, row_ints x) {
    return (row_ints)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}

#include "../generic/vector.inc"

#pragma clang attribute pop
#endif
