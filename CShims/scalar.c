#include "CShims.h"
int q3_placeholder(void) { return 0; }
