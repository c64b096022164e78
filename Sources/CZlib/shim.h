// zlib of the system, to read gzip; its init function is a macro, which Swift does not see.
#include <zlib.h>

/// Prepares a stream that reads gzip members (16) with the largest window (15).
static inline int q3_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
