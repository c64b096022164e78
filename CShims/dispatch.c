/* Which kernels run: the public functions look their instruction set up and go on. */
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "panel.h"
#include "unpack.h"

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
#endif
    default: return false;
    }
}

q3_isa q3_isa_best(void) {
    for (q3_isa isa = Q3_ISA_COUNT; isa-- > Q3_ISA_SCALAR;) {
        if (isa != Q3_ISA_AVXVNNI && q3_isa_available(isa)) return isa;
    }
    return Q3_ISA_SCALAR;
}

const char *q3_isa_name(q3_isa isa) {
    static const char *const names[Q3_ISA_COUNT] = {"scalar", "avx2", "avxvnni", "avx512vnni", "neon"};
    return isa < Q3_ISA_COUNT ? names[isa] : "unknown";
}

static const q3_kernels *kernels(q3_isa isa) {
    switch (isa) {
#if defined(__x86_64__)
    case Q3_ISA_AVX2: return &q3_kernels_avx2;
    case Q3_ISA_AVXVNNI: return &q3_kernels_avxvnni;
    case Q3_ISA_AVX512VNNI: return &q3_kernels_avx512vnni;
#elif defined(__aarch64__)
    case Q3_ISA_NEON: return &q3_kernels_neon;
#endif
    default: return &q3_kernels_scalar;
    }
}

#define IS_TYPE(id, unpack, unit, block) \
    case id: return true;

bool q3_type_in_family(uint32_t type, q3_family family) {
    switch (family) {
    case Q3_FAMILY_U8:
        switch (type) { Q3_U8_TYPES(IS_TYPE) }
        return false;
    case Q3_FAMILY_W16:
        switch (type) {
            Q3_W16_TYPES(IS_TYPE)
            Q3_ROUNDED_TYPES(IS_TYPE)
        }
        return false;
    case Q3_FAMILY_F32:
        switch (type) {
            Q3_F32_TYPES(IS_TYPE)
            Q3_W16_TYPES(IS_TYPE)
        }
        return false;
    }
    return false;
}

bool q3_type_readable(uint32_t type) { return q3_type_in_family(type, Q3_FAMILY_F32); }

/* d · q is exact, so d · q + m rounds once: the same float as (d · scale) · q - dmin · min. */
#define DEQUANTIZE(id, unpack, unit, block) \
    case id: \
        for (size_t k = 0; k < w.cols / unit; k++) { \
            int16_t q[unit]; \
            float d[unit / 32], m[unit / 32]; \
            unpack(row + k * sizeof(block), q, d, m); \
            for (int i = 0; i < unit; i++) out[k * unit + i] = d[i / 32] * (float)q[i] + m[i / 32]; \
        } \
        break;
#define READ(id, unpack, unit, block) \
    case id: \
        for (size_t k = 0; k < w.cols / unit; k++) unpack(row + k * sizeof(block), out + k * unit); \
        break;

void q3_dequantize_rows(q3_matrix w, const int32_t *ids, size_t count, float *out) {
    for (size_t i = 0; i < count; i++, out += w.cols) {
        const uint8_t *row = (const uint8_t *)w.data + (size_t)ids[i] * w.row_bytes;
        switch (w.type) {
            Q3_W16_TYPES(DEQUANTIZE)
            Q3_F32_TYPES(READ)
        }
    }
}

bool q3_type_writable(uint32_t type) {
    switch (type) {
    case Q3_F32:
    case Q3_F16:
    case Q3_BF16:
    case Q3_Q8_0:
    case Q3_Q4_0:
    case Q3_Q4_1:
    case Q3_Q5_0:
    case Q3_Q5_1:
    case Q3_Q4_K:
    case Q3_Q5_K:
    case Q3_Q6_K: return true;
    default: return false;
    }
}

void q3_encode(q3_isa isa, uint32_t type, const float *values, size_t count, void *blocks) {
    kernels(isa)->encode(type, values, count, blocks);
}

void q3_decode(q3_isa isa, uint32_t type, const void *blocks, size_t count, float *values) {
    kernels(isa)->decode(type, blocks, count, values);
}

q3_difference q3_compare(q3_isa isa, const float *values, const float *others, size_t count) {
    return kernels(isa)->compare(values, others, count);
}

size_t q3_panel_bytes(q3_family family, size_t cols) {
    size_t block = family == Q3_FAMILY_U8 ? sizeof(block_u8) : family == Q3_FAMILY_W16 ? sizeof(block_w16) : sizeof(block_f32);
    return sizeof(panel_header) + cols / Q3_BLOCK * block;
}

size_t q3_attention_scratch_bytes(size_t head_dim) {
    size_t rows = Q3_QUERY_ROWS, keys = Q3_KEY_BLOCK, depth = q3_padded(head_dim);
    size_t floats = (2 * rows * head_dim + rows * keys + 2 * head_dim * keys + 2 * rows) * sizeof(float);
    size_t panels = keys / Q3_PANEL_ROWS * q3_panel_bytes(Q3_FAMILY_W16, depth)
                    + head_dim / Q3_PANEL_ROWS * q3_panel_bytes(Q3_FAMILY_W16, keys);
    size_t integers = panels + (keys + rows) * depth * sizeof(int16_t) + rows * (head_dim + depth / Q3_BLOCK + 2) * sizeof(float);
    return ((floats > integers ? floats : integers) + 63) / 64 * 64;
}

void q3_pack(q3_isa isa, const q3_matrix *w, size_t first_row, void *panel) { kernels(isa)->pack(w, first_row, panel); }

void q3_multiply_panel(q3_isa isa, q3_family family, void *panel, const q3_activations *a, size_t first, size_t tokens, float *out,
                       size_t out_stride, bool add) {
    kernels(isa)->multiply_panel(family, panel, a, first, tokens, out, out_stride, add);
}

void q3_prepare_row(q3_isa isa, const float *x, const float *gain, float epsilon, size_t row, const q3_activations *a,
                    float *work) {
    kernels(isa)->prepare_row(x, gain, epsilon, row, a, work);
}

void q3_rms_norm(q3_isa isa, const float *x, const float *gain, float epsilon, size_t n, float *y) {
    kernels(isa)->rms_norm(x, gain, epsilon, n, y);
}

void q3_swiglu(q3_isa isa, float *gate, const float *up, size_t n) { kernels(isa)->swiglu(gate, up, n); }

void q3_norm_rope(q3_isa isa, float *head, const float *gain, float epsilon, const float *cos, const float *sin, size_t n) {
    kernels(isa)->norm_rope(head, gain, epsilon, cos, sin, n);
}

void q3_exp(q3_isa isa, const float *x, float *y, size_t n) { kernels(isa)->exp(x, y, n); }

void q3_attend(q3_isa isa, const q3_attention *a, q3_query query, size_t kv_head, const float *queries, float *out, void *scratch) {
    kernels(isa)->attend(a, query, kv_head, queries, out, scratch);
}
