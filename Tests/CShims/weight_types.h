/* The types that weights come in. */
#ifndef Q3_WEIGHT_TYPES_H
#define Q3_WEIGHT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "../../CShims/blocks.h"

typedef struct {
    const char *name;
    uint32_t id;
    size_t weights, bytes; /* of a block */
    int halves[2];         /* where its f16 scales stand; -1 for none */
} weight_type;

#define ONE_HALF(type, count, block, d) {#type, Q3_##type, count, sizeof(block), {offsetof(block, d), -1}}
#define TWO_HALVES(type, count, block, d, m) \
    { \
        #type, Q3_##type, count, sizeof(block), { offsetof(block, d), offsetof(block, m) } \
    }

static const weight_type weight_types[] = {
    {"F32", Q3_F32, 32, 128, {-1, -1}},         {"F16", Q3_F16, 32, 64, {-1, -1}},      {"BF16", Q3_BF16, 32, 64, {-1, -1}},
    ONE_HALF(Q4_0, 32, block_q4_0, d),          TWO_HALVES(Q4_1, 32, block_q4_1, d, m), ONE_HALF(Q5_0, 32, block_q5_0, d),
    TWO_HALVES(Q5_1, 32, block_q5_1, d, m),     ONE_HALF(Q8_0, 32, block_q8_0, d),      ONE_HALF(IQ4_NL, 32, block_iq4_nl, d),
    TWO_HALVES(Q2_K, 256, block_q2_K, d, dmin), ONE_HALF(Q3_K, 256, block_q3_K, d),     TWO_HALVES(Q4_K, 256, block_q4_K, d, dmin),
    TWO_HALVES(Q5_K, 256, block_q5_K, d, dmin), ONE_HALF(Q6_K, 256, block_q6_K, d),     ONE_HALF(IQ4_XS, 256, block_iq4_xs, d),
};

#endif
