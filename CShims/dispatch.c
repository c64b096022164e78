/* Which kernels run, and which types they take. */
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "arch/kernels.h"
#include "blocks.h"
#include "types.h"

/* === Instruction sets === */

#if defined(__x86_64__)
#define X86(kernels) &kernels
#define ARM(kernels) NULL
#elif defined(__aarch64__)
#define X86(kernels) NULL
#define ARM(kernels) &kernels
#else
#define X86(kernels) NULL
#define ARM(kernels) NULL
#endif

/* Faster ones have higher ids; `proven` ones are chosen where nothing is asked for. */
static const struct {
    const char *name;
    const q3_kernels *kernels; /* NULL where this build has none */
    bool proven;
} isas[] = {
    [Q3_ISA_SCALAR] = {"scalar", &q3_kernels_scalar, true},
    [Q3_ISA_AVX2] = {"avx2", X86(q3_kernels_avx2), true},
    [Q3_ISA_AVXVNNI] = {"avxvnni", X86(q3_kernels_avxvnni), false},
    [Q3_ISA_AVX512VNNI] = {"avx512vnni", X86(q3_kernels_avx512vnni), true},
    [Q3_ISA_NEON] = {"neon", ARM(q3_kernels_neon), true},
    [Q3_ISA_I8MM] = {"i8mm", ARM(q3_kernels_i8mm), true},
};
_Static_assert(sizeof isas / sizeof *isas == Q3_ISA_COUNT, "every instruction set has its line");

#if defined(__aarch64__)
static bool has_i8mm(void) {
#if defined(__linux__)
    return getauxval(AT_HWCAP2) & HWCAP2_I8MM;
#elif defined(__APPLE__)
    int has = 0; /* M2 and later */
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, NULL, 0) == 0 && has != 0;
#else
    return false;
#endif
}
#endif

