#!/usr/bin/env python3
"""Makes metrics.json: small data, and what the reference libraries compute for it.

Needs `pip install mteb`, which brings pytrec_eval, scikit-learn and scipy. Run it beside metrics.json.
"""
import json
import pathlib

import numpy as np
import pytrec_eval
from datasets import Dataset
from mteb._evaluators.retrieval_metrics import mrr
from mteb.abstasks import AbsTaskClassification
from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (accuracy_score, f1_score, precision_score, recall_score, v_measure_score)
from sklearn.metrics.pairwise import (paired_cosine_distances, paired_euclidean_distances, paired_manhattan_distances)
from sklearn.neighbors import KNeighborsClassifier

CUTS = [1, 3, 5, 10, 20, 100, 1000]
random = np.random.default_rng(7)


def rounded(array):
    """Values that are the same in float32 and in decimals."""
    return (np.round(array * 64) / 64).astype(np.float32)


def decimals(array):
    """The shortest decimals that read back as the same float32."""
    return [[float(str(value)) for value in row] for row in array]


def retrieval():
    """Small whole numbers, so that many scores are equal; ids whose order is not that of the rows."""
    corpus = random.integers(-2, 3, (150, 3))
    queries = random.integers(-2, 3, (12, 3))
    ids = [f"d{number}" for number in random.permutation(150)]
    ids[3], ids[4] = "é", "e\u0301"  # bytes, not characters, decide
    qrels = {}
    for query in range(12):
        documents = random.choice(150, random.integers(1, 30), replace=False)
        qrels[f"q{query}"] = {ids[d]: int(random.integers(-1, 4)) for d in documents}
    qrels["q5"] = {grade: 0 for grade in qrels["q5"]}  # nothing relevant
    run = {f"q{q}": {ids[d]: float(queries[q] @ corpus[d]) for d in range(150)} for q in range(12)}
    measures = {f"{name}.{','.join(map(str, CUTS))}" for name in ("ndcg_cut", "map_cut", "recall", "P", "success")}
    scores = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    names = {"ndcg": "ndcg_cut_", "map": "map_cut_", "recall": "recall_", "precision": "P_", "hit_rate": "success_"}
    expected = {
        name: [float(np.mean([scores[q][prefix + str(k)] for q in scores])) for k in CUTS]
        for name, prefix in names.items()
    }
    reciprocal = mrr(qrels, run, CUTS)
    expected["mrr"] = [float(np.mean(reciprocal[f"MRR@{k}"])) for k in CUTS]
    return {
        "corpus": corpus.tolist(), "queries": queries.tolist(), "ids": ids, "expected": expected,
        "qrels": [[{"id": d, "grade": g} for d, g in qrels[f"q{query}"].items()] for query in range(12)],
    }


def correlation():
    cases = []
    for size, levels in ((40, 1000), (40, 4), (3, 10), (2, 100)):
        x = random.integers(0, levels, size).astype(float)
        y = np.round(x + random.normal(0, levels / 3, size), 2)
        cases.append({
            "x": x.tolist(), "y": y.tolist(), "ranks": rankdata(x).tolist(),
            "pearson": float(pearsonr(x, y)[0]), "spearman": float(spearmanr(x, y)[0]),
        })
    return cases


def comparisons():
    a, b = rounded(random.normal(size=(5, 11))), rounded(random.normal(size=(5, 11)))
    wide = a.astype(np.float64), b.astype(np.float64)
    return {
        "a": a.tolist(), "b": b.tolist(), "cosine": (1 - paired_cosine_distances(*wide)).tolist(),
        "manhattan": paired_manhattan_distances(*wide).tolist(),
        "euclidean": paired_euclidean_distances(*wide).tolist(),
    }


def class_scores(truth, predictions):
    return {
        "accuracy": accuracy_score(truth, predictions),
        **{
            name + suffix: float(score(truth, predictions, average=average, zero_division=0))
            for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score))
            for suffix, average in (("", "macro"), ("_weighted", "weighted"))
        },
    }


def classes():
    cases = []
    for truth_count, prediction_count in ((4, 4), (2, 2), (3, 6), (6, 2)):
        truth = random.integers(0, truth_count, 50)
        predictions = np.where(random.random(50) < 0.6, truth, random.integers(0, prediction_count, 50))
        cases.append({"truth": truth.tolist(), "predictions": predictions.tolist(),
                      "scores": class_scores(truth, predictions)})
    return cases


