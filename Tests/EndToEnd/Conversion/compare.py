#!/usr/bin/env python3
"""Models of transformers through `q3 convert`, beside transformers itself and llama.cpp on the same files.

    pip install torch transformers peft gguf tokenizers llama-cpp-python     (run with 2.15.0, 5.23.0, 0.21.2, 0.19.0, 0.23.3, 0.3.36)
    python3 Tests/EndToEnd/Conversion/compare.py --q3 .build/release/q3

Random models of a few million weights are saved with `save_pretrained`: an embedding model, a tied and an untied reranker, each in F32,
F16 and BF16, and a LoRA adapter of PEFT. Ends with status 1 where

- a vector of q3 (`--precision exact`) is further than 1e-6 (1 - cosine) from transformers in float32 on the same weights, or a score
  further than 1e-5 (BF16: 5e-5);
- llama.cpp, asked for nothing but what the file says, pools, tokenizes or scores in another way: vectors within 1e-9 for F32; it rounds
  activations to the type of the weights, which costs it up to 1e-4 with F16 and 1e-3 with BF16; scores within 5e-5, 1e-2 and 0.1;
- llama.cpp's vectors of q3's file are not, bit for bit, those of a file that gguf-py wrote from the same weights.
"""

import argparse
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "Fixtures"))

import gguf
import llama_cpp as llama
import numpy as np
import peft
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3Model

import make
import make_checkpoints as checkpoints
from generator import texts
from generator.tokenizer import Vocabulary

KINDS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# llama.cpp's tokenizer does not normalize.
TEXTS = [" ".join(text.split()) for _, text in texts.TEXTS
         if text.strip() and "<" not in text and unicodedata.is_normalized("NFC", text)]
TEXTS += [" ".join(TEXTS[:12])]
PAIRS = [(query, document) for query, document, _ in texts.PAIRS][:8]
TASK = "Given a web search query, retrieve relevant passages that answer the query"
VECTORS = 1e-6
SCORES = {"f32": 1e-5, "f16": 1e-5, "bf16": 5e-5}
LLAMA_VECTORS = {"f32": 1e-9, "f16": 1e-4, "bf16": 1e-3}
LLAMA_SCORES = {"f32": 5e-5, "f16": 1e-2, "bf16": 0.1}
failures = []


def report(what, value, limit):
    print(f"{'' if value <= limit else 'FAILED: '}{what}: {value:.2e} (at most {limit:.0e})", flush=True)
    if not value <= limit:
        failures.append(what)


def check(what, holds):
    if not holds:
        print(f"FAILED: {what}", flush=True)
        failures.append(what)


def config(vocabulary, tied):
    return Qwen3Config(
        vocab_size=len(vocabulary.tokens) + 6, hidden_size=256, intermediate_size=768, num_hidden_layers=4,
        num_attention_heads=8, num_key_value_heads=4, head_dim=64, max_position_embeddings=4096, rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": 1_000_000.0, "rope_type": "default"}, tie_word_embeddings=tied)


def off(a, b):
    """The largest 1 - cosine."""
    a, b = (np.array([v / np.linalg.norm(v) for v in np.array(x, dtype=np.float64)]) for x in (a, b))
    return float((1 - np.sum(a * b, axis=1)).max())


class Q3:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments, text=None):
        return subprocess.run([self.path, *map(str, arguments)], check=True, capture_output=True, text=True, input=text).stdout

    def convert(self, folder, file, *options):
        return json.loads(self.run("convert", folder, "--output", file, "--json", *options))

    def vectors(self, file):
        lines = self.run("embed", "--model", file, "--precision", "exact", "--input", "-", "--format", "jsonl",
                         text="\n".join(TEXTS) + "\n")
        return [json.loads(line)["embedding"] for line in lines.splitlines()]

    def scores(self, file):
        pairs = "".join(json.dumps({"query": query, "document": document}) + "\n" for query, document in PAIRS)
        source = file.with_suffix(".jsonl")
        source.write_text(pairs)
        lines = self.run("rerank", "--model", file, "--precision", "exact", "--input", source, "--format", "jsonl")
        answers = {answer["index"]: answer["score"] for answer in map(json.loads, lines.splitlines())}
        return [answers[i] for i in range(len(PAIRS))]


