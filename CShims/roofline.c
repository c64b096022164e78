/* The ceilings of this machine: how many multiply-adds its instructions do when nothing else holds them up, and how fast
 * it reads memory.
 *
 * The loops work on registers only. Every instruction is a volatile asm of its own, so the compiler can neither hoist a
 * product out of the loop, since its inputs never change, nor do one product for several sums. Twelve sums are more than
 * latency times instructions per cycle of any of these, and they fit the 16 registers of AVX2 with inputs and product.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "CShims.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum { SUMS = 12, STEPS = 1 << 12 };

#define EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)

/* A burst of SUMS · STEPS times `instructions`, which add to `sum` and read `w` and `a`; `product` is theirs to write. */
#define BURST(name, features, vector, constraint, instructions) \
    __attribute__((target(features))) static void name(void) { \
        vector w, a, product, sums[SUMS] = {{0}}; \
        memset(&w, 0x3C, sizeof w); /* 60 as a byte, 0.01 as a float */ \
        memset(&a, 0x3D, sizeof a); \
        for (int step = 0; step < STEPS; step++) { \
            EACH(i, SUMS) { \
                __asm__ volatile(instructions : "+" constraint(sums[i]), "=&" constraint(product) : constraint(w), constraint(a)); \
            } \
        } \
        (void)product; \
    }

typedef struct {
    const char *name; /* of the instructions */
    size_t width;     /* multiply-adds of one execution */
    void (*burst)(void);
} ceiling;

#if defined(__x86_64__)

#define AVX512 "avx512f,avx512bw,avx512vl,avx512vnni"

BURST(words_of_bytes, "avx2", __m256i, "x", "vpmaddubsw %2, %3, %1\n\tvpaddw %1, %0, %0")
BURST(signed_bytes, "avx2", __m256i, "x",
      "vpsignb %2, %3, %1\n\tvpmaddubsw %1, %2, %1\n\tvpmaddwd %3, %1, %1\n\tvpaddd %1, %0, %0")
BURST(dwords_of_words, "avx2", __m256i, "x", "vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0")
BURST(floats_256, "avx2,fma", __m256, "x", "vfmadd231ps %2, %3, %0")
BURST(dot_bytes_256, "avx2,avxvnni", __m256i, "x", "%{vex%} vpdpbusd %2, %3, %0")
BURST(dot_words_256, "avx2,avxvnni", __m256i, "x", "%{vex%} vpdpwssd %2, %3, %0")
BURST(dot_bytes_512, AVX512, __m512i, "v", "vpdpbusd %2, %3, %0")
BURST(dot_words_512, AVX512, __m512i, "v", "vpdpwssd %2, %3, %0")
BURST(floats_512, AVX512, __m512, "v", "vfmadd231ps %2, %3, %0")

static const ceiling ceilings[Q3_ISA_COUNT][Q3_FAMILY_COUNT] = {
    [Q3_ISA_AVX2] =
        {
            [Q3_FAMILY_U8] = {"vpmaddubsw + vpaddw", 32, words_of_bytes},
            [Q3_FAMILY_W16] = {"vpmaddwd + vpaddd", 16, dwords_of_words},
            [Q3_FAMILY_F32] = {"vfmadd231ps ymm", 8, floats_256},
            [Q3_FAMILY_S8] = {"vpsignb + vpmaddubsw + vpmaddwd + vpaddd", 32, signed_bytes},
        },
    [Q3_ISA_AVXVNNI] =
        {
            [Q3_FAMILY_U8] = {"vpdpbusd ymm", 32, dot_bytes_256},
            [Q3_FAMILY_W16] = {"vpdpwssd ymm", 16, dot_words_256},
            [Q3_FAMILY_F32] = {"vfmadd231ps ymm", 8, floats_256},
            [Q3_FAMILY_S8] = {"vpdpbusd ymm", 32, dot_bytes_256},
        },
    [Q3_ISA_AVX512VNNI] =
        {
            [Q3_FAMILY_U8] = {"vpdpbusd zmm", 64, dot_bytes_512},
            [Q3_FAMILY_W16] = {"vpdpwssd zmm", 32, dot_words_512},
            [Q3_FAMILY_F32] = {"vfmadd231ps zmm", 16, floats_512},
            [Q3_FAMILY_S8] = {"vpdpbusd zmm", 64, dot_bytes_512},
        },
};

