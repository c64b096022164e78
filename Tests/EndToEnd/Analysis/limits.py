#!/usr/bin/env python3
"""A million rows in little memory, and a clear end where there is too little.

    Tests/EndToEnd/Analysis/limits.py Q3 [--rows 1000000] [--dimensions 64]

Needs numpy and four minutes on two cores. Limits the address space (RLIMIT_AS), so that asking for more fails.
"""
import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

problems = 0


def check(what, good, said):
    global problems
    print(f"{'ok  ' if good else 'FAIL'} {what}: {said}", flush=True)
    problems += not good


def limited(mib, command):
    """Status, messages, seconds and peak MiB of a command that may have so many MiB of address space."""
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)),
    )
    peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) >> 10
    return done.returncode, done.stderr.strip(), time.monotonic() - start, peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("q3")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path, output = pathlib.Path(name) / "x.npy", pathlib.Path(name) / "out.jsonl"
        random = np.random.default_rng(0)
        x = np.lib.format.open_memmap(path, "w+", np.float32, (arguments.rows, arguments.dimensions))
        for start in range(0, arguments.rows, 65536):
            part = random.normal(size=(min(65536, arguments.rows - start), arguments.dimensions)).astype(np.float32)
            part[1::100] = part[0::100][: len(part[1::100])] + 0.05 * part[1::100]
            x[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
        x.flush()
        copies = sum(len(range(1, min(65536, arguments.rows - start), 100)) for start in range(0, arguments.rows, 65536))
        del x
        # The program, its threads and libraries need some address space of their own.
        own, rows = 700, arguments.rows * arguments.dimensions * 4 >> 20
        cluster = [arguments.q3, "cluster", "-i", path, "--clusters", 50, "--rounds", 3, "-o", output]
        # Beside the rows k-means keeps a few numbers of each, and the lines of the output.
        status, said, seconds, peak = limited(own + rows + (500 * arguments.rows >> 20), cluster)
        check("k-means in its rows and 500 bytes for each", status == 0, f"{seconds:.1f} s, peak {peak} MiB, {said}")
        check("a line for each row", status == 0 and sum(1 for _ in open(output)) == arguments.rows, f"{arguments.rows} rows")
        output.unlink(missing_ok=True)
        duplicates = [arguments.q3, "duplicates", "-i", path, "--threshold", 0.98, "-o", output]
        status, said, seconds, peak = limited(own + 2 * rows + (500 * arguments.rows >> 20), duplicates)
        found = sum(1 for _ in open(output)) if status == 0 else 0
        check("duplicates in twice the rows and 500 bytes for each", status == 0, f"{seconds:.1f} s, peak {peak} MiB, {said}")
        check("the near-duplicates that were put in", found == copies, f"{found} of {copies} groups")
        output.unlink(missing_ok=True)
        status, said, seconds, _ = limited(own - 200 + rows // 2, duplicates)
        clear = status > 0 and "memory" in said and "Fatal error" not in said
        check("too little memory is said, by a status and without a crash", clear, f"status {status}: {said[-200:]}")
        check("and leaves no output", not output.exists(), str(list(output.parent.iterdir())))
    sys.exit(f"{problems} failed" if problems else 0)


if __name__ == "__main__":
    main()
