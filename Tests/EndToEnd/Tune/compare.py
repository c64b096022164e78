#!/usr/bin/env python3
"""LoRA of `q3 tune lora` beside sentence-transformers and PEFT: the same start, data and order, then each in the other's hands.

    pip install torch transformers sentence-transformers peft gguf tokenizers (run with 2.15.0, 5.23.0, 6.2.0, 0.21.2, 0.19.0, 0.23.3)
    python3 Tests/EndToEnd/Tune/compare.py --q3 .build/release/q3

A random embedding model and a random reranker of a few million weights are trained for 100 steps or a few more by both, with LoRA on the last
two layers and on all. Ends with status 1 where

- a step's loss differs by more than 1e-4;
- q3's adapter, loaded in PEFT, gives vectors that are further than 1e-6 (1 - cosine) from those of q3's model with that adapter
  (`q3 convert --lora`), or PEFT's own adapter does; or a reranker's score is further than 1e-5 off;
- an interrupted training that goes on gives other bytes than one that was not interrupted.

The loss is sentence-transformers' MultipleNegativesRankingLoss within its MatryoshkaLoss, the optimizer PyTorch's AdamW with clipped
gradients and transformers' linear schedule. Tokens are q3's rules applied here, so that only the training is compared.
"""

import argparse
import json
import math
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "Fixtures"))

import numpy as np
import peft
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses, modules
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3Model, get_linear_schedule_with_warmup

import make
import make_checkpoints as checkpoints
from generator import texts
from generator.tokenizer import Vocabulary

MODULES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
           "mlp.down_proj"]
LAYERS, HIDDEN, RANK, ALPHA, BATCH, STEPS, RATE = 4, 256, 8, 16, 8, 100, 2e-4
TASK = "Given a web search query, retrieve relevant passages that answer the query"
CURVE, VECTORS, SCORES = 1e-4, 1e-6, 1e-5
failures = []


def report(what, value, limit):
    print(f"{'' if value <= limit else 'FAILED: '}{what}: {value:.2e} (at most {limit:.0e})", flush=True)
    if not value <= limit:
        failures.append(what)


def check(what, holds):
    print(f"{'' if holds else 'FAILED: '}{what}", flush=True)
    if not holds:
        failures.append(what)


def config(vocabulary):
    return Qwen3Config(
        vocab_size=len(vocabulary.tokens) + 6, hidden_size=HIDDEN, intermediate_size=768, num_hidden_layers=LAYERS,
        num_attention_heads=8, num_key_value_heads=4, head_dim=64, max_position_embeddings=4096, rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": 1_000_000.0, "rope_type": "default"}, tie_word_embeddings=True)


def pairs():
    """Questions and passages made of words of the fixture's texts; each query has one answer and one wrong passage."""
    rng = random.Random(19)
    words = sorted({w for _, text in texts.TEXTS for w in text.split() if w.isascii() and w.isalpha()})
    made = []
    for _ in range(40):
        topic = rng.sample(words, 6)
        made.append({"query": " ".join(rng.sample(topic, 3)), "positive": " ".join(topic + rng.sample(words, rng.randint(3, 25))),
                     "negative": " ".join(rng.sample(topic, 2) + rng.sample(words, rng.randint(3, 25)))})
    return made


class Generator:
    """SplitMix64, as q3 orders its batches."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)


def orders(count, seed=0):
    """The examples of each epoch in q3's order."""
    seeds = Generator(seed)
    while True:
        generator = Generator(seeds.next())
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = (generator.next() * (last + 1)) >> 64
            order[last], order[other] = order[other], order[last]
        yield order


def batches(count, epochs):
    for _, order in zip(range(epochs), orders(count)):
        for start in range(0, count, BATCH):
            yield order[start : start + BATCH]


def off(a, b):
    a, b = (np.array([v / np.linalg.norm(v) for v in np.array(x, dtype=np.float64)]) for x in (a, b))
    return float((1 - np.sum(a * b, axis=1)).max())


def lora(model, layers, causal=False):
    prefix = "model." if causal else ""
    names = MODULES if layers == LAYERS else [f"{prefix}layers.{i}.{m}" for i in range(LAYERS - layers, LAYERS) for m in MODULES]
    names = [m.split(".")[1] for m in MODULES] if layers == LAYERS else names
    torch.manual_seed(7)
    return peft.get_peft_model(model, peft.LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=names, lora_dropout=0.0, bias="none",
        task_type="CAUSAL_LM" if causal else "FEATURE_EXTRACTION"))


def train(wrapped, count, epochs, loss_of):
    """The loss of each step."""
    steps = epochs * math.ceil(count / BATCH)
    parameters = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(0.1 * steps), steps)
    curve = []
    for batch in batches(count, epochs):
        optimizer.zero_grad()
        loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        curve.append(loss.item())
    return curve


def padded(lists):
    width = max(map(len, lists))
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids in lists])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in lists])
    return {"input_ids": ids, "attention_mask": mask}


