#!/usr/bin/env python3
"""Compares `q3 eval` with MTEB itself, which asks `q3 serve` through Benchmarks/mteb_q3.py.

    python3 Tests/EndToEnd/Server/mteb_test.py [--model FILE] [--reranker FILE] [--beir FOLDER]

Needs `pip install mteb`; nothing is downloaded. Without --beir a small folder is made. Q3 is the path of q3, built with
the server. Every result of `q3 eval` must load as MTEB's own and agree with it in five decimals; k-means starts
elsewhere than scikit-learn's, so there only the data's evident clusters must be found by both.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[3] / "Benchmarks")]

import mteb  # noqa: E402
import mteb_q3  # noqa: E402
import numpy as np  # noqa: E402
from datasets import Dataset, DatasetDict  # noqa: E402
from mteb.abstasks import AbsTaskBitextMining, AbsTaskClassification, AbsTaskClustering, AbsTaskSTS  # noqa: E402
from mteb.results import TaskResult  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from q3process import EMBEDDER, RERANKER, Server, tool  # noqa: E402

WORDS = "gravity capital Beijing bread water 北京 café quick brown fox river mountain data index query Grüße".split()


def texts(count, generator):
    return [" ".join(generator.choices(WORDS, k=generator.randint(2, 12))) for _ in range(count)]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_beir(folder, generator):
    """Titles, white space to trim, grades of 0 to 2, and a query that nobody judged."""
    documents = [
        {"_id": f"d{row}", "title": text[:5] if row % 3 else "", "text": f" {text} "}
        for row, text in enumerate(texts(120, generator))
    ]
    queries = [{"_id": f"q{row}", "text": text} for row, text in enumerate(texts(31, generator))]
    write(folder / "corpus.jsonl", documents)
    write(folder / "queries.jsonl", queries)
    (folder / "qrels").mkdir()
    judged = [
        f"q{query}\td{document}\t{generator.randint(0, 2)}\n"
        for query in range(30) for document in generator.sample(range(120), 6)
    ]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))


def local(base, kind, main_score, data, **fields):
    """A task of one of MTEB's kinds on rows that are here already."""
    attributes = {
        "metadata": mteb_q3.local_metadata(f"Local{kind}", kind, main_score),
        "load_data": lambda self, *args, **kwargs: self.__dict__.update(dataset=data, data_loaded=True),
    }
    return type(f"Local{kind}", (base,), {**attributes, **fields})()


def table(rows):
    return Dataset.from_list(rows)


