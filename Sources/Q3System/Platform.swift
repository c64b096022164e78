// The C library of this platform, for every file that imports Q3System.

#if canImport(Glibc)
@_exported public import Glibc
#elseif canImport(Musl)
@_exported public import Musl
#elseif canImport(Darwin)
@_exported public import Darwin
#else
#error("q3 runs on Linux (glibc or musl) and on Apple's systems; it needs mmap, pthreads and openat")
#endif