def sentence_transformer(wrapped, folder):
    """The wrapped model with last-token pooling and unit length, as sentence-transformers trains it."""
    transformer = modules.Transformer(str(folder))
    transformer.model = wrapped
    return SentenceTransformer(modules=[transformer, modules.Pooling(HIDDEN, pooling_mode="lasttoken"), modules.Normalize()],
                               device="cpu")


class Q3:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments, text=None, status=0):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, input=text)
        if done.returncode != status:
            raise SystemExit(f"q3 {' '.join(map(str, arguments))}: status {done.returncode}\n{done.stderr}")
        return done.stdout

    def vectors(self, file, lines):
        out = self.run("embed", "--model", file, "--precision", "exact", "--input", "-", "--format", "jsonl",
                       text="\n".join(lines) + "\n")
        return [json.loads(line)["embedding"] for line in out.splitlines()]

    def scores(self, file, source):
        out = self.run("rerank", "--model", file, "--precision", "exact", "--input", source, "--format", "jsonl")
        answers = {a["index"]: a["score"] for a in map(json.loads, out.splitlines())}
        return [answers[i] for i in range(len(answers))]

    def tune(self, data, model, output, start, layers, epochs, *options):
        return ["tune", "lora", "-i", data / "train.jsonl", "--test", data / "test.jsonl", "-m", model, "-o", output,
                "--start", start, "--layers", "all" if layers == LAYERS else layers, "--rank", RANK, "--alpha", ALPHA,
                "--epochs", epochs, "--batch-size", BATCH, "--learning-rate", RATE, "--validation", 0, "--negatives", 1,
                "--precision", "exact", "--state-type", "f32", "--log", f"{output}.log", *options]

    @staticmethod
    def curve(output):
        lines = [json.loads(line) for line in open(f"{output}.log")]
        return [line["loss"] for line in lines if "loss" in line]


def embedding(q3, work, data, vocabulary, layers):
    name = f"embedding, LoRA on {layers} of {LAYERS} layers"
    folder, made = work / f"embedding-{layers}", pairs()[:32]
    torch.manual_seed(1)
    model = checkpoints.randomize(Qwen3Model(config(vocabulary)), torch.float32)
    checkpoints.save(folder / "base", model, torch.float32, vocabulary)
    q3.run("convert", folder / "base", "-o", folder / "base.gguf", "--type", "f32", "--role", "embedding")
    wrapped = lora(model, layers)
    wrapped.save_pretrained(folder / "start")
    wrapped.eval()  # no dropout is set; caches of nothing

    def ids(text):
        return vocabulary.encode(text) + [vocabulary.id("<|endoftext|>")]

    lists = {key: [ids(f"Instruct: {TASK}\nQuery:{p[key]}" if key == "query" else p[key]) for p in made]
             for key in ("query", "positive", "negative")}
    st = sentence_transformer(wrapped, folder / "base")
    base = losses.MultipleNegativesRankingLoss(st, scale=20.0)
    loss = losses.MatryoshkaLoss(st, base, matryoshka_dims=[HIDDEN, 64], matryoshka_weights=[0.5, 0.5])

    def loss_of(batch):
        features = [padded([lists[key][i] for i in batch]) for key in ("query", "positive", "negative")]
        return loss(features, None)

    epochs = math.ceil(STEPS / (len(made) / BATCH))
    expected = train(wrapped, len(made), epochs, loss_of)
    output = folder / "tuned"
    q3.run(*q3.tune(data, folder / "base.gguf", output, folder / "start", layers, epochs, "--temperature", 0.05,
                    "--passages-only", "--false-negative-margin", "none", "--matryoshka", 64))
    got = q3.curve(output)
    check(f"{name}: {len(got)} steps, the loss falls from {expected[0]:.3f} to {expected[-1]:.3f}",
          len(got) == len(expected) and expected[-1] < 0.7 * expected[0])
    report(f"{name}: loss curves", max(abs(a - b) for a, b in zip(got, expected)), CURVE)

    lines = [p[key] for p in pairs() for key in ("positive", "negative")]
    fresh = Qwen3Model.from_pretrained(folder / "base", torch_dtype=torch.float32)
    for what, adapter in ("q3's adapter", output), ("PEFT's adapter", folder / "peft"):
        if adapter.name == "peft":
            wrapped.save_pretrained(adapter)
        file = folder / f"{adapter.name}.gguf"
        q3.run("convert", folder / "base", "--lora", adapter, "-o", file, "--type", "f32", "--role", "embedding")
        loaded = peft.PeftModel.from_pretrained(
            Qwen3Model.from_pretrained(folder / "base", torch_dtype=torch.float32), adapter).eval()
        with torch.no_grad():
            wanted = [checkpoints.last(loaded, ids(line)).numpy() for line in lines]
            before = [checkpoints.last(fresh, ids(line)).numpy() for line in lines]
        check(f"{name}, {what}: it changes vectors ({off(before, wanted):.1e})", off(before, wanted) > 1e-4)
        report(f"{name}, {what} in PEFT and in q3", off(q3.vectors(file, lines), wanted), VECTORS)
    return folder, output, epochs


