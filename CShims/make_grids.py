#!/usr/bin/env python3
"""Write grids.c, the codebooks of the IQ1, IQ2 and IQ3 types, from the gguf package.

    pip install gguf==0.19.0
    python3 CShims/make_grids.py            # writes CShims/grids.c
    python3 CShims/make_grids.py --check    # fails if CShims/grids.c is not what this would write

A grid is a list of short vectors whose components have few values. It is part of the file format, like the order of bits in a
block. Here a component is its index among those values: 8 of them with 2 bits each for IQ1 and IQ2, 4 with 4 bits each for IQ3,
so that every vector is one uint16. unpack_grids.h turns them into values by arithmetic, which this script repeats and checks.
"""

import pathlib
import sys

import numpy as np
from gguf import quants

FILE = pathlib.Path(__file__).resolve().parent / "grids.c"
# Name, class, bits of a component, and the value of a component as unpack_grids.h computes it.
GRIDS = [
    ("q3_grid_iq1", quants.IQ1_S, 2, lambda v: v - 1),
    ("q3_grid_iq2_xxs", quants.IQ2_XXS, 2, lambda v: 8 + 17 * v + (v >> 1)),
    ("q3_grid_iq2_xs", quants.IQ2_XS, 2, lambda v: 8 + 17 * v + (v >> 1)),
    ("q3_grid_iq2_s", quants.IQ2_S, 2, lambda v: 8 + 17 * v + (v >> 1)),
    ("q3_grid_iq3_xxs", quants.IQ3_XXS, 4, lambda v: 8 * v + 4 + 2 * (v & v >> 1 & v >> 2 & 1)),
    ("q3_grid_iq3_s", quants.IQ3_S, 4, lambda v: 2 * v + 1),
]


def codes(kind, bits, value):
    """The grid's vectors as integers, component i in bits i * bits and up."""
    kind.init_grid()
    grid = kind.grid.reshape(kind.grid_shape).astype(np.int64)
    index = {value(i): i for i in range(len(kind.grid_map))}
    assert sorted(index) == sorted(kind.grid_map), f"{kind.__name__}: the arithmetic gives other values"
    return [sum(index[int(x)] << (bits * i) for i, x in enumerate(row)) for row in grid]


def text():
    # Seven bits of signs, of which the eighth is the parity: unpack_grids.h computes it.
    assert all(s == i | (i.bit_count() & 1) << 7 for i, s in enumerate(quants.IQ2_XXS.ksigns)), "signs are not by parity"
    parts = ['/* The codebooks of the IQ1, IQ2 and IQ3 types. Written by make_grids.py; do not edit. */\n#include "grids.h"\n\n'
             "// clang-format off\n"]
    for name, kind, bits, value in GRIDS:
        values = codes(kind, bits, value)
        lines = [", ".join(f"0x{v:04x}" for v in values[i:i + 16]) for i in range(0, len(values), 16)]
        parts.append(f"\nconst uint16_t {name}[{len(values)}] = {{\n    " + ",\n    ".join(lines) + ",\n};\n")
    return "".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if FILE.read_text() == text() else f"{FILE.name} is not what the gguf package says: run {__file__}")
    FILE.write_text(text())
