/* Which of many values reach a bound: after a tile of products only the few that matter are looked at. */
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
