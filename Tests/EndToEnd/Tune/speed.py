#!/usr/bin/env python3
"""How fast `q3 tune lora` is beside PyTorch and PEFT on the same work: LoRA on the last layers of a model in the shape of 0.6B.

    pip install torch transformers peft     (run with 2.15.0, 5.23.0, 0.21.2)
    python3 Tests/EndToEnd/Tune/speed.py --q3 .build/release/q3 --model 0.6b-q8_0.gguf --pairs 32 --rounds 2

The model may have random weights: the work is the same. PyTorch gets a model of that shape in float32, LoRA by PEFT on the same
matrices, the same number of texts of as many tokens, and InfoNCE over the batch; layers below the first LoRA matrix have no graph.
Both take turns. The steps of q3 are those of a training after its trunk; its rate is of trunk and steps together for one epoch.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def torch_round(options):
    """Runs in a process of its own, so that its peak memory is its own. Prints seconds and MiB."""
    import peft
    import torch
    from transformers import Qwen3Config, Qwen3Model

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=4096, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=32768, rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": 1_000_000.0, "rope_type": "default"}, tie_word_embeddings=True)
    model = Qwen3Model(config)
    names = [f"layers.{i}.{m}" for i in range(28 - options.layers, 28)
             for m in [f"self_attn.{t}" for t in TARGETS[:4]] + [f"mlp.{t}" for t in TARGETS[4:]]]
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules=names, lora_dropout=0.0))
    optimizer = torch.optim.AdamW([p for p in wrapped.parameters() if p.requires_grad], lr=1e-4)

    def step(pairs):
        ids = torch.randint(0, 4096, (2 * pairs, options.tokens))
        optimizer.zero_grad()
        began = time.perf_counter()
        h = torch.nn.functional.normalize(wrapped(input_ids=ids, use_cache=False).last_hidden_state[:, -1], dim=1)
        loss = torch.nn.functional.cross_entropy(20 * h[:pairs] @ h[pairs:].T, torch.arange(pairs))
        middle = time.perf_counter()
        loss.backward()
        optimizer.step()
        return middle - began, time.perf_counter() - middle

    step(2)  # the first one allocates
    times = [step(options.batch) for _ in range(options.pairs // options.batch)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"forward": sum(t[0] for t in times), "backward": sum(t[1] for t in times), "peak": peak}))


def q3_round(options, work):
    """Seconds of trunk, forward and backward, and MiB."""
    rng = random.Random(19)
    words = [w.strip() for w in open(__file__).read().split() if w.isalpha()]
    text = lambda: " ".join(rng.choice(words) for _ in range(2 * options.tokens))
    for name, count in ("train", options.pairs), ("test", 2):
        (work / f"{name}.jsonl").write_text("".join(
            json.dumps({"query": text(), "positive": text()}) + "\n" for _ in range(count)))
    command = [options.q3, "tune", "lora", "-i", work / "train.jsonl", "--test", work / "test.jsonl", "-m", options.model,
               "-o", work / "out", "--layers", options.layers, "--rank", 16, "--alpha", 32, "--batch-size", options.batch,
               "--max-tokens", options.tokens, "--validation", 0, "--negatives", 0, "--passages-only", "--false-negative-margin",
               "none", "--log", work / "log", "--threads", options.threads]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    said = process.communicate()[1]
    if process.returncode:
        raise SystemExit(said)
    peak = float(said.split("peak memory ")[1].split(" MiB")[0])
    lines = [json.loads(line) for line in open(work / "log")]
    steps = [line for line in lines if "loss" in line]
    return {"trunk": lines[0]["trunk_seconds"], "trunk_tokens": lines[0]["trunk_tokens"],
            "tokens": sum(s["tokens"] for s in steps), "forward": sum(s["forward_seconds"] for s in steps),
            "backward": sum(s["backward_seconds"] + s["loss_seconds"] for s in steps), "peak": peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3")
    parser.add_argument("--model")
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        return torch_round(options)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            ours.append(q3_round(options, pathlib.Path(folder)))
            own = [sys.executable, __file__, "--torch", "--pairs", options.pairs, "--batch", options.batch, "--tokens",
                   options.tokens, "--layers", options.layers, "--threads", options.threads]
            theirs.append(json.loads(subprocess.run(list(map(str, own)), check=True, capture_output=True, text=True).stdout))
            print(f"round {number + 1}: q3 {ours[-1]}, PyTorch {theirs[-1]}", file=sys.stderr, flush=True)
    median = lambda rows, key: statistics.median(row[key] for row in rows)
    tokens = 2 * options.pairs * options.tokens
    trunk = median([{"r": row["trunk_tokens"] / row["trunk"]} for row in ours], "r")
    forward, backward = (median([{"r": row["tokens"] / row[key]} for row in ours], "r") for key in ("forward", "backward"))
    seconds = 1 / trunk + 1 / forward + 1 / backward
    other_forward, other_backward = (tokens / median(theirs, key) for key in ("forward", "backward"))
    other = 1 / other_forward + 1 / other_backward
    work = 1000 * 2 * options.tokens
    print(f"LoRA of rank 16 on the last {options.layers} layers, {options.pairs} pairs of 2 · {options.tokens} tokens, batches of "
          f"{options.batch}, {options.threads} threads, medians of {options.rounds} rounds")
    print(f"q3       trunk {trunk:.0f} tokens/s, forward {forward:.0f}, backward {backward:.0f}; together {1 / seconds:.0f}; "
          f"peak {median(ours, 'peak'):.0f} MiB; 1,000 pairs: {work * seconds / 60:.1f} min")
    print(f"PyTorch  forward {other_forward:.0f} tokens/s, backward {other_backward:.0f}; together {1 / other:.0f}; "
          f"peak {median(theirs, 'peak'):.0f} MiB; 1,000 pairs: {work * other / 60:.1f} min")
    print(f"q3 is {other / seconds:.2f} times as fast in the first epoch, {other / (1 / forward + 1 / backward):.2f} times in each further one")


if __name__ == "__main__":
    main()
