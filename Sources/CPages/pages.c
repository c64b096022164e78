#include "CPages.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

// Both pages begin alike: with the style and the functions of page.html.
static const unsigned char compare[] = {
#embed "page.html" suffix(,)
#embed "compare.html"
};
static const unsigned char search[] = {
#embed "page.html" suffix(,)
#embed "search.html"
};
static const unsigned char docs[] = {
#embed "docs.html"
};
static const unsigned char openapi[] = {
#embed "openapi.json"
};

q3_page q3_page_compare(void) { return (q3_page){compare, sizeof compare}; }
q3_page q3_page_search(void) { return (q3_page){search, sizeof search}; }
q3_page q3_page_docs(void) { return (q3_page){docs, sizeof docs}; }
q3_page q3_page_openapi(void) { return (q3_page){openapi, sizeof openapi}; }
