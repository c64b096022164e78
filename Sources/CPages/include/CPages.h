// Files of this folder as bytes inside the program.
#ifndef CPAGES_H
#define CPAGES_H

#include <stddef.h>

typedef struct {
    const unsigned char *bytes;
    size_t count;
} q3_page;

q3_page q3_page_compare(void);
q3_page q3_page_search(void);
q3_page q3_page_docs(void);
q3_page q3_page_openapi(void);

#endif
