#!/usr/bin/env python3
"""What Python costs beside `q3 embed`: whole processes that read the same 20,000 short texts and write the same vectors.

    overhead.py [--texts 20000] [--rounds 3] [--most PERCENT]

They take turns, and medians count. Needs Q3, the program, the package in PYTHONPATH and Q3_LIBRARY. With --most it fails where
Python takes so many percent longer.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYTHON = """
import json, sys
import q3
with open(sys.argv[1]) as file:
    texts = [json.loads(line)["text"] for line in file]
q3.Embedder().encode(texts).tofile(sys.argv[2])
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=float)
    arguments = parser.parse_args()
    words = "the old mill stands by a quiet river where boats bring grain and people tell stories at night".split()
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        source, program, python = (Path(folder) / name for name in ("texts.jsonl", "program.raw", "python.raw"))
        with open(source, "w") as file:
            for index in range(arguments.texts):
                file.write(json.dumps({"text": f"{' '.join(chance.choices(words, k=chance.randint(4, 12)))} {index}"}) + "\n")
        commands = {
            "q3 embed": [os.environ["Q3"], "embed", "--input", source, "--format", "raw", "--output", program],
            "Python": [sys.executable, "-c", PYTHON, source, python],
        }
        seconds = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                program.unlink(missing_ok=True)
                start = time.perf_counter()
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                seconds[name].append(time.perf_counter() - start)
                if name == "q3 embed":
                    expected = program.read_bytes()
        assert python.read_bytes() == expected, "other bits"
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    more = 100 * (medians["Python"] / medians["q3 embed"] - 1)
    for name, values in seconds.items():
        print(f"{name}: {medians[name]:.2f} s ({', '.join(f'{value:.2f}' for value in values)})")
    print(f"Python takes {more:+.1f} % for {arguments.texts} texts; the same bits")
    if arguments.most is not None and more > arguments.most:
        sys.exit(f"FAILED: more than {arguments.most} %")


if __name__ == "__main__":
    main()
