/* Which of many values reach a bound, and the largest: after a tile of products only the few that matter are looked at. */
#include "CShims.h"

/* Most stretches have none: those are passed over by comparisons alone, which the compiler makes vectors of. */
enum { STRETCH = 64 };

size_t q3_find_at_least(const float *values, size_t count, float least, uint32_t *found) {
    size_t hits = 0;
    for (size_t start = 0; start < count; start += STRETCH) {
        size_t end = count - start < STRETCH ? count : start + STRETCH;
        int any = 0;
        for (size_t i = start; i < end; i++) any |= values[i] >= least;
        if (!any) continue;
        for (size_t i = start; i < end; i++) {
            if (values[i] >= least) found[hits++] = (uint32_t)i;
        }
    }
    return hits;
}

float q3_largest(const float *values, size_t count) {
    enum { LANES = 16 };
    /* Lanes of their own, which the compiler makes vectors of. */
    float lanes[LANES];
    for (size_t j = 0; j < LANES; j++) lanes[j] = -__builtin_inff();
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (size_t j = 0; j < LANES; j++) lanes[j] = values[i + j] > lanes[j] ? values[i + j] : lanes[j];
    }
    for (; i < count; i++) lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
    float largest = lanes[0];
    for (size_t j = 1; j < LANES; j++) largest = lanes[j] > largest ? lanes[j] : largest;
    return largest;
}
