/* The AVX-VNNI kernels in AVX-512-VNNI's 256-bit encoding: the same source, for the many machines that only have that one. */
#define Q3_AVXVNNI_TARGET "avx2,fma,f16c,avx512vl,avx512vnni"
#define q3_kernels_avxvnni q3_kernels_avxvnni_evex
#include "../../CShims/arch/x86_avxvnni.c"
