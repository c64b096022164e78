// models.txt as bytes inside the program.
#ifndef CCATALOG_H
#define CCATALOG_H

#include <stddef.h>

typedef struct {
    const unsigned char *bytes;
    size_t count;
} q3_text;

q3_text q3_catalog(void);

#endif
