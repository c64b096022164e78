#!/usr/bin/env python3
"""Debian's package descriptions grouped, cleaned and classified: what docs/analysis.md shows.

    Tests/EndToEnd/Analysis/packages.py Q3 FOLDER [--model MODEL]

Takes the one-line descriptions of all packages that apt knows (run apt-get update first) and writes everything into FOLDER.
"""
import argparse
import collections
import json
import pathlib
import random
import subprocess
import time


def packages():
    available = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    for block in available.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(" "))
        if fields.get("Description") and fields.get("Section"):
            yield {"id": fields["Package"], "text": fields["Description"], "label": fields["Section"].split("/")[-1]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("q3")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(exist_ok=True)
    model = ["--model", arguments.model] if arguments.model else []

    def q3(*options):
        start = time.monotonic()
        done = subprocess.run([arguments.q3, *map(str, options)], check=True, text=True, capture_output=True)
        print(f"$ q3 {' '.join(map(str, options))}\n{done.stderr}({time.monotonic() - start:.1f} s)", flush=True)
        return done.stdout

    def write(name, rows):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder / name

    rows = list(packages())
    everything = write("packages.jsonl", rows)
    vectors = folder / "packages.npy"
    q3("embed", *model, "-i", everything, "-o", vectors)
    given = ("-i", everything, "--vectors", vectors)

    groups = [json.loads(line) for line in q3("duplicates", *given, "--threshold", 0.97).splitlines()]
    different = [g for g in groups if len({m["text"] for m in g["members"]}) > 1]
    print(f"{len(groups)} groups, {len(different)} of them with different texts; some of these:")
    for group in different[:: max(1, len(different) // 5)][:5]:
        print("   ", " | ".join(sorted({m["text"] for m in group["members"]}))[:200])

    print(q3("cluster", *given, "--clusters", 40, "--map", folder / "packages.svg"))

    random.seed(0)
    random.shuffle(rows)
    counts, train, rest = {}, [], []
    sizes = collections.Counter(row["label"] for row in rows)
    sections = {label for label, size in sizes.items() if size >= 100}
    for row in rows:
        if row["label"] in sections:
            counts[row["label"]] = counts.get(row["label"], 0) + 1
            (train if counts[row["label"]] <= 20 else rest).append(row)
    head = folder / "sections.json"
    q3("classify", "train", *model, "-i", write("train.jsonl", train), "-o", head)
    found = [json.loads(line) for line in q3("classify", "predict", head, *model, "-i", write("rest.jsonl", rest), "--unsure", 0.5).splitlines()]
    right = [row["label"] == prediction["label"] for row, prediction in zip(rest, found)]
    sure = [ok for ok, prediction in zip(right, found) if not prediction["unsure"]]
    print(f"{len(sections)} sections from 20 packages each: accuracy {sum(right) / len(right):.4f} on {len(rest)} others; "
          f"{sum(sure) / max(1, len(sure)):.4f} on the {len(sure)} of them that are not unsure")


if __name__ == "__main__":
    main()
