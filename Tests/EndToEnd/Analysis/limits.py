#!/usr/bin/env python3
"""Too little memory is said clearly, by every command of analysis; what is foretold is near what is taken.

    Tests/EndToEnd/Analysis/limits.py Q3 [--rows 1000000] [--dimensions 64]

Needs numpy, and on two cores about six minutes. Limits the address space (RLIMIT_AS), so that asking for more fails: with
every limit from that at which the program can start to plenty, a command either succeeds or says how much it needs.
"""
import argparse
import itertools
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

SYSTEM = 71  # the status of every error of resources
problems = 0


def check(what, good, said):
    global problems
    print(f"{'ok  ' if good else 'FAIL'} {what}: {said}", flush=True)
    problems += not good


def run(command, mib=None):
    """Status, messages, seconds and peak MiB of a command, which may have so many MiB of address space."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=messages,
            preexec_fn=lambda: mib and resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        messages.seek(0)
        said = messages.read().decode(errors="replace").strip()
    return process.returncode, said, time.monotonic() - start, usage.ru_maxrss >> 10


def make(path, rows, dimensions, seed=0):
    """Vectors of unit length of which every hundredth is nearly the one before it; returns how many such pairs there are."""
    random = np.random.default_rng(seed)
    x = np.lib.format.open_memmap(path, "w+", np.float32, (rows, dimensions))
    copies = 0
    for start in range(0, rows, 65536):
        part = random.normal(size=(min(65536, rows - start), dimensions)).astype(np.float32)
        part[1::100] = part[0::100][: len(part[1::100])] + 0.05 * part[1::100]
        copies += len(part[1::100])
        x[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    x.flush()
    return copies


def least_to_start(q3):
    """MiB of address space with which the program does its smallest work."""
    for mib in range(32, 4096, 32):
        if run([q3, "embed", "-m", "q3-mini", "a"], mib)[0] == 0:
            return mib
    sys.exit("the program does not start")


def taken(folder, before):
    """The files that a command has made, which are deleted."""
    made = {path.name: path.read_bytes() for path in folder.iterdir() if path not in before}
    for name in made:
        (folder / name).unlink()
    return made


def sweep(name, command, folder, base, most, steps=6):
    """Runs a command with limits from the least to `most` MiB more, and with none; each ends well in one of two ways."""
    before = set(folder.iterdir())
    bad, refused = [], 0
    status, said, seconds, peak = run(command)
    expected = taken(folder, before)
    good = status == 0 and expected and all(expected.values())
    check(f"{name}, without a limit", good, f"{seconds:.1f} s, peak {peak} MiB, {said[-200:]}")
    for step in range(steps + 1):
        mib = base + most * step // steps
        status, said, _, _ = run(command, mib)
        made = taken(folder, before)
        if status == 0:
            if made != expected:
                bad.append(f"{mib} MiB: another output")
        elif status == SYSTEM and "memory" in said and "Fatal" not in said:
            refused += 1
            if made:
                bad.append(f"{mib} MiB: left {list(made)}")
        else:
            bad.append(f"{mib} MiB: status {status}, {said[-300:]}")
    check(f"{name}, with {steps + 1} limits", not bad, "; ".join(bad) or f"{refused} refused, {steps + 1 - refused} done")
    check(f"{name}, the least is refused and the most is not", refused > 0 and status == 0, f"{refused} of {steps + 1}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("q3")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=64)
    arguments = parser.parse_args()
    q3 = arguments.q3
    base = least_to_start(q3)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        output = folder / "out"
        tiny = folder / "tiny.npy"
        make(tiny, 10, 4)
        idle = run([q3, "cluster", "-i", tiny, "--clusters", 2])[3]
        tiny.unlink()
        print(f"the program starts with {base} MiB of address space and takes {idle} MiB")
        few = 40_000
        a, b, c = (folder / f"{name}.npy" for name in "abc")
        make(a, few, 256)
        make(b, few // 10, 256, seed=1)
        make(c, few * 3 // 8, 256, seed=2)
        np.lib.format.open_memmap(b, "r+")[:100] = np.lib.format.open_memmap(a, "r")[:100]
        texts, head, pairs = folder / "texts.jsonl", folder / "made.head.json", folder / "pairs.jsonl"
        with open(texts, "w") as file:
            for row in range(few):
                print(json.dumps({"text": f"text {row} of many, long enough to have memory of its own", "label": f"l{row % 7}"}), file=file)
        with open(pairs, "w") as file:
            for row in range(2000):
                print(json.dumps({"query": f"what is {row}", "positive": f"{row} is a number and no more"}), file=file)
        labelled = ["-i", texts, "--vectors", a]
        status, said, _, _ = run([q3, "classify", "train", *labelled, "--folds", 2, "-o", head])
        check("a classifier to predict with", status == 0, said[-200:])
        near = folder / "near.head.json"
        few_labelled = ["-i", folder / "few.jsonl", "--vectors", c]
        with open(texts) as whole, open(few_labelled[1], "w") as file:
            file.writelines(itertools.islice(whole, few * 3 // 8))
        run([q3, "classify", "train", *few_labelled, "--method", "neighbors", "--folds", 2, "-o", near])
        for what, command, most in [
            ("duplicates", ["duplicates", "-i", a, "--threshold", 0.98], 400),
            ("pairs", ["duplicates", "-i", a, "--threshold", 0.98, "--pairs"], 400),
            ("duplicates, texts kept", ["duplicates", *labelled, "--threshold", 0.98, "--keep", "first"], 600),
            ("matches", ["duplicates", "-i", b, "--against", a, "--threshold", 0.98], 400),
            ("k-means", ["cluster", "-i", a, "--clusters", 50, "--rounds", 3], 400),
            ("k-means with words and a map", ["cluster", *labelled, "--rounds", 3, "--map", folder / "map.svg"], 1000),
            ("communities", ["cluster", "-i", c, "--density", "--threshold", 0.98, "--min-size", 2], 400),
            ("training", ["classify", "train", *labelled, "--folds", 2], 1000),
            ("training of neighbours", ["classify", "train", *few_labelled, "--folds", 2, "--method", "neighbors"], 600),
            ("prediction by neighbours", ["classify", "predict", near, "-i", b], 1000),
            ("prediction", ["classify", "predict", head, *labelled], 600),
            ("bitext", ["mine", "bitext", "-i", a, "--against", b], 600),
            ("negatives", ["mine", "negatives", "-i", pairs, "-m", "q3-mini"], 400),
        ]:
            sweep(what, [q3, *command, "-o", output], folder, base, most)
        for path in folder.iterdir():
            path.unlink()

        path = folder / "x.npy"
        copies = make(path, arguments.rows, arguments.dimensions)
        size = arguments.rows * arguments.dimensions * 4 >> 20
        for what, command, lines in [
            ("k-means", ["cluster", "-i", path, "--clusters", 50, "--rounds", 3], arguments.rows),
            ("duplicates", ["duplicates", "-i", path, "--threshold", 0.98], copies),
        ]:
            command = [q3, *command, "-o", output]
            status, said, _, _ = run(command, base + size // 2)
            found = re.search(r"memory: (\d+) MiB more are needed", said)
            check(f"{what} of {arguments.rows} rows in half of what they take", status == SYSTEM and found, said[-300:])
            check("and nothing is left", list(folder.iterdir()) == [path], str(list(folder.iterdir())))
            need = int(found[1]) if found else 0
            # Stacks and what allocators keep take address space, but little memory.
            status, said, seconds, peak = run(command, base + need + 192)
            check(f"{what} in what was foretold, and 192 MiB", status == 0, f"{seconds:.1f} s, {said[-200:]}")
            check("with every line", status == 0 and sum(1 for _ in open(output)) == lines, f"{lines} expected")
            near = 0.75 < need / max(1, peak - idle) < 1.25
            check("and that is near what was taken", near, f"foretold {need} MiB, taken {peak - idle} MiB beside {idle}")
            output.unlink(missing_ok=True)
    sys.exit(f"{problems} failed" if problems else 0)


if __name__ == "__main__":
    main()
