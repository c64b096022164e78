#include "CMini.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

// Aligned like a mapped file's tensors for the kernels' wide loads, so that the built-in model is as fast as the same file.
static const _Alignas(64) unsigned char model[] = {
#embed "q3-mini.gguf"
};

q3_mini_file q3_mini(void) { return (q3_mini_file){model, sizeof model}; }
