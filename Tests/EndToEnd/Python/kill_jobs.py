#!/usr/bin/env python3
"""A job over Parquet that is killed again and again, against the undisturbed one: the final file must have the same bytes.

    kill_jobs.py [--rows 100000] [--kills 20] [--seed 1] [--model MODEL]

The job is killed with SIGKILL: before it has begun, after some more of its parts, while a part is written, while the parts become
one file. Needs pyarrow, the package in PYTHONPATH, and Q3_LIBRARY.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_input(path, rows, seed):
    words = "the old mill stands by a quiet river where boats bring grain and people tell stories at night".split()
    chance = random.Random(seed)
    texts = [None if i % 97 == 5 else f"{' '.join(chance.choices(words, k=chance.randint(1, 12)))} {i}" for i in range(rows)]
    pq.write_table(pa.table({"id": range(rows), "text": texts}), path, row_group_size=max(rows // 200, 1))


def start(source, output, model):
    options = ["-m", model] if model else []
    command = [sys.executable, "-m", "q3", "embed-dataset", str(source), "-o", str(output), "--quiet", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def parts(output):
    folder = Path(f"{output}.parts")
    try:
        return sum(name.startswith("part-") for name in os.listdir(folder))
    except FileNotFoundError:
        return 0


def moment(process, output, kills, chance, total):
    """Waits for a moment to kill at. Returns its name, or None if the job ended before."""
    kind = chance.choice(["begin", "parts", "parts", "parts", "write"])
    if kind == "begin":
        time.sleep(chance.uniform(0, 0.4))
        return kind if process.poll() is None else None
    wanted = min(parts(output) + chance.randint(1, max(total // (kills + 2), 1)), total)
    while process.poll() is None and parts(output) < wanted:
        time.sleep(0.002)
    if kind == "write":  # the draft of the next part is there
        until = time.monotonic() + 1
        while process.poll() is None and time.monotonic() < until:
            if any(name.startswith("_part-") for name in os.listdir(f"{output}.parts")):
                break
    return kind if process.poll() is None else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", help="the built-in one without it")
    arguments = parser.parse_args()
    chance, killed = random.Random(arguments.seed), []
    with tempfile.TemporaryDirectory() as folder:
        source, whole, output = (Path(folder) / name for name in ("in.parquet", "whole.parquet", "out.parquet"))
        write_input(source, arguments.rows, arguments.seed)
        total = pq.ParquetFile(source).num_row_groups
        begun = time.monotonic()
        process = start(source, whole, arguments.model)
        assert process.wait(3600) == 0, process.stderr.read()
        print(f"undisturbed: {arguments.rows} rows in {total} parts, {time.monotonic() - begun:.1f} s", flush=True)
        while len(killed) < arguments.kills:
            process = start(source, output, arguments.model)
            if len(killed) == arguments.kills - 1:  # the last one where all parts are there, while they become one file
                while process.poll() is None and not any(name.startswith("_out.parquet.") for name in os.listdir(folder)):
                    time.sleep(0.001)
                kind = "merge" if process.poll() is None else None
            else:
                kind = moment(process, output, arguments.kills, chance, total)
            assert kind is not None, f"the job ended after {len(killed)} kills: {process.stderr.read()}"
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not output.exists(), "a file has its name before it is complete"
            killed.append(kind)
        process = start(source, output, arguments.model)
        assert process.wait(3600) == 0, process.stderr.read()
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, output)]
        assert digests[0] == digests[1], "the bytes depend on where the job was killed"
        left = sorted(os.listdir(folder))
        assert left == ["in.parquet", "out.parquet", "whole.parquet"], left
        table = pq.read_table(output)
        assert table.num_rows == arguments.rows and table.column("id").to_pylist() == list(range(arguments.rows))
        counts = ", ".join(f"{killed.count(kind)} {kind}" for kind in sorted(set(killed)))
        print(f"killed {len(killed)} times ({counts}): the same {output.stat().st_size} bytes, SHA-256 {digests[0]}")


if __name__ == "__main__":
    main()
