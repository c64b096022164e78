#!/usr/bin/env python3
"""Write the model fixtures of the tests: tiny Qwen3 models, what Hugging Face computes for them, and quantized blocks.

    pip install torch transformers gguf tokenizers      (made with 2.15.0, 5.23.0, 0.19.0, 0.23.3)
    python3 Tests/Fixtures/make.py

Everything comes from this folder and fixed seeds; no file and no network is needed.

`tiny-embed-*.gguf` with `.json`: {"model", "items", "states"}
    item: {"name", "text", "ids", "embedding"}; queries also have "task" and "query", and "text" is the formatted one.
    ids are the text read literally (nothing in it is an added token) and one closing <|endoftext|>;
    embedding is the last token after the final norm, scaled to unit length.
    states: {"file", "item", "nodes": [{"name", "shape": [tokens, width], "offset"}]}: little-endian f32 in `file`,
    row-major, offset counted in floats. Nodes of every file: embedding, N.output (after layer N, before any norm),
    outputNorm. Those of low bits have none. tiny-embed-F32 has every node: N.attnNorm q k v qNorm kNorm qRope kRope attention attnOut
    attnResidual ffnNorm gate up swiglu ffnDown output.
`tiny-rerank-*` (cls.output.weight), `tiny-causal-*` (tied embeddings), `tiny-lmhead-*` (output.weight) with `.json`:
    item: {"query", "document", "instruction", "style", "ids", "p_yes", "margin", "logits": [yes, no]}, and for
    tiny-rerank the same figures as "cls" (softmax) and "cls_logits". style is "card" or "eval"; ids are the prefix and
    the suffix with added tokens matched, and the middle read literally. margin is logit yes - logit no.
`blocks-TYPE.q` with `blocks-TYPE.f32`: random blocks and the bits gguf.quants.dequantize gives for them.
"""

import dataclasses
import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type, LlamaFileType as FileType

from generator import blocks, model, texts
from generator.reference import Reference
from generator.tokenizer import Vocabulary

