"""Writes the first inputs of each fuzz target into Corpus/; fuzzing adds what reaches new code."""

import json
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


def alphabet():
    """The characters that stand for the bytes 0 to 255 in a byte-level vocabulary."""
    free = iter(range(0x100, 0x200))
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte if byte in plain else next(free)) for byte in range(256)]


def model(reranker):
    """The smallest model that opens: one layer, one head, 32 wide."""
    tokens = alphabet() + ["yes", "ye", "no", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    kinds = [1] * 259 + [3] * 3 + [4] * 2
    number = lambda key, value: pair("qwen3." + key, 4, struct.pack("<I", value))
    pairs = [
        pair("general.architecture", 8, string("qwen3")), number("block_count", 1), number("embedding_length", 32),
        number("feed_forward_length", 32), number("attention.head_count", 1), number("attention.head_count_kv", 1),
        number("attention.key_length", 32), number("attention.value_length", 32), number("context_length", 64),
        pair("qwen3.rope.freq_base", 6, struct.pack("<f", 1e6)),
        pair("qwen3.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-6)),
        number("pooling_type", 4 if reranker else 3), pair("tokenizer.ggml.model", 8, string("gpt2")),
        pair("tokenizer.ggml.pre", 8, string("qwen2")), pair("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 259)),
        pair("tokenizer.ggml.tokens", 9, array(8, len(tokens), b"".join(map(string, tokens)))),
        pair("tokenizer.ggml.token_type", 9, array(5, len(kinds), struct.pack(f"<{len(kinds)}i", *kinds))),
        pair("tokenizer.ggml.merges", 9, array(8, 3, string("y e") + string("ye s") + string("n o"))),
    ]
    names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    shapes = {"token_embd.weight": [32, len(tokens)], "output_norm.weight": [32]}
    shapes |= {f"blk.0.{name}.weight": [32] for name in ("attn_norm", "attn_q_norm", "attn_k_norm", "ffn_norm")}
    shapes |= {f"blk.0.{name}.weight": [32, 32] for name in names}
    if reranker:
        pairs.append(pair("qwen3.classifier.output_labels", 9, array(8, 2, string("yes") + string("no"))))
        shapes["cls.output.weight"] = [32, 2]
    rows, data = [], b""
    for name, shape in shapes.items():
        rows.append(row(name, shape, 0 if len(shape) == 1 else 2, len(data)))  # F32 or Q4_0
        size = 4 * shape[0] if len(shape) == 1 else shape[1] * 18
        data += struct.pack("<f", 1) * shape[0] if len(shape) == 1 else bytes(size)
        data += bytes(-len(data) % 32)
    return gguf(pairs, rows, data)


PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def weights(shapes, prefix="", kind="BF16"):
    """A safetensors header behind the number of bytes that its tensors take."""
    entries, end = {}, 0
    for name, shape in shapes.items():
        size = 2 if kind == "BF16" else 4
        for extent in shape:
            size *= extent
        entries[prefix + name + ".weight"] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return f"{end}{json.dumps(entries, separators=(',', ':'))}"


def checkpoint(role="embedding", parts=False, adapter=False, index=False):
    """The folder of the smallest model: one layer, one head, 32 wide."""
    tokens = alphabet() + ["yes", "ye", "no"]
    added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    size = len(tokens) + len(added)
    special = {len(tokens) + i: {"content": text, "special": text[1] == "|"} for i, text in enumerate(added)}
    vocabulary, merges = {token: i for i, token in enumerate(tokens)}, ["y e", "ye s", "n o"]
    config = {
        "architectures": ["Qwen3Model" if role == "embedding" else "Qwen3ForCausalLM"], "model_type": "qwen3",
        "num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 1,
        "num_key_value_heads": 1, "head_dim": 32, "vocab_size": size, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "rope_scaling": None, "hidden_act": "silu", "attention_bias": False,
        "use_sliding_window": False, "tie_word_embeddings": role != "untied", "layer_types": ["full_attention"]}
    tokenizer = {
        "added_tokens": [{"id": id, **token} for id, token in special.items()], "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges[:2] + [["n", "o"]]}}
    names = {"self_attn": ["q_proj", "k_proj", "v_proj", "o_proj"], "mlp": ["gate_proj", "up_proj", "down_proj"]}
    shapes = {"embed_tokens": [size, 32], "norm": [32]}
    shapes |= {f"layers.0.{name}": [32] for name in (
        "input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm")}
    shapes |= {f"layers.0.{part}.{name}": [32, 32] for part, all in names.items() for name in all}
    prefix = "" if role == "embedding" else "model."
    if role == "untied":
        shapes = {prefix + name: shape for name, shape in shapes.items()} | {"lm_head": [size, 32]}
        prefix = ""
    text = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    module = lambda kind, path: {"type": f"sentence_transformers.models.{kind}", "path": path}
    lora = {f"layers.0.mlp.up_proj.lora_{side}": [1, 32] if side == "A" else [32, 1] for side in "AB"}
    return "\0".join([
        text(config), "" if parts else text(tokenizer),
        text({"added_tokens_decoder": special, "chat_template": "{{ messages }}"}) if parts else "",
        text(vocabulary) if parts else "", "#version: 0.2\n" + "\n".join(merges) if parts else "",
        text({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}) if role == "embedding" else "",
        text([module("Transformer", ""), module("Pooling", "1_Pooling")] if role == "embedding" else
             [module("Transformer", ""), module("LogitScore", "1_LogitScore")]),
        text({"prompts": {"query": "Query:", "document": None}}) if role == "embedding" else "",
        text({"peft_type": "LORA", "r": 1, "lora_alpha": 2, "use_rslora": False, "bias": "none", "rank_pattern": {}})
        if adapter else "", weights(lora, "base_model.model.", "F32") if adapter else "",
        text({"weight_map": {f"{prefix}{name}.weight": "part.safetensors" for name in shapes}}) if index else "",
        weights(shapes, prefix)]).encode()


SMALL = [pair("k", kind, bytes(size)) for kind, size in ((0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (7, 1), (10, 8), (11, 8), (12, 8))]
ROWS = [row("token_embd.weight", [32, 3], 8, 0), row("output_norm.weight", [32], 0, 128)]
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sealed(header):
    header += bytes(60 - len(header))
    return header + struct.pack("<I", crc32c(header))


def padded(data):
    return data + bytes(-len(data) % 64)


def segment(*blocks, dimensions=32, cut=0, rows=None, version=1):
    """A segment of an index, as docs/index.md describes it, behind the numbers that its catalog has."""
    file, slot = sealed(struct.pack("<8sIIQI", b"Q3VECSEG", version, dimensions, 0x0123456789ABCDEF, 1)), 0
    for count in blocks:
        payload = padded(struct.pack(f"<{count}f", *[1 / 127] * count))
        payload += (bytes(range(dimensions)) + bytes(-dimensions % 64)) * count
        payload += padded(struct.pack(f"<{dimensions}f", *[n / 127 for n in range(dimensions)]) * count)
        sums = b"".join(struct.pack("<I", crc32c(payload[at:at + 65536])) for at in range(0, len(payload), 65536))
        file += sealed(struct.pack("<8sIIQI", b"Q3VECBLK", count, dimensions, slot, crc32c(sums))) + payload + padded(sums)
        slot += count
    return struct.pack("<BHB", 1, slot if rows is None else rows, cut) + file


FILES = {
    "gguf": [
        gguf(PAIRS, ROWS, bytes(256)), gguf([], [], b""), gguf([], [row("a", [3, 2], 0, 0)], bytes(24), version=2), b"GGUF",
        *(gguf([p], [], b"") for p in SMALL),
        model(reranker=False), model(reranker=True),
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0", b"<!DOCTYPE html>", b"PK\3\4",
    ],
    "records": [
        b'{"text":"a","id":1}\n{"id":"x","text":"\\u00e9\\ud83d\\ude00"}\r\n\n', b'{"text":1}\n[]\n{"id":1.5,"text":""}\n{"text"',
        b"\xef\xbb\xbfone\r\ntwo\n\xff\n\n", b'{"id":18446744073709551615,"text":null}\n{"text":"a","text":"b"}\n', b"[" * 600,
    ],
    "segments": [
        segment(), segment(1), segment(3, 2), segment(17), segment(500), segment(2, rows=3), segment(2, 2, cut=200),
        segment(1, dimensions=64), segment(1, version=2), segment(2, 1)[:700], b"\x01\x00\x00\x00Q3VECSEG",
        # A block that says it has more rows than there is room for.
        segment(1)[:76] + struct.pack("<I", 0xFFFFF) + segment(1)[80:],
    ],
    "kernels": [bytes([kind, family, kind]) + bytes(range(256)) for kind in range(15) for family in range(3)],
    "vocabulary": [b"\3<|endoftext|>\n\4<think>\n\5[PAD]\nab\n\na b", b"ab\nabc\n\na b\nab c\n", "Ġx\n<|x|>\n\nĠ x".encode(), b"a\n\na a", b"\n\n", b"aa\n\na\na a a\n a"],
    "text": [
        b"Hello, world! 123\n\n  x", "e\u0301 \u1100\u1161\u11a8 \u212b \u0958 \ufb1d".encode(), b"<|im_end|><think>\0",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u202e\ufeff\u2028\u00a0\u0085\r".encode(), b"\xff\xc0\x80\xed\xa0\x80",
        b"a" * 300, "\u0301\u0323".encode() * 100, b"don't I'LL we've 'S",
    ],
    "checkpoint": [
        checkpoint(), checkpoint(adapter=True), checkpoint("tied", index=True), checkpoint("untied", parts=True),
        checkpoint().rsplit(b"\0", 1)[0] + b"\0=\2\0\0\0\0\0\0\0{}",
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
