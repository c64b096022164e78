/* Who is compared with the scalar kernels here, and the counting of what agreed. */
#ifndef Q3_CONTENDERS_H
#define Q3_CONTENDERS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../CShims/arch/kernels.h"

typedef struct {
    const char *name;
    const q3_kernels *kernels;
    q3_isa needs;
    size_t byte_run; /* of its panels of W16 in bytes, where it is not Q3_BYTE_RUN */
    size_t passed, failed;
} contender;

#if defined(__x86_64__)
extern const q3_kernels q3_kernels_avxvnni_evex;
static contender contenders[] = {
    {.name = "avx2", .kernels = &q3_kernels_avx2, .needs = Q3_ISA_AVX2},
    {.name = "avxvnni", .kernels = &q3_kernels_avxvnni, .needs = Q3_ISA_AVXVNNI},
    {.name = "avxvnni in EVEX", .kernels = &q3_kernels_avxvnni_evex, .needs = Q3_ISA_AVX512VNNI},
    {.name = "avx512vnni", .kernels = &q3_kernels_avx512vnni, .needs = Q3_ISA_AVX512VNNI},
};
#else
static contender contenders[] = {
    {.name = "neon", .kernels = &q3_kernels_neon, .needs = Q3_ISA_NEON},
    {.name = "i8mm", .kernels = &q3_kernels_i8mm, .needs = Q3_ISA_I8MM, .byte_run = 8},
};
#endif

/* Every contender that this machine runs. */
#define EACH_CONTENDER(c) \
    for (contender *c = contenders; c < contenders + sizeof contenders / sizeof *contenders; c++) \
        if (q3_isa_available(c->needs))

/* === What is being compared, for the messages === */

static char case_name[160];

__attribute__((format(printf, 1, 2))) static void name_case(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(case_name, sizeof case_name, format, arguments);
    va_end(arguments);
}

static void count(contender *c, bool equal, const char *what, size_t index, double got, double expected) {
    enum { SHOWN = 20 };
    if (equal) {
        c->passed++;
    } else if (c->failed++ < SHOWN) {
        printf("%s: %s: %s[%zu] is %.9g, the scalar kernel says %.9g\n", c->name, case_name, what, index, got, expected);
    }
}

/* All NaNs are equal: which one comes out is the processor's choice. */
static bool same_float(float a, float b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }

static void check_floats(contender *c, const char *what, const float *got, const float *expected, size_t n) {
    size_t i = 0;
    while (i < n && same_float(got[i], expected[i])) i++;
    count(c, i == n, what, i, i < n ? got[i] : 0, i < n ? expected[i] : 0);
}

static void check_bytes(contender *c, const char *what, const void *got, const void *expected, size_t n) {
    const unsigned char *a = got, *b = expected;
    size_t i = 0;
    while (i < n && a[i] == b[i]) i++;
    count(c, i == n, what, i, i < n ? a[i] : 0, i < n ? b[i] : 0);
}

/* === Memory of one case === */

static void *taken[64];
static size_t taken_count;

/* Zeroed, 64-byte aligned, and of exactly the size asked for where that is a multiple of 64. */
static void *take(size_t bytes) {
    size_t size = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, size);
    if (!memory || taken_count == sizeof taken / sizeof *taken) abort();
    return memset(taken[taken_count++] = memory, 0, size);
}

static void free_taken(void) {
    while (taken_count > 0) free(taken[--taken_count]);
}

#endif