HERE = pathlib.Path(__file__).resolve().parent
# Small: heads * head_dim differs from hidden. Wide: rows of whole 256-value blocks, as the K types need them.
SMALL = model.Shape(layers=3, hidden=64, heads=4, kv_heads=2, head_dim=32, feed_forward=96)
SHORT = model.Shape(layers=2, hidden=64, heads=4, kv_heads=2, head_dim=32, feed_forward=96)
WIDE = model.Shape(layers=2, hidden=256, heads=2, kv_heads=1, head_dim=128, feed_forward=256)
SINGLE = dataclasses.replace(WIDE, layers=1)
NARROW = dataclasses.replace(SHORT, feed_forward=128)  # rows of whole 64-value blocks
RECIPES = [
    model.Recipe("tiny-embed-F32", SHORT, Type.F32, FileType.ALL_F32),
    model.Recipe("tiny-embed-F16", SHORT, Type.F16, FileType.MOSTLY_F16),
    model.Recipe("tiny-embed-BF16", SHORT, Type.BF16, FileType.MOSTLY_BF16),
    model.Recipe("tiny-embed-Q8_0", SMALL, Type.Q8_0, FileType.MOSTLY_Q8_0),
    model.Recipe("tiny-embed-Q4_0", SMALL, Type.Q4_0, FileType.MOSTLY_Q4_0),
    model.Recipe("tiny-embed-Q5_0", SMALL, Type.Q5_0, FileType.MOSTLY_Q5_0),
    model.Recipe("tiny-embed-Q4_K_M", WIDE, Type.Q4_K, FileType.MOSTLY_Q4_K_M, mixed=Type.Q6_K),
    model.Recipe("tiny-embed-Q5_K_M", WIDE, Type.Q5_K, FileType.MOSTLY_Q5_K_M, mixed=Type.Q6_K),
    model.Recipe("tiny-embed-Q6_K", SINGLE, Type.Q6_K, FileType.MOSTLY_Q6_K),
    model.Recipe("tiny-rerank-Q8_0", SHORT, Type.Q8_0, FileType.MOSTLY_Q8_0, head="cls"),
    model.Recipe("tiny-causal-Q8_0", SHORT, Type.Q8_0, FileType.MOSTLY_Q8_0, head="tied"),
    model.Recipe("tiny-lmhead-Q8_0", SHORT, Type.Q8_0, FileType.MOSTLY_Q8_0, head="lm_head"),
]
# What llama.cpp's mixes for low bits keep in finer types; the mix is named by the type of most matrices.
LOW_BIT_MIXES = [
    (Type.IQ3_S, FileType.MOSTLY_IQ3_S, {"attn_v": Type.Q4_K}),
    (Type.IQ3_XXS, FileType.MOSTLY_IQ3_XXS, {"attn_v": Type.Q4_K, "attn_output": Type.IQ3_S, "token_embd": Type.IQ3_S}),
    (Type.IQ2_S, FileType.MOSTLY_IQ2_S, {"attn_output": Type.IQ3_S, "token_embd": Type.IQ3_S}),
    (Type.IQ2_XS, FileType.MOSTLY_IQ2_XS, {"attn_v": Type.IQ3_S, "attn_output": Type.IQ3_XXS, "token_embd": Type.IQ3_S}),
    (Type.IQ2_XXS, FileType.MOSTLY_IQ2_XXS, {"attn_v": Type.IQ3_S, "token_embd": Type.IQ3_S}),
    (Type.IQ1_S, FileType.MOSTLY_IQ1_S, {"attn_output": Type.IQ2_XXS, "token_embd": Type.IQ3_S}),
    (Type.IQ1_M, FileType.MOSTLY_IQ1_M, {"attn_output": Type.IQ2_XXS, "token_embd": Type.IQ3_S}),
    (Type.TQ1_0, FileType.MOSTLY_TQ1_0, {"token_embd": Type.Q4_K}),
    (Type.TQ2_0, FileType.MOSTLY_TQ2_0, {"token_embd": Type.Q4_K}),
    (Type.MXFP4, FileType.MOSTLY_MXFP4_MOE, {"attn_v": Type.Q8_0, "token_embd": Type.Q8_0}),
    (Type.NVFP4, FileType.MOSTLY_NVFP4, {"token_embd": Type.Q8_0}),
]
RECIPES += [
    model.Recipe(f"tiny-embed-{kind.name}", NARROW if kind in (Type.MXFP4, Type.NVFP4) else SINGLE, kind, file_type,
                 others=others, texts=6)
    for kind, file_type, others in LOW_BIT_MIXES
]
BASE_TOKENS = 480
BLOCK_VALUES = 2560
TRACED_TEXT = "english"
TRACED_FULLY = "tiny-embed-F32"
PREFIX = f"<|im_start|>system\n{texts.SYSTEM}<|im_end|>\n<|im_start|>user\n"
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def rounded(values):
    """Nine significant digits give every f32 back exactly."""
    return [float(f"{float(x):.9g}") for x in values]


def dump(name, content):
    """One item per line, so that a change of one shows as one."""
    items = ",\n".join(json.dumps(i, ensure_ascii=False) for i in content["items"])
    rest = "".join(f',\n{json.dumps(k)}: {json.dumps(v)}' for k, v in content.items() if k not in ("model", "items"))
    text = f'{{"model": {json.dumps(content["model"])},\n"items": [\n{items}\n]{rest}}}\n'
    assert json.loads(text) == content
    (HERE / f"{name}.json").write_text(text)


def embedding_items(recipe):
    """All texts; every second one where the vectors are long."""
    items = [{"name": name, "text": text} for name, text in texts.TEXTS]
    items += [{"name": "query", "task": task, "query": query, "text": f"Instruct: {task}\nQuery:{query}"}
              for task, query in texts.QUERIES]
    return items[::recipe.texts] if recipe.shape.hidden > 64 or recipe.texts > 2 else items


