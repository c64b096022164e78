#!/usr/bin/env bash
# Installs the OpenMP runtime that q3 links on Linux, if it is not there yet.
set -euo pipefail

links_openmp() {
    echo 'int main(void) { return 0; }' | clang -x c - -lomp5 -o /dev/null 2>/dev/null
}

links_openmp && exit 0

if ! command -v apt-get >/dev/null; then
    echo "error: install the development package of LLVM's OpenMP runtime (libomp)," >&2
    echo "or build without it, on one thread: swift build --disable-default-traits" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "error: run as root once: apt-get install libomp-dev" >&2; exit 1; }
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends libomp-dev
links_openmp || { echo "error: libomp-dev is installed, but -lomp5 does not link" >&2; exit 1; }
