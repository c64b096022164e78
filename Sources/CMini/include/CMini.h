// The built-in model as bytes inside the program.
#ifndef CMINI_H
#define CMINI_H

#include <stddef.h>

typedef struct {
    const unsigned char *bytes;
    size_t count;
} q3_mini_file;

// The whole GGUF file, at a multiple of 64 bytes.
q3_mini_file q3_mini(void);

#endif
