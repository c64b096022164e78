"""libq3 as a C program meets it: the header, what is exported, and what it needs."""

import os
import re
import subprocess
from pathlib import Path

from conftest import EMBED, ROOT

HEADER = ROOT / "Sources" / "CQ3" / "include" / "q3.h"


def library():
    import q3._library

    return q3._library.library_path()


def test_only_what_the_header_declares_is_exported():
    declared = set(re.findall(r"^[a-z].*?\b(q3_\w+)\(", HEADER.read_text(), re.M))
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", "--extern-only", "--without-symbol-versions", library()], capture_output=True, text=True, check=True
    ).stdout
    exported = {line.split()[-1] for line in listed.splitlines() if line.split()[-2] != "A"}
    assert exported == declared
    assert len(exported) == 30


def test_it_needs_nothing_of_swift():
    needed = subprocess.run(["ldd", library()], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0] for line in needed.splitlines()}
    assert not [name for name in names if "swift" in name or "Foundation" in name or "dispatch" in name], needed
    assert "not found" not in needed


def test_the_header_is_plain_c_and_cpp(tmp_path):
    for compiler, name, standard in (("gcc", "a.c", "-std=c99"), ("g++", "a.cpp", "-std=c++11")):
        source = tmp_path / name
        source.write_text('#include "q3.h"\n')
        subprocess.run(
            [compiler, standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I", HEADER.parent, source], check=True
        )


def test_the_example_in_c(tmp_path, q3_embed):
    example = tmp_path / "example"
    os.symlink(os.path.abspath(library()), tmp_path / "libq3.so")
    # In an installed wheel libomp lies in a folder beside the package, where the library finds it and the linker does not.
    beside = Path(library()).resolve().parent.parent / "q3_embedding.libs"
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-I", HEADER.parent, ROOT / "Tests/EndToEnd/C/example.c", "-L", tmp_path, "-lq3",
         f"-Wl,-rpath-link,{tmp_path}:{beside}", "-o", example],
        check=True,
    )
    done = subprocess.run(
        [example, EMBED], capture_output=True, text=True, timeout=60, env={**os.environ, "LD_LIBRARY_PATH": f"{tmp_path}:{beside}"}
    )
    assert done.returncode == 0, done.stderr
    first, *vectors, cancelled, closed = done.stdout.splitlines()
    assert re.match(r"fingerprint [0-9a-f]{16}, 64 dimensions, libq3 \d+\.\d+\.\d+", first)
    expected = q3_embed(["Beijing.", "Bread and salt."], "--dimensions", "8").view("<u4")
    assert [line.split(": ")[1] for line in vectors] == [" ".join(f"{bits:08x}" for bits in row) for row in expected]
    assert cancelled == "the call was cancelled"
    assert closed == "the model is NULL or was closed"


def test_a_damaged_call_is_an_error(embedder):
    """Structs of other sizes, offsets that decrease, room that is too small: what a binding can get wrong."""
    import ctypes

    import numpy as np
    from q3 import _library as c
    from q3._calls import PackedTexts

    call, model = c.library().q3_embed, embedder._handle.value
    texts, room = PackedTexts(["ab", "cd"]), np.zeros((2, embedder.dimensions), np.float32)

    def status(texts_=texts.struct, options=None, capacity=room.nbytes, vectors=room.ctypes.data, model=model):
        error = c.Error()
        code = call(model, texts_, options, vectors, capacity, None, None, error)
        assert (error.status, bool(error.text.value)) == (code, code != 0)
        return code

    def options(**fields):
        return c.EmbedOptions(**{"size": ctypes.sizeof(c.EmbedOptions), **fields})

    assert status() == c.OK
    assert status(options=options(size=8)) == c.OK  # a caller that knows no option yet
    assert status(options=options(size=0)) == c.BAD_ARGUMENT
    assert status(options=options(size=1 << 40)) == c.BAD_ARGUMENT
    assert status(options=options(dimensions=-1)) == c.BAD_ARGUMENT
    assert status(options=options(dimensions=65)) == c.BAD_ARGUMENT
    assert status(options=options(truncates=2)) == c.BAD_ARGUMENT
    assert status(options=options(type=6)) == c.BAD_ARGUMENT
    assert status(options=options(type=2)) == c.BAD_ARGUMENT  # int8 without ranges
    assert status(options=options(prefix_length=3)) == c.BAD_ARGUMENT
    assert status(capacity=room.nbytes - 1) == c.BUFFER_TOO_SMALL
    assert status(vectors=None) == c.BAD_ARGUMENT
    assert status(model=None) == c.BAD_ARGUMENT
    assert status(model=12345) == c.BAD_ARGUMENT
    for offsets in ([0, 2, 1], [-1, 0, 1]):
        wrong = np.array(offsets, np.int64)
        assert status(c.Texts(texts.struct.bytes, wrong.ctypes.data, 2)) == c.BAD_ARGUMENT
    assert status(c.Texts(texts.struct.bytes, texts.offsets.ctypes.data, -1)) == c.BAD_ARGUMENT
    assert status(c.Texts(None, texts.offsets.ctypes.data, 2)) == c.BAD_ARGUMENT
    invalid = ctypes.create_string_buffer(b"ab\xff\xfe")
    assert status(c.Texts(ctypes.addressof(invalid), texts.offsets.ctypes.data, 2)) == c.BAD_TEXT


def test_a_newer_caller_may_ask_for_nothing_new(embedder):
    import ctypes

    import numpy as np
    from q3 import _library as c
    from q3._calls import PackedTexts

    size = ctypes.sizeof(c.EmbedOptions)
    longer = (ctypes.c_char * (size + 16))()
    known = c.EmbedOptions(size=size + 16, dimensions=8)
    ctypes.memmove(longer, ctypes.byref(known), size)
    options = ctypes.cast(longer, ctypes.POINTER(c.EmbedOptions))
    texts, room, error = PackedTexts(["ab"]), np.zeros((1, 8), np.float32), c.Error()
    arguments = (embedder._handle.value, texts.struct, options, room.ctypes.data, room.nbytes, None, None, error)
    assert c.library().q3_embed(*arguments) == c.OK
    longer[size + 3] = b"\1"
    assert c.library().q3_embed(*arguments) == c.BAD_ARGUMENT
    assert b"older than the header" in error.text.value
