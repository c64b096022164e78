/* Random and extreme inputs: floats, rows of activations, and blocks of every weight type. */
#ifndef Q3_VALUES_H
#define Q3_VALUES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "weight_types.h"

/* SplitMix64: the same values on every machine. */
static uint64_t random_state = 3;
static uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* In [-range, range). */
static float random_float(float range) { return range * ((float)(random_bits() >> 40) * 0x1p-23f - 1); }

static void fill_random(float *x, size_t n, float range) {
    for (size_t i = 0; i < n; i++) x[i] = random_float(range);
}

/* === Activations === */

enum { ROW_KINDS = 11 };

/* Row kinds 0..<ROW_KINDS; the last two hold an infinity and a NaN. */
static void fill_row(float *x, size_t n, int kind) {
    static const float ranges[ROW_KINDS] = {1, 1, 0, 0, 0, 0, 3e38f, 1e-37f, 1e4f, 1, 1};
    fill_random(x, n, ranges[kind]);
    switch (kind) {
    case 1: x[n / 3] = 300; break; /* an outlier channel */
    case 2:
        for (size_t i = 0; i < n; i++) x[i] = 1; /* the largest sums */
        break;
    case 3:
        for (size_t i = 0; i < n; i++) x[i] = -1;
        break;
    case 4:
        for (size_t i = 0; i < n; i++) x[i] = i % 2 ? -1 : 1;
        break;
    case 9: x[n / 2] = -INFINITY; break;
    case 10: x[n - 1] = NAN; break;
    default: break;
    }
}

/* === Weights === */

/* Any bits at all; random bits with finite floats; then blocks of one byte, where the quants and scales reach their extremes. */
static const char *const pattern_names[] = {"any bits", "random", "00", "ff", "80", "7f"};
enum { PATTERN_ANY, PATTERN_RANDOM, PATTERN_00, PATTERN_FF, PATTERN_80, PATTERN_7F, PATTERNS };

/* ± 2^-12 to 2^5. */
static uint16_t random_half(void) {
    uint64_t r = random_bits();
    return (uint16_t)((r & 0x83ff) | (3 + (r >> 32) % 18) << 10);
}

static void fill_weights(const weight_type *type, int pattern, uint8_t *data, size_t blocks) {
    static const uint8_t bytes[PATTERNS] = {0, 0, 0x00, 0xff, 0x80, 0x7f};
    static const uint16_t extreme_halves[] = {0x7bff, 0x0001, 0x8000, 0xfbff, 0x03ff}; /* ± largest, subnormals, -0 */
    for (size_t i = 0; i < blocks * type->bytes; i++) data[i] = pattern < PATTERN_00 ? (uint8_t)random_bits() : bytes[pattern];
    if (pattern == PATTERN_ANY) return;
    for (size_t b = 0; b < blocks; b++, data += type->bytes) {
        for (size_t i = 0; i < sizeof halves_of_types / sizeof *halves_of_types; i++) {
            for (int h = 0; h < 2 && halves_of_types[i].id == type->id; h++) {
                uint16_t half = pattern == PATTERN_RANDOM ? random_half() : extreme_halves[random_bits() % 5];
                memcpy(data + halves_of_types[i].at[h], &half, 2);
            }
        }
        if (pattern != PATTERN_RANDOM) continue;
        if (type->id == Q3_MXFP4) data[0] = (uint8_t)(120 + random_bits() % 16); /* its scale is a power of two */
        if (type->id == Q3_IQ1_M) {                                              /* its f16 is in four top nibbles */
            uint16_t half = random_half();
            for (int i = 0; i < 4; i++) {
                uint8_t *top = data + offsetof(block_IQ1_M, scales) + 2 * i + 1;
                *top = (uint8_t)((*top & 15) | (half >> (4 * i) & 15) << 4);
            }
        }
        for (size_t i = 0; i < type->weights; i++) {
            float x = random_float(1);
            uint16_t half = random_half();
            if (type->id == Q3_F32) memcpy(data + 4 * i, &x, 4);
            if (type->id == Q3_F16) memcpy(data + 2 * i, &half, 2);
            if (type->id == Q3_BF16) memcpy(data + 2 * i, (uint8_t *)&x + 2, 2); /* the upper half of an f32 */
        }
    }
}

#endif
