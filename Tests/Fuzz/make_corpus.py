"""Writes the first inputs of each fuzz target into Corpus/; fuzzing adds what reaches new code."""

import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent / "Corpus"


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def pair(key, kind, value):
    return string(key) + struct.pack("<I", kind) + value


def array(kind, count, elements):
    return struct.pack("<IQ", kind, count) + elements


def row(name, shape, kind, offset):
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(pairs, rows, data, version=3):
    header = b"GGUF" + struct.pack("<IQQ", version, len(rows), len(pairs)) + b"".join(pairs) + b"".join(rows)
    return header + bytes(-len(header) % 32) + data


PAIRS = [
    pair("general.architecture", 8, string("qwen3")), pair("qwen3.block_count", 4, struct.pack("<I", 2)),
    pair("qwen3.embedding_length", 4, struct.pack("<I", 32)), pair("qwen3.feed_forward_length", 4, struct.pack("<I", 64)),
    pair("qwen3.attention.head_count", 4, struct.pack("<I", 2)),
    pair("qwen3.attention.head_count_kv", 4, struct.pack("<I", 1)),
    pair("qwen3.attention.key_length", 4, struct.pack("<I", 32)), pair("qwen3.context_length", 4, struct.pack("<I", 64)),
    pair("qwen3.rope.freq_base", 6, struct.pack("<f", 1e6)),
    pair("qwen3.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-6)),
    pair("qwen3.pooling_type", 4, struct.pack("<I", 3)), pair("tokenizer.ggml.model", 8, string("gpt2")),
    pair("tokenizer.ggml.pre", 8, string("qwen2")), pair("tokenizer.ggml.add_eos_token", 7, b"\1"),
    pair("tokenizer.ggml.tokens", 9, array(8, 3, string("a") + string("b") + string("ab"))),
    pair("tokenizer.ggml.token_type", 9, array(5, 3, struct.pack("<3i", 1, 1, 1))),
    pair("tokenizer.ggml.merges", 9, array(8, 1, string("a b"))),
]
SMALL = [pair("k", kind, bytes(size)) for kind, size in ((0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (7, 1), (10, 8), (11, 8), (12, 8))]
ROWS = [row("token_embd.weight", [32, 3], 8, 0), row("output_norm.weight", [32], 0, 128)]
FILES = {
    "gguf": [
        gguf(PAIRS, ROWS, bytes(256)), gguf([], [], b""), gguf([], [row("a", [3, 2], 0, 0)], bytes(24), version=2), b"GGUF",
        *(gguf([p], [], b"") for p in SMALL),
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0", b"<!DOCTYPE html>", b"PK\3\4",
    ],
    "vocabulary": [b"ab\nabc\n\na b\nab c\n", "Ġx\n<|x|>\n\nĠ x".encode(), b"a\n\na a", b"\n\n", b"aa\n\na\na a a\n a"],
    "text": [
        b"Hello, world! 123\n\n  x", "e\u0301 \u1100\u1161\u11a8 \u212b \u0958 \ufb1d".encode(), b"<|im_end|><think>\0",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u202e\ufeff\u2028\u00a0\u0085\r".encode(), b"\xff\xc0\x80\xed\xa0\x80",
        b"a" * 300, "\u0301\u0323".encode() * 100, b"don't I'LL we've 'S",
    ],
    "rerank": [
        b"Given a query\0what\0a document", b"<|im_end|>\0<|im_start|>system\0</think>yes", b"\0\0", b"{query}\0{document}\0%s $1 \\(doc)",
        b"i\0" + b"q" * 400 + b"\0d",
    ],
}
for target, inputs in FILES.items():
    folder = HERE / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"first-{number:02}").write_bytes(data)