def evaluate(task, data, *options):
    """What `q3 eval` writes, read by MTEB."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "result.json"
        subprocess.run(
            [tool(), "eval", task, str(data), "--output", str(path), *options], check=True, stdout=subprocess.DEVNULL)
        return TaskResult.from_disk(path).scores["test"][0]


class DoubleEncoder(mteb_q3.Q3Encoder):
    """The same vectors, with which scikit-learn computes in double precision."""

    def encode(self, *arguments, **options):
        return super().encode(*arguments, **options).astype(np.float64)


failures = 0


def compare(title, ours, theirs, keys, tolerance=0.6e-5):
    """Prints both; MTEB rounds most of its retrieval scores to five decimals."""
    global failures
    for key in keys:
        same = abs(ours[key] - theirs[key]) <= tolerance
        failures += not same
        print(f"{title:16} {key:18} {ours[key]:.5f} {theirs[key]:.5f} {'' if same else 'DIFFERENT'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(EMBEDDER))
    parser.add_argument("--reranker", default=str(RERANKER))
    parser.add_argument("--beir", type=pathlib.Path)
    parser.add_argument("--top-n", type=int, default=20)
    arguments = parser.parse_args()
    generator = random.Random(3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        beir = arguments.beir or folder / "beir"
        if not arguments.beir:
            make_beir(beir, generator)
        pairs = [
            {"sentence1": a, "sentence2": f"{b[:4]} {a}" if row % 2 else b, "score": generator.randint(0, 5)}
            for row, (a, b) in enumerate(zip(texts(60, generator), texts(60, generator)))
        ]
        labeled = [{"text": f"{WORDS[row % 5]} {WORDS[row % 5]} {text}", "label": row % 5}
                   for row, text in enumerate(texts(200, generator))]
        train, test = labeled[:120], labeled[120:]
        apart = [{"text": WORDS[row % 4], "label": f"kind {row % 4}"} for row in range(40)]
        write(folder / "pairs" / "test.jsonl", pairs)
        write(folder / "classes" / "train.jsonl", train)
        write(folder / "classes" / "test.jsonl", test)
        write(folder / "topics" / "test.jsonl", apart)

        with Server(models=(arguments.model, arguments.reranker)) as server:
            model, cross_encoder = mteb_q3.Q3Encoder(url=server.url), mteb_q3.Q3CrossEncoder(url=server.url)
            options = ["--model", arguments.model]

            before, after = mteb_q3.run(
                model, [mteb_q3.beir_task(beir)], rerank=arguments.top_n, cross_encoder=cross_encoder)
            before, after = (result.scores["test"][0] for _, result in (before, after))
            instruct = ["--instruct", mteb_q3.SEARCH]
            names = ["ndcg", "map", "recall", "precision", "mrr", "hit_rate"]
            compare("retrieval", evaluate("retrieval", beir, *options, *instruct), before,
                    [f"{name}_at_{cut}" for name in names for cut in (1, 10, 100, 1000)])
            reranked = evaluate("retrieval", beir, *options, *instruct, "--reranker", arguments.reranker,
                                "--top-n", str(arguments.top_n))
            compare("reranked", reranked, after, [f"{name}_at_{cut}" for name in names for cut in (1, 10, 20)])
            compare("before", reranked["before_reranking"], before, ["ndcg_at_10", "map_at_1000"])

            def theirs(task, asked=model):
                return mteb.evaluate(asked, task, cache=None).task_results[0].scores["test"][0]

            correlations = [f"{way}_{kind}" for way in ("cosine", "manhattan", "euclidean")
                            for kind in ("spearman", "pearson")]
            sts = local(AbsTaskSTS, "STS", "cosine_spearman", DatasetDict(test=table(pairs)))
            compare("sts", evaluate("sts", folder / "pairs", *options), theirs(sts), correlations)
            bitext = local(AbsTaskBitextMining, "BitextMining", "f1", DatasetDict(test=table(pairs)))
            compare("bitext", evaluate("bitext", folder / "pairs", *options), theirs(bitext),
                    ["f1", "precision", "recall", "accuracy"])
            # The optimum is one answer, which scikit-learn finds in double precision. MTEB stops before it and computes
            # in single precision, which here and there decides about a text.
            ours = evaluate("classification", folder / "classes", *options)
            data = DatasetDict(train=table(train), test=table(test))
            for title, asked, solver, tolerance in (
                ("classification", DoubleEncoder(url=server.url), LogisticRegression(max_iter=10_000, tol=1e-9), 0.6e-5),
                ("  as MTEB does", model, LogisticRegression(max_iter=100), 0.01),
            ):
                classes = local(AbsTaskClassification, "Classification", "accuracy", data, evaluator_model=solver)
                compare(title, ours, theirs(classes, asked), ["accuracy", "f1", "f1_weighted", "precision", "recall"],
                        tolerance)
            clusters = local(AbsTaskClustering, "Clustering", "v_measure", DatasetDict(test=table(apart)),
                             input_column_name="text", label_column_name="label",
                             max_fraction_of_documents_to_embed=None, max_documents_per_cluster=40)
            ours, their = evaluate("clustering", folder / "topics", *options), theirs(clusters)
            print(f"clustering       v_measure          {ours['v_measure']:.5f} {their['v_measure']:.5f}")
            if min(ours["v_measure"], their["v_measure"]) < 0.8:
                sys.exit("error: clusters that are apart were not found")
    if failures:
        sys.exit(f"error: {failures} scores differ")


if __name__ == "__main__":
    main()
