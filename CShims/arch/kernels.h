/* The tables that the files of this folder fill. */
#ifndef Q3_ARCH_KERNELS_H
#define Q3_ARCH_KERNELS_H

#include "../panel.h"

extern const q3_kernels q3_kernels_scalar;
#if defined(__x86_64__)
extern const q3_kernels q3_kernels_avx2, q3_kernels_avxvnni, q3_kernels_avx512vnni;
#elif defined(__aarch64__)
extern const q3_kernels q3_kernels_neon, q3_kernels_i8mm;
#endif

#endif
