/* Where threads allocate. */
#include <stdlib.h> /* says whether this is glibc */

#include "CQ3System.h"

#if defined(__GLIBC__)
#include <malloc.h>

bool q3_use_one_arena(void) { return mallopt(M_ARENA_MAX, 1) == 1; }
#else
bool q3_use_one_arena(void) { return false; }
#endif
