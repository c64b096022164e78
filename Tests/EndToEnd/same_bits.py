#!/usr/bin/env python3
"""Compares two builds of q3 bit by bit: every vector and every score of the given models, as they come and
exact.

    Tests/EndToEnd/same_bits.py OLD NEW Tests/Fixtures/*.gguf ...

OLD and NEW are q3 executables. The texts are those of the .json file beside each model, and some long ones made of
them, so that a pass has more than one block of tokens. A model that a build refuses must be refused by both. The
instruction set is the machine's best; InvarianceTests shows that all others give the same bits.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile


def run(binary, arguments, text):
    return subprocess.run([binary, *arguments], input=text, capture_output=True)


def vectors(binary, model, precision, threads, texts, extra):
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder, "texts.jsonl")
        lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        common = ["-m", str(model), *precision, "--threads", str(threads)]
        return run(binary, ["embed", *common, "--format", "raw", "--truncate", "-i", str(lines), *extra], None)


def scores(binary, model, precision, threads, query, documents):
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder, "documents.jsonl")
        lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents))
        common = ["-m", str(model), *precision, "--threads", str(threads)]
        arguments = ["rerank", *common, "--query", query, "--truncate", "--format", "jsonl", "-i", str(lines)]
        done = run(binary, arguments, None)
        # The numbers alone: what else stands in a line is not compared.
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        done.stdout = "".join(f"{row['index']} {row['score']}\n" for row in rows).encode()
        return done


def main():
    old, new, *models = sys.argv[1:]
    different = compared = refused = 0
    for model in map(pathlib.Path, models):
        beside = model.with_suffix(".json")
        items = json.loads(beside.read_text())["items"] if beside.exists() else []
        texts = [item["text"] for item in items if "text" in item] or [
            part for item in items if "query" in item for part in (item["query"], item["document"])
        ]
        texts = list(dict.fromkeys(texts)) or ["The capital of China is Beijing.", ""]
        texts += [" ".join(texts) * 3, " ".join(reversed(texts)) * 2]
        for precision in ([], ["--precision", "exact"]):
            for threads in (1, 2):
                calls = [
                    ("documents", lambda q3: vectors(q3, model, precision, threads, texts, [])),
                    ("queries", lambda q3: vectors(q3, model, precision, threads, texts, ["--query"])),
                    ("scores", lambda q3: scores(q3, model, precision, threads, texts[0], texts)),
                ]
                for name, call in calls:
                    a, b = call(old), call(new)
                    compared += 1
                    refused += bool(a.returncode and not a.stdout)
                    if (a.returncode, a.stdout) != (b.returncode, b.stdout):
                        different += 1
                        sums = [hashlib.sha256(x.stdout).hexdigest()[:12] for x in (a, b)]
                        print(f"{model} {name} {' '.join(precision)} {threads} threads: {sums}, status "
                              f"{a.returncode} and {b.returncode} {b.stderr.decode(errors='replace')[-300:]}")
    print(f"{compared} outputs of {len(models)} models compared, {refused} refused by both, {different} different")
    sys.exit(different > 0 or compared == refused)


if __name__ == "__main__":
    main()