class Llama:
    """A file as llama.cpp opens it when it is told nothing: pooling and the closing token are the file's."""

    def __init__(self, path):
        params = llama.llama_model_default_params()
        params.n_gpu_layers, params.use_extra_bufts = 0, False
        self.model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        p = llama.llama_context_default_params()
        p.n_ctx = p.n_batch = p.n_ubatch = 4096
        p.embeddings, p.n_threads, p.n_threads_batch = True, 2, 2
        # Keys and values in F16 would cost it more than anything that the file decides.
        p.type_k = p.type_v = gguf.GGMLQuantizationType.F32
        p.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama.llama_init_from_model(self.model, p)
        self.pooling = llama.llama_pooling_type(self.context)

    def close(self):
        llama.llama_free(self.context)
        llama.llama_model_free(self.model)

    def template(self, name):
        template = llama.llama_model_chat_template(self.model, name.encode())
        return template.decode() if template else None

    def tokenize(self, text, special=False):
        data, vocabulary = text.encode(), llama.llama_model_get_vocab(self.model)
        ids = (llama.llama_token * (len(data) + 2))()
        return list(ids[:llama.llama_tokenize(vocabulary, data, len(data), ids, len(ids), True, special)])

    def result(self, ids, size):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), False)
        tokens = (llama.llama_token * len(ids))(*ids)  # the batch only points to them
        if llama.llama_decode(self.context, llama.llama_batch_get_one(tokens, len(ids))):
            raise SystemExit("llama_decode failed")
        return np.ctypeslib.as_array(llama.llama_get_embeddings_seq(self.context, 0), (size,)).copy()


def written_by_gguf(path, model, vocabulary, kind):
    """The embedding model as gguf-py writes it, with only the metadata that llama.cpp needs."""
    c, w = model.config, gguf.GGUFWriter(path, "qwen3")
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_key_length(c.head_dim)
    w.add_value_length(c.head_dim)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(1_000_000.0)
    w.add_pooling_type(gguf.PoolingType.LAST)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    fill = c.vocab_size - len(vocabulary.tokens)
    w.add_token_list(vocabulary.tokens + [f"[PAD{i}]" for i in range(fill)])
    w.add_token_types(vocabulary.types + [gguf.TokenType.UNUSED] * fill)
    w.add_token_merges(vocabulary.merges)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, c.num_hidden_layers)
    for name, weight in model.state_dict().items():
        target = names.get_name("model." + name, try_suffixes=(".weight",))
        data = weight.numpy()
        w.add_tensor(target, data if data.ndim == 1 else data.astype(np.float32 if kind == "f32" else np.float16))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


@torch.no_grad()
def reference_vectors(model, lists):
    return [checkpoints.last(model, ids).numpy() for ids in lists]


@torch.no_grad()
def reference_scores(model, vocabulary):
    rows = model.lm_head.weight.detach()[[vocabulary.id("yes"), vocabulary.id("no")]]
    scores = []
    for query, document in PAIRS:
        ids = make.prompt_ids(vocabulary, query, document, TASK, "card")
        scores.append(float(torch.softmax(rows @ checkpoints.last(model.model, ids), 0)[0]))
    return scores


def embedding(q3, folder, vocabulary):
    lists = [vocabulary.encode(text) + [vocabulary.id("<|endoftext|>")] for text in TEXTS]
    for name, kind in KINDS.items():
        torch.manual_seed(1)
        model = checkpoints.randomize(Qwen3Model(config(vocabulary, True)), kind)
        source, file = folder / f"embedding-{name}", folder / f"embedding-{name}.gguf"
        checkpoints.save(source, model, kind, vocabulary)
        sentence_transformers(source)
        told = q3.convert(source, file)
        check(f"{name}: kept as it is", told["type"] == name.upper() and told["rmse"] == 0)
        wanted = reference_vectors(model, lists)
        report(f"embedding in {name}, q3", off(q3.vectors(file), wanted), VECTORS)
        engine = Llama(file)
        check(f"{name}: llama.cpp pools the last token", engine.pooling == llama.LLAMA_POOLING_TYPE_LAST)
        check(f"{name}: llama.cpp has the same tokens", [engine.tokenize(text) for text in TEXTS] == lists)
        got = [engine.result(ids, 256) for ids in lists]
        engine.close()
        report(f"embedding in {name}, llama.cpp", off(got, wanted), LLAMA_VECTORS[name])
        if name != "bf16":
            other = folder / "other.gguf"
            written_by_gguf(other, model, vocabulary, name)
            engine = Llama(other)
            again = [engine.result(ids, 256) for ids in lists]
            engine.close()
            check(f"{name}: llama.cpp computes the same from gguf-py's file", all(map(np.array_equal, got, again)))
        for kind_made in ("f32",) if name == "f32" else ("f32", "f16"):  # from F32 to F16 is another model
            q3.convert(source, file, "--type", kind_made)
            report(f"embedding in {name} to {kind_made}, q3", off(q3.vectors(file), wanted), VECTORS)
        fields = gguf.GGUFReader(file).fields
        value = lambda key: fields[key].contents()
        check(f"{name}: prompts", value("sentence_transformers.prompts.query") == "Instruct: x\nQuery:")
        check(f"{name}: pooling", value("qwen3.pooling_type") == gguf.PoolingType.LAST)
        check(f"{name}: closing token", value("tokenizer.ggml.add_eos_token")
              and value("tokenizer.ggml.eos_token_id") == vocabulary.id("<|endoftext|>"))


