"""Step 4: the held-out search with q3 itself, beside the teacher and BM25.

    python evaluate.py --work WORK --task ../../../Benchmarks/packages --q3 ../../../.build/release/q3 --model ../q3-mini.gguf

nDCG@10 of 2,000 one-line descriptions among 2,000 long ones, whole vectors and their first components. The teacher reads up to 256
tokens of a text, as it does by default; its vectors are shortened after the rotation that the student was trained with, which is the
best that can be done for them without training, and whole (384) they are as they come. BM25 has k1 = 1.2 and b = 0.75, on words in lower case.
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

PREFIXES = (256, 128, 64)


def read(path):
    return [json.loads(line) for line in open(path)]


def ndcg(scores):
    """Mean nDCG@10 where query i wants document i alone. Of documents with equal scores the wanted one counts as the last."""
    wanted = numpy.diagonal(scores)[:, None]
    ranks = (scores >= wanted).sum(1)
    return float(numpy.where(ranks <= 10, 1 / numpy.log2(ranks + 1), 0).mean())


def cosines(queries, documents, size):
    queries, documents = (x[:, :size] / numpy.linalg.norm(x[:, :size], axis=1, keepdims=True) for x in (queries, documents))
    return queries @ documents.T


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


def embed(q3, model, path):
    """q3's vectors of a JSON lines file."""
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/vectors.npy"
        subprocess.run(
            [q3, "embed", "--model", model, "--input", path, "--truncate", "--format", "npy", "--output", output],
            check=True, capture_output=True)
        return numpy.load(output)


def teachers(work, queries, documents):
    """The teacher's vectors in float32, kept in WORK for the next time."""
    path = work / "teacher-held-out.npz"
    if not path.exists():
        from teacher import Teacher
        teacher = Teacher(work)
        numpy.savez(path, queries=teacher.embed(queries), documents=teacher.embed(documents))
    vectors = numpy.load(path)
    return vectors["queries"], vectors["documents"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--task", type=pathlib.Path, required=True)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--model", action="append", default=[])
    options = parser.parse_args()
    queries = [row["text"] for row in read(options.task / "queries.jsonl")]
    documents = [row["text"] for row in read(options.task / "corpus.jsonl")]

    def show(name, figures):
        print(f"| {name} | " + " | ".join(f"{figure:.4f}" for figure in figures) + " |", flush=True)

    print("| nDCG@10 | " + " | ".join(map(str, PREFIXES)) + " |")
    for model in options.model:
        q, d = (embed(options.q3, model, options.task / name) for name in ("queries.jsonl", "corpus.jsonl"))
        show(pathlib.Path(model).name, [ndcg(cosines(q, d, size)) for size in PREFIXES])
    q, d = teachers(options.work, queries, documents)
    rotation = numpy.load(options.work / "rotation.npy")
    show("teacher, rotated", [ndcg(cosines(q @ rotation, d @ rotation, size)) for size in PREFIXES])
    show("teacher, all 384", [ndcg(cosines(q, d, 384))])
    show("BM25", [ndcg(bm25(queries, documents))])


if __name__ == "__main__":
    main()
