/* The types that weights come in. */
#ifndef Q3_WEIGHT_TYPES_H
#define Q3_WEIGHT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "../../CShims/blocks.h"
#include "../../CShims/types.h"

typedef struct {
    const char *name;
    uint32_t id;
    size_t weights, bytes; /* of a block */
    int encodes;
} weight_type;

#define ROW(name, unit, u8, w16, s8, minimums, wide, encodes) {#name, Q3_##name, unit, sizeof(block_##name), 0 Q3_IF_##encodes(+1)},
static const weight_type weight_types[] = {Q3_TYPES(ROW)};
#undef ROW

enum { WEIGHT_TYPES = sizeof weight_types / sizeof *weight_types };

/* Where f16 scales stand in a block of each type; a type with one has it twice. */
static const struct {
    uint32_t id;
    size_t at[2];
} halves_of_types[] = {
#define ONE_HALF(name) \
    { \
        Q3_##name, { offsetof(block_##name, d), offsetof(block_##name, d) } \
    }
#define TWO_HALVES(name, second) \
    { \
        Q3_##name, { offsetof(block_##name, d), offsetof(block_##name, second) } \
    }
    ONE_HALF(Q4_0),         TWO_HALVES(Q4_1, m), ONE_HALF(Q5_0),         TWO_HALVES(Q5_1, m),    ONE_HALF(Q8_0),
    ONE_HALF(IQ4_NL),       ONE_HALF(IQ3_XXS),   ONE_HALF(IQ3_S),        ONE_HALF(IQ2_XXS),      ONE_HALF(IQ2_XS),
    ONE_HALF(IQ2_S),        ONE_HALF(IQ1_S),     ONE_HALF(TQ1_0),        ONE_HALF(TQ2_0),        ONE_HALF(Q3_K),
    TWO_HALVES(Q2_K, dmin), ONE_HALF(Q6_K),      TWO_HALVES(Q4_K, dmin), TWO_HALVES(Q5_K, dmin), ONE_HALF(IQ4_XS),
};

#endif