bool q3_isa_available(q3_isa isa) {
    switch (isa) {
    case Q3_ISA_SCALAR: return true;
#if defined(__x86_64__)
    case Q3_ISA_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case Q3_ISA_AVXVNNI: return q3_isa_available(Q3_ISA_AVX2) && __builtin_cpu_supports("avxvnni");
    case Q3_ISA_AVX512VNNI:
        return q3_isa_available(Q3_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
               && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case Q3_ISA_NEON:
#if defined(__linux__)
        return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
        return true; /* every Apple silicon Mac has the dot product */
#endif
    case Q3_ISA_I8MM: return q3_isa_available(Q3_ISA_NEON) && has_i8mm();
#endif
    default: return false;
    }
}

q3_isa q3_isa_best(void) {
    for (q3_isa isa = Q3_ISA_COUNT; isa-- > Q3_ISA_SCALAR;) {
        if (isas[isa].proven && q3_isa_available(isa)) return isa;
    }
    return Q3_ISA_SCALAR;
}

const char *q3_isa_name(q3_isa isa) { return isa < Q3_ISA_COUNT ? isas[isa].name : "unknown"; }

const q3_kernels *q3_kernels_of(q3_isa isa) { return q3_isa_available(isa) ? isas[isa].kernels : &q3_kernels_scalar; }

/* === Types === */

#define IS_U8(name, unit, u8, w16, s8, minimums, wide, encodes) Q3_IF_##u8(case Q3_##name:)
#define IS_W16(name, unit, u8, w16, s8, minimums, wide, encodes) Q3_IF_W16_##w16(case Q3_##name:)
#define IS_S8(name, unit, u8, w16, s8, minimums, wide, encodes) Q3_IF_S8_##s8(case Q3_##name:)
#define IS_TYPE(name, unit, u8, w16, s8, minimums, wide, encodes) case Q3_##name:
#define IS_ENCODED(name, unit, u8, w16, s8, minimums, wide, encodes) Q3_IF_##encodes(case Q3_##name:)
#define LISTED(type, which) \
    switch (type) { \
        Q3_TYPES(which) \
        return true; \
    default: return false; \
    }

bool q3_type_in_family(uint32_t type, q3_family family) {
    switch (family) {
    case Q3_FAMILY_U8: LISTED(type, IS_U8)
    case Q3_FAMILY_W16: LISTED(type, IS_W16)
    case Q3_FAMILY_F32: LISTED(type, IS_TYPE)
    case Q3_FAMILY_S8: LISTED(type, IS_S8)
    }
    return false;
}

bool q3_splits_words(void) {
#if defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

bool q3_type_readable(uint32_t type) { LISTED(type, IS_TYPE) }
bool q3_type_writable(uint32_t type) { LISTED(type, IS_ENCODED) }

/* Rows of embeddings are few: the plain kernels do. */
void q3_dequantize_rows(q3_matrix w, const int32_t *ids, size_t count, float *out) {
    for (size_t i = 0; i < count; i++, out += w.cols) {
        q3_kernels_scalar.decode(w.type, (const uint8_t *)w.data + (size_t)ids[i] * w.row_bytes, w.cols, out);
    }
}

/* === Memory === */

size_t q3_panel_bytes(q3_family family, size_t cols) {
    static const size_t blocks[] = {
        [Q3_FAMILY_U8] = sizeof(block_u8),
        [Q3_FAMILY_W16] = sizeof(block_w16),
        [Q3_FAMILY_F32] = sizeof(block_f32),
        [Q3_FAMILY_S8] = sizeof(block_s8),
    };
    return sizeof(panel_header) + cols / Q3_BLOCK * blocks[family];
}

#define WIDTH(name, unit, u8, w16, s8, minimums, wide, encodes) [Q3_##name] = {Q3_WIDTH_##w16(Q3_TO_KEEP), wide},

size_t q3_kept_panel_bytes(uint32_t type, q3_family family, size_t cols) {
    static const struct {
        q3_width width;
        bool wide;
    } types[] = { Q3_TYPES(WIDTH) };
    static const size_t widths[] = {
        [Q3_WORDS] = sizeof(block_w16),
        [Q3_BYTES] = sizeof(block_w8),
        [Q3_SCALED] = sizeof(block_w8s),
    };
    size_t bytes = q3_panel_bytes(family, cols), blocks = cols / Q3_BLOCK;
    if (family == Q3_FAMILY_U8 && !types[type].wide) bytes = sizeof(panel_header) + blocks * sizeof(block_u4);
    if (family == Q3_FAMILY_W16) bytes = sizeof(panel_header) + blocks * widths[types[type].width];
    return (bytes + 63) / 64 * 64;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t q3_attention_scratch_bytes(size_t head_dim) {
    size_t rows = Q3_QUERY_ROWS, keys = Q3_KEY_BLOCK, depth = q3_padded(head_dim), blocks = rows * depth / Q3_BLOCK;
    size_t floats = (2 * rows * head_dim + rows * keys + 2 * head_dim * keys + 2 * rows) * sizeof(float);
    size_t panels = keys / Q3_PANEL_ROWS * q3_panel_bytes(Q3_FAMILY_W16, depth)
                    + head_dim / Q3_PANEL_ROWS * q3_panel_bytes(Q3_FAMILY_W16, keys);
    size_t integers = panels + (keys + rows) * depth * sizeof(int16_t) + (rows * (head_dim + 2) + blocks) * sizeof(float);
    size_t byte_panels =
        keys / Q3_PANEL_ROWS * q3_panel_bytes(Q3_FAMILY_S8, depth) + head_dim / Q3_PANEL_ROWS * sizeof(block_values);
    size_t bytes = byte_panels + rows * depth + (keys * depth + 2 * blocks + rows * (head_dim + 16 + 2)) * sizeof(float);
    return (larger(floats, larger(integers, bytes)) + 63) / 64 * 64;
}
