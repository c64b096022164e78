#!/usr/bin/env python3
"""q3 quantize beside llama.cpp's quantizer on the same F16 files: errors of weights and of final vectors, seconds, memory.

    Benchmarks/peers/run --help        # once: sets up the virtual environment
    PYTHONPATH=Benchmarks/peers:Tests/Fixtures Benchmarks/peers/.venv/bin/python Benchmarks/peers/quantize.py \\
        --q3 .build/release/q3 [--models FOLDER] [--types Q8_0 Q4_K_M ...] [--weights whole normal heavy] [--rounds N] [--seeds N]

`whole` is the 0.6B-shaped file that the other comparisons use, with normally distributed weights. `normal` and `heavy` are several small
models of four layers, because what one model's errors do to its vectors is a matter of luck; the weights of `heavy` follow Student's
t-distribution with 3 degrees of freedom: tails as trained weights have them. Figures are means over the models. RMSE is over every eighth row of all matrices whose type
changes, with the largest single error beside it. Vectors of the original and of both files are computed by
`q3 embed --precision exact`, so that only the weights differ: 1 - cosine to the original's, mean and largest of the texts. A few
texts of a few models make most of those means, so several models are also compared one by one: the geometric mean of q3's
1 - cosine through llama.cpp's, times or divided by its standard error. More than two of those above 1 counts as further off.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type, LlamaFileType as FileType

from generator import model, texts
from generator.tokenizer import Vocabulary
from models import Files, QUANTIZED, TRAINED_TOKENS
import quality

EVERY = 8  # rows of a matrix that errors are taken from, one of so many
SEVERAL = [" ".join(quality.TEXTS[:count]) for count in (3, 6, 12)]
TEXTS = quality.TEXTS[::2] + SEVERAL
TAILS = {"normal": None, "heavy": 3}
SMALL = model.Shape(layers=4, hidden=512, heads=8, kv_heads=4, head_dim=64, feed_forward=1536)

# A process of its own, so that its peak of memory is the quantizer's.
QUANTIZE = """
import ctypes, sys, llama_cpp as llama
quiet = llama.llama_log_callback(lambda *_: None)
llama.llama_log_set(quiet, ctypes.c_void_p())
params = llama.llama_model_quantize_default_params()
params.ftype, params.nthread = int(sys.argv[3]), 2
sys.exit(llama.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(params)))
"""


def measured(command):
    """Seconds of a run and the peak of its memory in MB."""
    start = time.perf_counter()
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)\n" \
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    peak = subprocess.run([sys.executable, "-c", script, *map(str, command)], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, int(peak.stdout.split()[-1]) / (1e6 if sys.platform == "darwin" else 1e3)


def weights(original, made):
    """RMSE and largest error over the tensors whose type changed, in pieces."""
    squares = count = largest = 0.0
    others = {tensor.name: tensor for tensor in gguf.GGUFReader(made).tensors}
    for a in gguf.GGUFReader(original).tensors:
        b = others[a.name]
        if a.tensor_type == b.tensor_type:
            continue
        for rows in np.array_split(np.arange(len(a.data)), max(1, a.n_elements >> 22)):
            part = slice(rows[0], rows[-1] + 1, EVERY)
            x, y = (gguf.quants.dequantize(t.data[part], t.tensor_type).astype(np.float32) for t in (a, b))
            off = x - y
            squares, count = squares + float(np.vdot(off, off)), count + x.size
            largest = max(largest, float(np.abs(off).max()))
    return {"rmse": (squares / count) ** 0.5, "largest": largest}


def vectors(q3, path):
    command = [q3, "embed", "--model", path, "--format", "jsonl", "--precision", "exact", "--input", "-"]
    answers = subprocess.run(command, check=True, capture_output=True, text=True, input="\n".join(TEXTS) + "\n").stdout
    return [json.loads(line)["embedding"] for line in answers.splitlines()]


def distances(some, wanted):
    a, b = (np.array([v / np.linalg.norm(v) for v in np.array(x, dtype=np.float64)]) for x in (some, wanted))
    off = 1 - np.sum(a * b, axis=1)
    return {"mean": float(off.mean()), "maximum": float(off.max())}


def compare(q3, original, kinds, rounds, folder):
    wanted = vectors(q3, original)
    rows = []
    for kind in kinds:
        makers = {
            "q3": lambda target: [q3, "quantize", "--threads", 2, original, target, kind],
            "llama.cpp": lambda target: [sys.executable, "-c", QUANTIZE, original, target, QUANTIZED[kind]],
        }
        runs = {name: [] for name in makers}
        for _ in range(rounds):  # in turns
            for name, command in makers.items():
                runs[name].append(measured(command(pathlib.Path(folder) / f"{name}.gguf")))
        for name in makers:
            path = str(pathlib.Path(folder) / f"{name}.gguf")
            row = {"file": pathlib.Path(original).stem, "type": kind, "by": name, **weights(original, path),
                   "cosine": distances(vectors(q3, path), wanted),
                   "seconds": statistics.median(s for s, _ in runs[name]), "megabytes": max(m for _, m in runs[name])}
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def small(name, seeds, folder):
    vocabulary = Vocabulary(texts.corpus(), TRAINED_TOKENS)
    recipe = model.Recipe(f"peers-{name}", SMALL, Type.F16, FileType.MOSTLY_F16, sharpness=1, tail=TAILS[name])
    paths = [pathlib.Path(folder) / f"{name}-{seed}.gguf" for seed in range(seeds)]
    for seed, path in enumerate(paths):
        model.write(path, recipe, vocabulary, seed=seed)
    return paths


def averaged(name, rows):
    mean = lambda value: statistics.mean(map(value, rows))
    return {"file": name, "type": rows[0]["type"], "by": rows[0]["by"], "rmse": mean(lambda r: r["rmse"]),
            "largest": max(r["largest"] for r in rows),
            "cosine": {"mean": mean(lambda r: r["cosine"]["mean"]), "maximum": max(r["cosine"]["maximum"] for r in rows)},
            "cosines": [r["cosine"]["mean"] for r in rows],
            "seconds": mean(lambda r: r["seconds"]), "megabytes": max(r["megabytes"] for r in rows)}


def ratio(ours, theirs):
    """Geometric mean over the models of ours through theirs; its standard error as a factor, without bound for a single model."""
    logs = [math.log(a / b) for a, b in zip(ours["cosines"], theirs["cosines"])]
    error = statistics.stdev(logs) / len(logs) ** 0.5 if len(logs) > 1 else math.inf
    return math.exp(statistics.mean(logs)), math.exp(error)


def table(rows):
    print("\n| weights, type | RMSE q3 | llama.cpp | largest error q3 | llama.cpp | 1 - cosine q3 | llama.cpp | seconds q3 | llama.cpp "
          "| peak memory q3 | llama.cpp |\n|---|" + "--:|" * 10)
    pair = lambda d: f"{d['mean']:.2e} / {d['maximum']:.1e}"
    for ours, theirs in zip(rows[::2], rows[1::2]):
        both = lambda text: " | ".join(text(row) for row in (ours, theirs))
        print(f"| {ours['file']}, {ours['type']} | {both(lambda r: format(r['rmse'], '.3e'))} | "
              f"{both(lambda r: format(r['largest'], '.2e'))} | {both(lambda r: pair(r['cosine']))} | "
              f"{both(lambda r: format(r['seconds'], '.1f'))} | {both(lambda r: format(r['megabytes'], '.0f') + ' MB')} |")


def model_by_model(rows):
    print("\n| weights, type | q3 / llama.cpp | standard error | q3 nearer in |\n|---|" + "--:|" * 3)
    for ours, theirs in zip(rows[::2], rows[1::2]):
        mean, error = ratio(ours, theirs)
        nearer = sum(a < b for a, b in zip(ours["cosines"], theirs["cosines"]))
        print(f"| {ours['file']}, {ours['type']} | {mean:.2f} | x {error:.2f} | {nearer} of {len(ours['cosines'])} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--models", default=pathlib.Path(__file__).resolve().parent / "models")
    parser.add_argument("--types", nargs="+", default=list(QUANTIZED), choices=QUANTIZED)
    parser.add_argument("--weights", nargs="+", default=list(TAILS), choices=["whole", *TAILS])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    files, rows = Files(options.models), []
    for name in options.weights:
        with tempfile.TemporaryDirectory(dir=files.folder) as folder:
            models = [files.path("F16")] if name == "whole" else small(name, options.seeds, folder)
            results = [compare(options.q3, str(path), options.types, options.rounds, folder) for path in models]
            rows += [averaged(name, same) for same in zip(*results)]
    table(rows)
    model_by_model(rows)

    def is_worse(ours, theirs):
        mean, error = ratio(ours, theirs)
        return ours["rmse"] > theirs["rmse"] or mean > error**2

    worse = [f"{a['file']} {a['type']}" for a, b in zip(rows[::2], rows[1::2]) if is_worse(a, b)]
    if worse:
        raise SystemExit("further off than llama.cpp: " + ", ".join(worse))


if __name__ == "__main__":
    main()