#elif defined(__aarch64__)

BURST(dot_bytes, "dotprod", int32x4_t, "w", "sdot %0.4s, %2.16b, %3.16b")
BURST(matrices_of_bytes, "i8mm", int32x4_t, "w", "smmla %0.4s, %2.16b, %3.16b")
BURST(dwords_of_words, "neon", int32x4_t, "w", "smlal %0.4s, %2.4h, %3.4h")
BURST(floats_128, "neon", float32x4_t, "w", "fmla %0.4s, %2.4s, %3.4s")

static const ceiling ceilings[Q3_ISA_COUNT][Q3_FAMILY_COUNT] = {
    [Q3_ISA_NEON] =
        {
            [Q3_FAMILY_U8] = {"sdot", 16, dot_bytes},
            [Q3_FAMILY_W16] = {"smlal", 4, dwords_of_words},
            [Q3_FAMILY_F32] = {"fmla", 4, floats_128},
            [Q3_FAMILY_S8] = {"sdot", 16, dot_bytes},
        },
    [Q3_ISA_I8MM] =
        {
            [Q3_FAMILY_U8] = {"sdot", 16, dot_bytes},
            [Q3_FAMILY_W16] = {"two smmla", 16, matrices_of_bytes}, /* 32 bytes, twice for activations of 14 bits */
            [Q3_FAMILY_F32] = {"fmla", 4, floats_128},
            [Q3_FAMILY_S8] = {"sdot", 16, dot_bytes},
        },
};

#else

static const ceiling ceilings[Q3_ISA_COUNT][Q3_FAMILY_COUNT];

#endif

const char *q3_ceiling_name(q3_isa isa, q3_family family) { return q3_isa_available(isa) ? ceilings[isa][family].name : NULL; }

/* Processor time of this thread: other processes must not count against the machine. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What all threads do, and the sum of their rates. Each takes one item: an item lasts longer than threads need to start. */
typedef struct {
    void (*burst)(void);
    double work; /* of a burst */
    uint8_t *bytes;
    size_t count; /* bytes of a thread */
    double seconds;
    _Atomic uint64_t rate;
} measurement;

static void compute(void *context, size_t item, unsigned thread) {
    (void)item, (void)thread;
    measurement *m = context;
    double start = now(), taken, bursts = 0;
    do {
        m->burst();
        bursts++;
    } while ((taken = now() - start) < m->seconds);
    atomic_fetch_add(&m->rate, (uint64_t)(bursts * m->work / taken));
}

double q3_measure_ceiling(q3_isa isa, q3_family family, unsigned threads, double seconds) {
    if (!q3_ceiling_name(isa, family)) return 0;
    const ceiling *c = &ceilings[isa][family];
    measurement m = {.burst = c->burst, .work = (double)c->width * SUMS * STEPS, .seconds = seconds};
    q3_parallel(threads, threads, compute, &m);
    return (double)m.rate;
}

static void write_bytes(void *context, size_t item, unsigned thread) {
    (void)thread;
    measurement *m = context;
    for (size_t i = 0; i < m->count; i++) m->bytes[item * m->count + i] = (uint8_t)i;
}

static void read_bytes(void *context, size_t item, unsigned thread) {
    (void)thread;
    measurement *m = context;
    const uint64_t *words = (const uint64_t *)(m->bytes + item * m->count);
    double start = now(), taken, passes = 0;
    do {
        uint64_t sum = 0;
        for (size_t i = 0; i < m->count / sizeof *words; i++) sum += words[i];
        __asm__ volatile("" : : "r"(sum) : "memory");
        passes++;
    } while ((taken = now() - start) < m->seconds);
    atomic_fetch_add(&m->rate, (uint64_t)(passes * (double)m->count / taken));
}

double q3_measure_reading(void *buffer, size_t bytes, unsigned threads, double seconds) {
    measurement m = {.bytes = buffer, .count = bytes / threads / 64 * 64, .seconds = seconds};
    q3_parallel(threads, threads, write_bytes, &m);
    q3_parallel(threads, threads, read_bytes, &m);
    return (double)m.rate;
}
