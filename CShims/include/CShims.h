#ifndef CSHIMS_H
#define CSHIMS_H
#include <stdint.h>
#include <stddef.h>
int q3_placeholder(void);
#endif