def interrupted(q3, data, folder, output, layers, epochs):
    """Kills a training now and then, by signals that can be caught and by one that cannot."""
    again = folder / "interrupted"
    arguments = [str(a) for a in q3.tune(
        data, folder / "base.gguf", again, folder / "start", layers, epochs, "--temperature", 0.05, "--passages-only",
        "--false-negative-margin", "none", "--matryoshka", 64)]
    stops = 0
    for kind in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, None):
        process = subprocess.Popen([q3.path, *arguments, "--resume"], stderr=subprocess.PIPE, text=True)
        try:
            process.communicate(timeout=None if kind is None else 1.5 + stops)
        except subprocess.TimeoutExpired:
            process.send_signal(kind)
            process.communicate()
            stops += 1
    same = all((again / n).read_bytes() == (output / n).read_bytes() for n in ("adapter_model.safetensors", "adapter_config.json"))
    check(f"a training that was stopped {stops} times gives the same bytes", same)


def reranker(q3, work, data, vocabulary, layers):
    name = f"reranker, LoRA on {layers} of {LAYERS} layers"
    folder, made = work / f"reranker-{layers}", pairs()[:32]
    torch.manual_seed(2)
    model = checkpoints.randomize(Qwen3ForCausalLM(config(vocabulary)), torch.float32)
    checkpoints.save(folder / "base", model, torch.float32, vocabulary)
    q3.run("convert", folder / "base", "-o", folder / "base.gguf", "--type", "f32", "--role", "reranker")
    wrapped = lora(model, layers, causal=True)
    wrapped.save_pretrained(folder / "start")
    rows = model.lm_head.weight.detach()[[vocabulary.id("yes"), vocabulary.id("no")]].clone()
    examples = []
    for pair in made:
        for key, label in ("positive", 1.0), ("negative", 0.0):
            examples.append((make.prompt_ids(vocabulary, pair["query"], pair[key], TASK, "card"), label))

    def loss_of(batch):
        margins = []
        for i in batch:
            h = wrapped.base_model.model.model(torch.tensor([examples[i][0]]), use_cache=False).last_hidden_state[0, -1]
            margins.append((rows[0] - rows[1]) @ h)
        labels = torch.tensor([examples[i][1] for i in batch])
        return torch.nn.functional.binary_cross_entropy_with_logits(torch.stack(margins), labels)

    epochs = math.ceil(STEPS * BATCH / len(examples))
    expected = train(wrapped, len(examples), epochs, loss_of)
    output = folder / "tuned"
    q3.run(*q3.tune(data, folder / "base.gguf", output, folder / "start", layers, epochs))
    got = q3.curve(output)
    check(f"{name}: the loss falls from {expected[0]:.3f} to {min(expected[-5:]):.3f}", np.mean(expected[-8:]) < np.mean(expected[:8]))
    check(f"{name}: {len(got)} steps", len(got) == len(expected))
    report(f"{name}: loss curves", max(abs(a - b) for a, b in zip(got, expected)), CURVE)
    source = folder / "pairs.jsonl"
    source.write_text("".join(json.dumps({"query": p["query"], "document": p["positive"]}) + "\n" for p in pairs()))
    for what, adapter in ("q3's adapter", output), ("PEFT's adapter", folder / "peft"):
        if adapter.name == "peft":
            wrapped.save_pretrained(adapter)
        file = folder / f"{adapter.name}.gguf"
        q3.run("convert", folder / "base", "--lora", adapter, "-o", file, "--type", "f32", "--role", "reranker")
        loaded = peft.PeftModel.from_pretrained(
            Qwen3ForCausalLM.from_pretrained(folder / "base", torch_dtype=torch.float32), adapter).eval()
        wanted = []
        with torch.no_grad():
            for p in pairs():
                h = checkpoints.last(loaded.base_model.model.model, make.prompt_ids(vocabulary, p["query"], p["positive"], TASK, "card"))
                wanted.append(float(torch.softmax(rows @ h, 0)[0]))
        report(f"{name}, {what} in PEFT and in q3",
               max(abs(a - b) for a, b in zip(q3.scores(file, source), wanted)), SCORES)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--keep", type=pathlib.Path, help="work in this folder and leave it")
    options = parser.parse_args()
    q3 = Q3(os.path.abspath(options.q3))
    torch.set_num_threads(2)
    vocabulary = Vocabulary(texts.corpus(), checkpoints.BASE_TOKENS)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.keep or pathlib.Path(temporary)
        work.mkdir(exist_ok=True)
        for name, rows in ("train", pairs()[:32]), ("test", pairs()[32:]):
            (work / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for layers in 2, LAYERS:
            began = time.monotonic()
            folder, output, epochs = embedding(q3, work, work, vocabulary, layers)
            if layers == 2:
                interrupted(q3, work, folder, output, layers, epochs)
            print(f"{time.monotonic() - began:.0f} s", flush=True)
        reranker(q3, work, work, vocabulary, 2)
    if failures:
        raise SystemExit(f"{len(failures)} failed")
    print("everything agrees")


if __name__ == "__main__":
    main()
