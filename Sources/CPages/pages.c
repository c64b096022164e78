#include "CPages.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char ui[] = {
#embed "ui.html"
};
static const unsigned char docs[] = {
#embed "docs.html"
};
static const unsigned char openapi[] = {
#embed "openapi.json"
};

q3_page q3_page_ui(void) { return (q3_page){ui, sizeof ui}; }
q3_page q3_page_docs(void) { return (q3_page){docs, sizeof docs}; }
q3_page q3_page_openapi(void) { return (q3_page){openapi, sizeof openapi}; }
