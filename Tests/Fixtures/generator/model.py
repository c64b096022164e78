"""A tiny Qwen3 model with random weights, written as a GGUF file with the metadata of a real one."""

import dataclasses

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from generator import blocks


@dataclasses.dataclass(frozen=True)
class Shape:
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One file: `kind` of the matrices, `mixed` of those that the usual mixes keep at higher precision."""

    name: str
    shape: Shape
    kind: Type
    file_type: gguf.LlamaFileType
    mixed: Type | None = None
    others: dict[str, Type] = dataclasses.field(default_factory=dict)  # by the tensor's own name, such as "attn_v"
    texts: int = 2  # every how many of the texts: of wide vectors not all
    head: str | None = None  # None: embedding; "cls", "tied" or "lm_head": reranker
    sharpness: float = 2  # mean gain of the norms of q and k
    tail: float | None = None  # degrees of freedom of Student's t; None: normally distributed

    def kind_of(self, tensor):
        """The mix of llama.cpp's _M types: token_embd, and attn_v and ffn_down of some layers (here the first)."""
        own = tensor.removesuffix(".weight").split(".")[-1]
        if own in self.others:
            return self.others[own]
        finer = tensor in ("token_embd.weight", "blk.0.attn_v.weight", "blk.0.ffn_down.weight")
        return self.mixed if self.mixed and finer else self.kind


def write(path, recipe, vocabulary, seed):
    """The norms before matrices have a few channels 30 times larger, as real checkpoints do; those of q and k sharpen
    the attention, so that a last token depends on what stands before it."""
    s, rng = recipe.shape, np.random.default_rng(seed)
    w = gguf.GGUFWriter(path, "qwen3")
    _metadata(w, recipe, vocabulary)

    def matrix(name, rows, columns, deviation):
        if recipe.tail:  # of the same variance
            values = rng.standard_t(recipe.tail, (rows, columns)) * (1 - 2 / recipe.tail) ** 0.5
        else:
            values = rng.standard_normal((rows, columns))
        values = (values * deviation).astype(np.float32)
        kind = recipe.kind_of(name)
        w.add_tensor(name, blocks.quantize(values, kind), raw_dtype=kind)

    def gain(name, size, mean=1.0, outliers=0):
        values = (mean + 0.1 * rng.standard_normal(size)).astype(np.float32)
        values[rng.choice(size, outliers, replace=False)] *= 30
        w.add_tensor(name, values)

    def projection(name, rows, columns):
        matrix(name, rows, columns, 0.64 / columns**0.5)

    wide, narrow = s.heads * s.head_dim, s.kv_heads * s.head_dim
    matrix("token_embd.weight", len(vocabulary.tokens), s.hidden, 0.2)
    for i in range(s.layers):
        b = f"blk.{i}."
        gain(b + "attn_norm.weight", s.hidden, outliers=2)
        projection(b + "attn_q.weight", wide, s.hidden)
        projection(b + "attn_k.weight", narrow, s.hidden)
        projection(b + "attn_v.weight", narrow, s.hidden)
        gain(b + "attn_q_norm.weight", s.head_dim, mean=recipe.sharpness)
        gain(b + "attn_k_norm.weight", s.head_dim, mean=recipe.sharpness)
        projection(b + "attn_output.weight", s.hidden, wide)
        gain(b + "ffn_norm.weight", s.hidden, outliers=2)
        projection(b + "ffn_gate.weight", s.feed_forward, s.hidden)
        projection(b + "ffn_up.weight", s.feed_forward, s.hidden)
        projection(b + "ffn_down.weight", s.hidden, s.feed_forward)
    gain("output_norm.weight", s.hidden)
    if recipe.head == "cls":
        matrix("cls.output.weight", 2, s.hidden, 0.2)
    if recipe.head == "lm_head":
        matrix("output.weight", len(vocabulary.tokens), s.hidden, 0.2)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def _metadata(w, recipe, vocabulary):
    s = recipe.shape
    w.add_type("model")
    w.add_name(recipe.name)
    w.add_basename("Qwen3-Reranker" if recipe.head else "Qwen3-Embedding")
    w.add_size_label("tiny")
    w.add_license("apache-2.0")
    w.add_file_type(recipe.file_type)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_block_count(s.layers)
    w.add_context_length(32768)
    w.add_embedding_length(s.hidden)
    w.add_feed_forward_length(s.feed_forward)
    w.add_head_count(s.heads)
    w.add_head_count_kv(s.kv_heads)
    w.add_key_length(s.head_dim)
    w.add_value_length(s.head_dim)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1_000_000.0)
    if recipe.head is None:
        w.add_pooling_type(gguf.PoolingType.LAST)
    if recipe.head == "cls":
        w.add_pooling_type(gguf.PoolingType.RANK)
        w.add_classifier_output_labels(["yes", "no"])
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(vocabulary.tokens)
    w.add_token_types(vocabulary.types)
    w.add_token_merges(vocabulary.merges)
    end_of_text, end_of_turn = vocabulary.id("<|endoftext|>"), vocabulary.id("<|im_end|>")
    w.add_eos_token_id(end_of_turn if recipe.head else end_of_text)
    w.add_pad_token_id(end_of_text)
    w.add_bos_token_id(end_of_text)
    w.add_eot_token_id(end_of_turn)
    w.add_add_bos_token(False)
    if recipe.head is None:
        w.add_add_eos_token(True)
