#!/usr/bin/env python3
"""`encode` of q3's Python package beside sentence-transformers' on the 0.6B shape: tokens per second of one call.

    encode.py --q3 PROGRAM [--documents 128] [--tokens 128 | --texts FILE] [--rounds 1] [--folder results/encode] [--make-only]
              [ENGINE ...]

--texts takes the first documents from a file, one a line, in place of random ones of so many tokens each.

Engines: q3-f16, q3-q8_0, either with -fast behind, torch-float32, torch-bfloat16, onnx, openvino; those whose packages are missing
say so. The checkpoint has random weights of the shape of Qwen3-Embedding-0.6B and the fixtures' small tokenizer: the vocabulary
costs nothing but a look-up. Each engine's vectors stay in the folder, and their distance from torch-float32's is printed at the end.
Engines take turns in processes of their own; loading and one pass over eight documents are not timed. ONNX and OpenVINO read what
sentence-transformers exported once; --make-only does that, and stops. Needs torch, transformers,
sentence-transformers and numpy; Q3_LIBRARY and PYTHONPATH name q3 as for Tests/EndToEnd/Python.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TINY = HERE.parents[1] / "Tests" / "Fixtures" / "checkpoints" / "tiny-embedding"
ENGINES = ["q3-q8_0", "q3-f16", "q3-q8_0-fast", "torch-float32", "torch-bfloat16", "onnx", "openvino"]


def make_checkpoint(folder):
    """A folder as transformers and `q3 convert` read it."""
    import torch
    from transformers import Qwen3Config, Qwen3Model

    tiny = json.loads((TINY / "config.json").read_text())
    config = Qwen3Config(
        vocab_size=tiny["vocab_size"], hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=32768, rms_norm_eps=1e-6, attention_bias=False,
        use_sliding_window=False, tie_word_embeddings=True)
    torch.manual_seed(1)
    model = Qwen3Model(config).to(torch.float16)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(0.6 / weight.shape[1] ** 0.5 * torch.randn(weight.shape))
    model.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    written.update(rope_theta=1_000_000.0, rope_parameters={"rope_theta": 1_000_000.0, "rope_type": "default"})
    (folder / "config.json").write_text(json.dumps(written, indent=1))
    shutil.copy(TINY / "tokenizer.json", folder)
    settings = json.loads((TINY / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)  # with it every text would be read as a message
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def read_tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(TINY / "tokenizer.json"))


def read_documents(path, count):
    documents = path.read_text().splitlines()[:count]
    if len(documents) < count:
        raise SystemExit(f"{path} has {len(documents)} lines, --documents asks for {count}")
    return documents


def make_documents(count, tokens):
    """Texts of so many tokens, together with the end mark that q3 puts behind them."""
    tokenizer = read_tokenizer()
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    documents = []
    while len(documents) < count:
        text = ""
        while True:
            longer = text + (" " if text else "") + "".join(chance.choices(letters, k=chance.randint(1, 3)))
            size = len(tokenizer.encode(longer).ids)
            if size > tokens - 1:
                break
            text = longer
            if size == tokens - 1:
                documents.append(text)
                break
    return documents


def give_positions(model):
    """The exported graph asks for positions, which sentence-transformers does not give: those that transformers makes."""
    forward = model.forward
    if "position_ids" in model.input_names:
        model.forward = lambda attention_mask, **inputs: forward(
            attention_mask=attention_mask, position_ids=(attention_mask.cumsum(-1) - 1).clamp(min=0), **inputs)


def worker(engine, folder):
    """Encodes what stdin brings, and prints the seconds of each round."""
    documents, rounds = json.loads(sys.stdin.readline())
    kind, _, detail = engine.partition("-")
    if kind == "q3":
        import q3

        file, _, precision = detail.partition("-")
        encode = q3.Embedder(folder / f"{file}.gguf", precision=precision or "auto").encode
        texts = documents
    else:
        import sentence_transformers as st
        import torch

        torch.set_num_threads(os.cpu_count())
        arguments = {} if kind == "torch" else {"backend": kind}
        settings = {"dtype": getattr(torch, detail)} if kind == "torch" else {}
        if st.__version__.startswith("5") and "dtype" in settings:
            settings = {"torch_dtype": settings["dtype"]}
        if kind == "openvino":
            settings["ov_config"] = {"INFERENCE_NUM_THREADS": str(os.cpu_count())}
        try:
            from sentence_transformers.sentence_transformer import modules as models
            from sentence_transformers.base.modules import Transformer
        except ImportError:
            from sentence_transformers import models

            Transformer = models.Transformer
        named = "model_kwargs" if not st.__version__.startswith("5") else "model_args"
        source = folder / "checkpoint"
        if kind in ("onnx", "openvino"):
            exported = folder / kind
            if not exported.exists():
                part = folder / f"{kind}.part"
                Transformer(str(source), **{named: settings}, **arguments).save(str(part))
                part.rename(exported)
            source = exported
        transformer = Transformer(str(source), **{named: settings}, **arguments)
        transformer.tokenizer.padding_side = "left"
        if kind == "onnx":
            give_positions(transformer.auto_model)
        model = st.SentenceTransformer(
            modules=[transformer, models.Pooling(1024, pooling_mode="lasttoken"), models.Normalize()], device="cpu")
        encode = model.encode
        texts = [text + "<|endoftext|>" for text in documents]
    encode(texts[:8])
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        vectors = encode(texts)
        seconds.append(time.perf_counter() - start)
    import numpy as np

    if not rounds:
        return
    np.save(folder / f"{engine}.npy", np.asarray(vectors, np.float32))
    print(json.dumps(seconds), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", help="the program q3, which converts the checkpoint")
    parser.add_argument("--documents", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--texts", type=pathlib.Path, help="a file of texts, one a line")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path, default=HERE / "results" / "encode")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--make-only", action="store_true", help="make the files and try every engine once")
    parser.add_argument("engines", nargs="*", metavar="ENGINE")
    arguments = parser.parse_args()
    folder = arguments.folder
    if arguments.worker:
        return worker(arguments.worker, folder)
    if not (folder / "checkpoint" / "config.json").exists():
        (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
        make_checkpoint(folder / "checkpoint")
    for kind in ("q8_0", "f16"):
        if not (folder / f"{kind}.gguf").exists():
            subprocess.run([arguments.q3, "convert", folder / "checkpoint", "-o", folder / f"{kind}.gguf", "--type", kind], check=True)
    if arguments.make_only:
        arguments.documents, arguments.rounds = 8, 0
    if arguments.texts:
        documents = read_documents(arguments.texts, arguments.documents)
    else:
        documents = make_documents(arguments.documents, arguments.tokens)
    tokens = sum(len(encoding.ids) + 1 for encoding in read_tokenizer().encode_batch(documents))  # with the end mark
    print(f"{len(documents)} documents, {tokens} tokens", flush=True)
    work = json.dumps([documents, arguments.rounds]) + "\n"
    speeds = {}
    for engine in arguments.engines or ENGINES:
        done = subprocess.run(
            [sys.executable, __file__, "--folder", folder, "--worker", engine], input=work, capture_output=True, text=True)
        if done.returncode:
            print(f"{engine}: failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}", flush=True)
            continue
        if arguments.make_only:
            continue
        seconds = statistics.median(json.loads(done.stdout.splitlines()[-1]))
        speeds[engine] = tokens / seconds
        first = next(iter(speeds.values()))
        print(f"{engine}: {seconds:.1f} s, {speeds[engine]:.0f} tokens/s, {first / speeds[engine]:.2f} times as long as {next(iter(speeds))}", flush=True)
    if not arguments.make_only:
        print_distances(folder, list(speeds))


def print_distances(folder, engines):
    """Median and largest 1 - cosine to torch-float32 of this run."""
    import numpy as np

    if "torch-float32" not in engines:
        return
    vectors = {engine: np.load(folder / f"{engine}.npy").astype(np.float64) for engine in engines}
    for each in vectors.values():
        each /= np.linalg.norm(each, axis=1, keepdims=True)
    for engine, each in vectors.items():
        distances = 1 - (each * vectors["torch-float32"]).sum(axis=1)
        print(f"{engine}: 1 - cosine to torch-float32 {np.median(distances):.1e}, at most {distances.max():.1e}")


if __name__ == "__main__":
    main()