def embedding_golden(recipe, vocabulary, reference):
    items, states = [], None
    for item in embedding_items(recipe):
        item["ids"] = vocabulary.encode(item["text"]) + [vocabulary.id("<|endoftext|>")]
        last, nodes = reference.run(item["ids"])
        item["embedding"] = rounded(torch.nn.functional.normalize(last, dim=0))
        if item["name"] == TRACED_TEXT and not recipe.others:
            states = dump_states(recipe, len(items), nodes)
        items.append(item)
    dump(recipe.name, {"model": f"{recipe.name}.gguf", "items": items} | ({"states": states} if states else {}))


def dump_states(recipe, item, nodes):
    kept = {n: v for n, v in nodes.items()
            if recipe.name == TRACED_FULLY or n in ("embedding", "outputNorm") or n.endswith(".output")}
    index, offset, file = [], 0, f"{recipe.name}.states"
    with open(HERE / file, "wb") as out:
        for name, value in kept.items():
            index.append({"name": name, "shape": list(value.shape), "offset": offset})
            out.write(value.numpy().astype("<f4").tobytes())
            offset += value.numel()
    return {"file": file, "item": item, "nodes": index}


def prompt_ids(vocabulary, query, document, instruction, style):
    gap, end = ("\n", "") if style == "card" else ("\n\n", "<|im_end|>\n")
    middle = f"<Instruct>: {instruction}{gap}<Query>: {query}{gap}<Document>: {document}"
    ids = (vocabulary.encode_template(PREFIX) + vocabulary.encode(middle) + vocabulary.encode_template(end + SUFFIX))
    if "<|" not in middle and "think>" not in middle:
        assert ids == vocabulary.encode_template(PREFIX + middle + end + SUFFIX), "the parts do not join as the whole"
    return ids


def rerank_golden(recipe, vocabulary, reference):
    items = []
    for query, document, instruction in texts.PAIRS:
        for style in ("card", "eval"):
            ids = prompt_ids(vocabulary, query, document, instruction, style)
            last, _ = reference.run(ids)
            logits = reference.logits(last, vocabulary.id("yes"), vocabulary.id("no"))
            both = torch.softmax(logits, 0)
            item = {"query": query, "document": document, "instruction": instruction, "style": style, "ids": ids,
                    "p_yes": rounded(both)[0], "margin": rounded([logits[0] - logits[1]])[0], "logits": rounded(logits)}
            if recipe.head == "cls":
                item |= {"cls": rounded(both), "cls_logits": rounded(logits)}
            items.append(item)
    dump(recipe.name, {"model": f"{recipe.name}.gguf", "items": items})


def main():
    """Writes all fixtures, or the models whose names are given and the blocks."""
    torch.set_num_threads(1)  # one order of additions
    vocabulary = Vocabulary(texts.corpus(), BASE_TOKENS)
    for word in ("yes", "no"):
        assert vocabulary.encode(word) == [vocabulary.id(word)], f"{word} is not one token"
    for seed, recipe in enumerate(RECIPES, start=1):
        if sys.argv[1:] and recipe.name not in sys.argv[1:]:
            continue
        path = HERE / f"{recipe.name}.gguf"
        model.write(path, recipe, vocabulary, seed)
        golden = rerank_golden if recipe.head else embedding_golden
        golden(recipe, vocabulary, Reference(path))
        print(f"{recipe.name}: {path.stat().st_size / 1000:.0f} kB", file=sys.stderr)
    rng = np.random.default_rng(15)
    for kind in blocks.TYPES:
        packed = blocks.random_blocks(kind, BLOCK_VALUES, rng)
        values = gguf.quants.dequantize(packed, kind)
        assert values.shape == (BLOCK_VALUES,) and np.isfinite(values).all(), kind.name
        (HERE / f"blocks-{kind.name}.q").write_bytes(packed.tobytes())
        (HERE / f"blocks-{kind.name}.f32").write_bytes(values.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