def sentence_transformers(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "lasttoken", "include_prompt": True}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(
        {"prompts": {"query": "Instruct: x\nQuery:", "document": ""}}))


def reranker(q3, folder, vocabulary, tied):
    for name, kind in KINDS.items():
        torch.manual_seed(2)
        model = checkpoints.randomize(Qwen3ForCausalLM(config(vocabulary, tied)), kind)
        what = f"{'tied' if tied else 'untied'} reranker in {name}"
        source, file = folder / f"reranker-{tied}-{name}", folder / f"reranker-{tied}-{name}.gguf"
        checkpoints.save(source, model, kind, vocabulary, shard="1MB")
        wanted = reference_scores(model, vocabulary)
        for options in [], ["--causal"], ["--type", "f32"]:
            q3.convert(source, file, *options)
            difference = max(abs(a - b) for a, b in zip(q3.scores(file), wanted))
            report(f"{what} {' '.join(options)}, q3", difference, SCORES[name])
        q3.convert(source, file)
        engine = Llama(file)
        check(f"{what}: llama.cpp ranks", engine.pooling == llama.LLAMA_POOLING_TYPE_RANK)
        check(f"{what}: labels", gguf.GGUFReader(file).fields["qwen3.classifier.output_labels"].contents() == ["yes", "no"])
        template, scores = engine.template("rerank"), []
        for query, document in PAIRS:
            ids = engine.tokenize(template.replace("{query}", query).replace("{document}", document), special=True)
            check(f"{what}: llama.cpp's prompt", ids == make.prompt_ids(vocabulary, query, document, TASK, "card"))
            scores.append(float(engine.result(ids, 2)[0]))
        engine.close()
        report(f"{what}, llama.cpp", max(abs(a - b) for a, b in zip(scores, wanted)), LLAMA_SCORES[name])


def adapters(q3, folder, vocabulary):
    lists = [vocabulary.encode(text) + [vocabulary.id("<|endoftext|>")] for text in TEXTS]
    every = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    for stabilized, modules, name in (False, every, "f32"), (True, ["q_proj", "down_proj"], "f16"):
        torch.manual_seed(5)
        model = checkpoints.randomize(Qwen3Model(config(vocabulary, True)), KINDS[name])
        source, adapter, file = (folder / f"{part}-{name}" for part in ("base", "adapter", "adapted"))
        checkpoints.save(source, model, KINDS[name], vocabulary)
        sentence_transformers(source)
        before = reference_vectors(model, lists)
        adapted = peft.get_peft_model(model, peft.LoraConfig(
            r=8, lora_alpha=24, target_modules=modules, use_rslora=stabilized))
        with torch.no_grad():
            for key, weight in adapted.named_parameters():
                if "lora_B" in key:
                    weight.copy_(0.02 * torch.randn_like(weight))
        adapted.save_pretrained(adapter)
        q3.convert(source, file, "--lora", adapter, "--type", "f32")
        wanted = reference_vectors(adapted.eval(), lists)
        what = f"LoRA of {len(modules)} kinds of matrices in {name}"
        check(f"{what} changes something", off(before, wanted) > 1e-2)
        report(f"{what}, q3", off(q3.vectors(file), wanted), VECTORS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True)
    q3 = Q3(parser.parse_args().q3)
    torch.set_num_threads(2)
    quiet = llama.llama_log_callback(lambda *_: None)
    llama.llama_log_set(quiet, ctypes.c_void_p())
    llama.llama_backend_init()
    vocabulary = Vocabulary(texts.corpus(), checkpoints.BASE_TOKENS)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        embedding(q3, folder, vocabulary)
        reranker(q3, folder, vocabulary, tied=True)
        reranker(q3, folder, vocabulary, tied=False)
        adapters(q3, folder, vocabulary)
    if failures:
        raise SystemExit(f"{len(failures)} failed")
    print("everything agrees")


if __name__ == "__main__":
    main()
