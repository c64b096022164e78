#include "CCatalog.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char models[] = {
#embed "../../models.txt"
};

q3_text q3_catalog(void) { return (q3_text){models, sizeof models}; }
