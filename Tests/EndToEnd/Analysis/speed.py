#!/usr/bin/env python3
"""Seconds and memory of q3 duplicates and q3 cluster beside faiss on the same vectors, one after the other.

    Tests/EndToEnd/Analysis/speed.py Q3 [--rows 1000000] [--dimensions 256] [--clusters 1000] [--rounds 10] [--skip faiss-duplicates]

Needs numpy and faiss-cpu. Vectors are random, with a near-duplicate for one row in a hundred.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

FAISS = {
    "duplicates": """
import faiss, numpy, sys
x = numpy.load(sys.argv[1]); index = faiss.IndexFlatIP(x.shape[1]); index.add(x)
found = 0
for start in range(0, len(x), 16384):
    limits, _, rows = index.range_search(x[start:start + 16384], 0.9)
    found += int(limits[-1]) - len(limits) + 1
print(found // 2, "pairs")
""",
    "k-means": """
import faiss, numpy, sys
x = numpy.load(sys.argv[1]); k = int(sys.argv[2])
kmeans = faiss.Kmeans(x.shape[1], k, niter=int(sys.argv[3]), spherical=True, max_points_per_centroid=10**9)
kmeans.train(x)
similarity, _ = kmeans.index.search(x, 1)
print("mean distance", 1 - float(similarity.mean()))
""",
}


def measured(what, command):
    """Runs a command and prints its time and its largest memory."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, messages = child.communicate()
    seconds = time.monotonic() - start
    print(f"{what}: {seconds:.1f} s; {messages.strip().splitlines()[-1] if messages.strip() else output.strip()[-200:]}", flush=True)
    if child.returncode:
        sys.exit(messages)
    return output


def with_memory(command):
    """The command under a shell that prints its peak memory."""
    code = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE); "
            "words = (done.stderr.strip() or done.stdout.strip()).splitlines(); "
            "print(words[-1] if words else '', 'peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10, 'MiB', file=sys.stderr); "
            "sys.exit(done.returncode)")
    return [sys.executable, "-c", code, *map(str, command)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("q3")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--folder", help="where the vectors go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        path = pathlib.Path(name) / "x.npy"
        random = np.random.default_rng(0)
        x = np.lib.format.open_memmap(path, "w+", np.float32, (arguments.rows, arguments.dimensions))
        for start in range(0, arguments.rows, 65536):
            part = random.normal(size=(min(65536, arguments.rows - start), arguments.dimensions)).astype(np.float32)
            part[1::100] = part[0::100][: len(part[1::100])] + 0.1 * part[1::100]
            x[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
        x.flush()
        del x
        runs = [
            ("q3 duplicates", [arguments.q3, "duplicates", "-i", path, "--threshold", 0.9, "-o", "/dev/null"]),
            ("faiss-duplicates", [sys.executable, "-c", FAISS["duplicates"], path]),
            ("q3 k-means", [arguments.q3, "cluster", "-i", path, "--clusters", arguments.clusters, "--rounds", arguments.rounds, "-o", "/dev/null"]),
            ("faiss-k-means", [sys.executable, "-c", FAISS["k-means"], path, arguments.clusters, arguments.rounds]),
        ]
        for what, command in runs:
            if what not in arguments.skip:
                measured(what, with_memory(command))


if __name__ == "__main__":
    main()
