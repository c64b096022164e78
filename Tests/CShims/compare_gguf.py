#!/usr/bin/env python3
"""Compare what the kernels read with what the gguf package reads, over random blocks of every type; bits, not tolerances.

    pip install gguf==0.19.0
    python3 Tests/CShims/compare_gguf.py [--blocks 20000]

Needs clang. Each type is decoded by every instruction set of this machine, from blocks of random bits whose scales are finite.
The sign of a zero is left out: integers with folded scales do not have one. Ends with status 1 if a value differs.
"""

import argparse
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "Tests/Fixtures"))
from generator import blocks  # noqa: E402

ISAS = ["scalar", "avx2", "avxvnni", "avx512vnni", "neon", "i8mm"]  # in the order of q3_isa
MEMBER = 9  # decode in q3_kernels


def library(folder):
    path = pathlib.Path(folder) / "kernels.so"
    sources = [*ROOT.glob("CShims/*.c"), *ROOT.glob("CShims/arch/*.c")]
    command = ["clang", "-O2", "-fPIC", "-shared", f"-I{ROOT}/CShims/include", *map(str, sources), "-lm", "-o", str(path)]
    subprocess.run(command, check=True)
    kernels = ctypes.CDLL(str(path))
    kernels.q3_kernels_of.restype = ctypes.POINTER(ctypes.c_void_p)
    kernels.q3_isa_available.restype = ctypes.c_bool
    return kernels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=20_000)
    count = parser.parse_args().blocks
    decoder = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        kernels = library(folder)
        available = [i for i in range(len(ISAS)) if kernels.q3_isa_available(i)]
        for kind in blocks.TYPES:
            values = count * gguf.GGML_QUANT_SIZES[kind][0]
            data = blocks.random_blocks(kind, values, np.random.default_rng(int(kind)))
            expected = gguf.quants.dequantize(data, kind).reshape(-1).astype(np.float32)
            assert np.isfinite(expected).all()
            expected = (expected + np.float32(0)).view(np.uint32)  # -0 + 0 is 0
            different = {}
            for isa in available:
                decode = decoder(kernels.q3_kernels_of(isa)[MEMBER])
                got = np.empty(values, np.float32)
                decode(int(kind), data.ctypes.data, values, got.ctypes.data)
                different[ISAS[isa]] = int(((got + np.float32(0)).view(np.uint32) != expected).sum())
            failures += sum(different.values())
            print(f"{kind.name}: {values} values; different: {different}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