def blobs(count, class_count, dimensions, spread):
    centers = random.normal(size=(class_count, dimensions))
    labels = random.integers(0, class_count, count)
    return rounded(centers[labels] + random.normal(0, spread, (count, dimensions))), labels


class Probe(AbsTaskClassification):
    """MTEB's drawing of samples, without a data set."""

    def __init__(self):
        self.seed = 42


def probe():
    cases = []
    for class_count, spread in ((5, 1.5), (2, 1.5), (3, 0.7)):
        vectors, labels = blobs(220, class_count, 10, spread)
        train, test, train_labels, test_labels = vectors[:120], vectors[120:], labels[:120], labels[120:]
        data = Dataset.from_dict({"label": train_labels.tolist()})
        task, order, experiments = Probe(), None, []
        for experiment in range(10):
            _, order, rows = task._undersample_data(data, experiment, order)
            # MTEB stops at 100 iterations and 1e-4, which leaves it near the optimum; the optimum itself
            # is one answer, which any solver must find.
            model = LogisticRegression(max_iter=10_000, tol=1e-9).fit(train[rows], train_labels[rows])
            usual = LogisticRegression(max_iter=100).fit(train[rows], train_labels[rows])
            experiments.append({
                "rows": list(rows), "classes": model.predict(test).tolist(),
                "accuracy": accuracy_score(test_labels, usual.predict(test)),
            })
        neighbors = KNeighborsClassifier(n_neighbors=5, metric="cosine", algorithm="brute")
        unit = lambda rows: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        neighbors.fit(unit(train), train_labels)
        cases.append({
            "train": train.tolist(), "test": test.tolist(), "train_labels": train_labels.tolist(),
            "test_labels": test_labels.tolist(), "experiments": experiments,
            "unit_train": decimals(unit(train)), "unit_test": decimals(unit(test)),
            "neighbors": neighbors.predict(unit(test)).tolist(),
        })
    return cases


def v_measures():
    cases = [([0, 0, 1, 1], [1, 1, 0, 0]), ([0, 0, 0], [0, 1, 2]), ([0, 1, 2], [0, 0, 0]), ([0, 0], [0, 0])]
    for class_count, cluster_count in ((3, 3), (5, 12), (12, 2)):
        truth = random.integers(0, class_count, 80)
        cases.append((truth.tolist(), ((truth + (random.random(80) < 0.4)) % cluster_count).tolist()))
    return [{"truth": t, "clusters": c, "v_measure": float(v_measure_score(t, c))} for t, c in cases]


def clustering():
    cases = []
    for class_count, spread in ((4, 0.1), (6, 0.9)):
        vectors, labels = blobs(200, class_count, 8, spread)
        runs = [KMeans(class_count, n_init=1, random_state=seed).fit_predict(vectors) for seed in range(10)]
        cases.append({"vectors": vectors.tolist(), "labels": labels.tolist(), "clusters": class_count,
                      "v_measure": float(np.mean([v_measure_score(labels, run) for run in runs]))})
    return cases


def bitext():
    left = rounded(random.normal(size=(30, 6)))
    right = rounded(left + random.normal(0, 0.9, (30, 6)))
    nearest = (left.astype(np.float64) @ right.astype(np.float64).T).argmax(1)
    gold = [(row, row) for row in range(30)]
    scores = AbsTaskBitextMining._compute_metrics(None, [{"corpus_id": int(row)} for row in nearest], gold)
    return {"left": left.tolist(), "right": right.tolist(), "scores": {k: float(v) for k, v in scores.items()}}


def twister():
    state = np.random.RandomState(42)
    words = [int(word) for word in state.randint(0, 2**32, 1000, dtype=np.uint32)]
    shuffled = [list(range(count)) for count in (1, 2, 33, 100)]
    for values in shuffled:
        np.random.RandomState(42).shuffle(values)
    return {"words": words[:5] + words[-5:], "doubles": np.random.RandomState(7).random_sample(5).tolist(),
            "shuffled": shuffled}


sections = [retrieval, correlation, comparisons, classes, probe, v_measures, clustering, bitext, twister]
path = pathlib.Path(__file__).with_name("metrics.json")
path.write_text("{\n" + ",\n".join(f'"{make.__name__}": {json.dumps(make())}' for make in sections) + "\n}\n")
