#!/usr/bin/env bash
# Installs what q3 is built with on Linux, if it is not there yet: the OpenMP runtime, zlib to read gzip, SQLite for indexes, and
# the headers of libcurl, which q3 pull loads when it runs.
set -euo pipefail

links() {
    printf '#include <%s>\nint main(void) { return 0; }' "$1" | clang -x c - "-l$2" -o /dev/null 2>/dev/null
}
packages=()
links stddef.h omp5 || packages+=(libomp-dev)
links zlib.h :libz.a || packages+=(zlib1g-dev)
links curl/curl.h c || packages+=(libcurl4-openssl-dev)
links sqlite3.h :libsqlite3.a || packages+=(libsqlite3-dev)
[ "${#packages[@]}" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "error: install the development packages of LLVM's OpenMP runtime (libomp), of zlib, of SQLite 3 and of libcurl;" >&2
    echo "without OpenMP q3 runs on one thread: swift build --disable-default-traits" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "error: run as root once: apt-get install ${packages[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
links stddef.h omp5 || { echo "error: libomp-dev is installed, but -lomp5 does not link" >&2; exit 1; }
links zlib.h :libz.a || { echo "error: zlib1g-dev is installed, but -l:libz.a does not link" >&2; exit 1; }
links sqlite3.h :libsqlite3.a || { echo "error: libsqlite3-dev is installed, but -l:libsqlite3.a does not link" >&2; exit 1; }
links curl/curl.h c || { echo "error: libcurl4-openssl-dev is installed, but curl/curl.h is not found" >&2; exit 1; }
