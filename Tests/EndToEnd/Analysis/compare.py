#!/usr/bin/env python3
"""q3's duplicates, clusters, translations and hard negatives beside those of other programs on the same vectors.

    Tests/EndToEnd/Analysis/compare.py Q3 [--rows N]

Needs numpy; with Q3_LIBRARY and PYTHONPATH=python it also starts k-means from given rows, for which the program has no option. What sentence-transformers and scikit-learn say is compared where they are installed. Nothing is downloaded.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

problems = 0


def check(what, good, said=""):
    global problems
    print(f"{'ok  ' if good else 'FAIL'} {what} {said}")
    problems += not good


def run(q3, *arguments):
    done = subprocess.run([q3, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"q3 {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def clouds(rows, dimensions, centers, spread, seed):
    random = np.random.default_rng(seed)
    middles = random.normal(size=(centers, dimensions))
    labels = random.integers(0, centers, rows)
    x = middles[labels] + spread * random.normal(size=(rows, dimensions))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


def duplicates(q3, folder, count):
    x, _ = clouds(count, 96, count // 4, 0.35, 1)
    np.save(folder / "x.npy", x)
    mine = lines(run(q3, "duplicates", "-i", folder / "x.npy", "--pairs", "--threshold", 0.9, "--max-pairs", 10**7))
    found = {(pair["first"]["index"], pair["second"]["index"]): pair["score"] for pair in mine}
    exact = x.astype(np.float64) @ x.astype(np.float64).T
    first, second = np.nonzero(np.triu(exact >= 0.9, 1))
    # A pair whose cosine rounds to the threshold may fall on either side.
    edge = {(i, j) for i, j in zip(*np.nonzero(np.triu(abs(exact - 0.9) < 1e-6, 1)))}
    expected = set(zip(first.tolist(), second.tolist()))
    check("duplicates: all pairs, and no others", set(found) - edge == expected - edge, f"{len(found)} pairs")
    check("duplicates: cosines", max(abs(found[p] - exact[p]) for p in found) < 1e-6)
    try:
        from sentence_transformers.util import paraphrase_mining_embeddings
        import torch
    except ImportError:
        return print("     sentence-transformers is not installed")
    theirs = paraphrase_mining_embeddings(torch.from_numpy(x), top_k=count, max_pairs=10**7)
    theirs = {(i, j) for score, i, j in theirs if score >= 0.9}
    check("duplicates: paraphrase_mining_embeddings", theirs - edge == set(found) - edge, f"{len(theirs)} pairs")


def communities(q3, folder, count):
    x, _ = clouds(count, 64, 40, 0.5, 2)
    np.save(folder / "x.npy", x)
    out = folder / "labels.jsonl"
    run(q3, "cluster", "-i", folder / "x.npy", "--density", "--threshold", 0.8, "--min-size", 5, "-o", out)
    mine = {}
    for row in lines(out.read_text()):
        if row["cluster"] is not None:
            mine.setdefault(row["cluster"], set()).add(row["index"])
    try:
        from sentence_transformers.util import community_detection
        import torch
    except ImportError:
        return print("     sentence-transformers is not installed")
    theirs = [set(c) for c in community_detection(torch.from_numpy(x), threshold=0.8, min_community_size=5)]
    check("communities: community_detection", sorted(map(sorted, mine.values())) == sorted(map(sorted, theirs)), f"{len(theirs)} communities")


def kmeans(q3, folder, count):
    x, labels = clouds(count, 64, 12, 0.8, 3)
    np.save(folder / "x.npy", x)
    out = folder / "labels.jsonl"
    run(q3, "cluster", "-i", folder / "x.npy", "--clusters", 12, "--seed", 4, "-o", out)
    rows = lines(out.read_text())
    mine = np.array([row["cluster"] for row in rows])
    # The result is a fixed point: one more round, done by NumPy, moves no row.
    centers = np.stack([x[mine == c].astype(np.float64).sum(0) for c in range(12)])
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    cosines = x @ centers.T
    near = np.sort(cosines, axis=1)
    sure = near[:, -1] - near[:, -2] > 1e-5
    check("k-means: no row has a nearer center", (cosines.argmax(1) == mine)[sure].all())
    check("k-means: cosines", abs(cosines[np.arange(count), mine] - [row["similarity"] for row in rows]).max() < 1e-5)
    try:
        from sklearn.cluster import KMeans
        from sklearn.metrics import v_measure_score
    except ImportError:
        return print("     scikit-learn is not installed")
    fits = [KMeans(12, n_init=1, random_state=seed).fit(x) for seed in range(5)]
    centers = [fit.cluster_centers_ / np.linalg.norm(fit.cluster_centers_, axis=1, keepdims=True) for fit in fits]
    distances = [(1 - (x @ center.T).max(1)).mean() for center in centers]
    best = int(np.argmin(distances))
    ours = []
    for seed in range(5):
        run(q3, "cluster", "-i", folder / "x.npy", "--clusters", 12, "--seed", seed, "-o", out)
        rows = lines(out.read_text())
        ours.append((np.mean([1 - row["similarity"] for row in rows]), [row["cluster"] for row in rows]))
    ours, mine = min(ours)
    check("k-means: mean distance, the best of five starts, beside scikit-learn's", ours <= distances[best] * 1.01, f"{ours:.5f} {distances[best]:.5f}")
    print(f"     V-measure {v_measure_score(labels, mine):.4f}, scikit-learn {v_measure_score(labels, fits[best].labels_):.4f}")


def same_start(folder, count):
    """k-means from given rows, by the Python package: rounds that NumPy makes, and the inertia of scikit-learn from the same start."""
    if "Q3_LIBRARY" not in os.environ:
        return print("     k-means from a given start needs Q3_LIBRARY and PYTHONPATH=python")
    import q3 as package

    x, _ = clouds(count, 32, 8, 0.6, 7)
    start = list(range(8))
    found = package.cluster(x, 8, init=start, max_iter=300)
    centers = x[start].astype(np.float64)
    for _ in range(found.rounds):
        labels = (x @ centers.T).argmax(1)
        centers = np.stack([x[labels == c].astype(np.float64).sum(0) for c in range(8)])
        centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    mine = (1 - found.similarities).sum()
    theirs = (1 - (x @ centers.T).max(1)).sum()
    check("k-means: inertia after the same rounds from the same rows", abs(mine - theirs) < 1e-6 * theirs, f"{mine:.6f} {theirs:.6f}")
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        return print("     scikit-learn is not installed")
    fit = KMeans(8, init=x[start], n_init=1, max_iter=300).fit(x)
    # Its centers are means and not of unit length; the sum of squared distances is what both can be held to.
    means = np.stack([x[found.labels == c].mean(0) for c in range(8)])
    inertia = ((x - means[found.labels]) ** 2).sum()
    check("k-means: scikit-learn's inertia from the same start", inertia <= fit.inertia_ * 1.01, f"{inertia:.4f} {fit.inertia_:.4f}")


def logistic(q3, folder, count):
    """The optimum of scikit-learn's logistic regression: weights, objective and probabilities."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import log_loss
    except ImportError:
        return print("     scikit-learn is not installed")
    for classes, strength in [(7, 1.0), (2, 1.0), (5, 0.1)]:
        x, labels = clouds(count, 48, classes, 1.2, 20 + classes)
        np.save(folder / "x.npy", x)
        (folder / "x.jsonl").write_text("".join(json.dumps({"text": "x", "label": f"l{label}"}) + "\n" for label in labels))
        given = ("-i", folder / "x.jsonl", "--vectors", folder / "x.npy")
        run(q3, "classify", "train", *given, "--strength", strength, "-o", folder / "head.json")
        head = json.loads((folder / "head.json").read_text())
        mine = np.array(head["rows"])
        if classes == 2:  # scikit-learn keeps the difference of the two
            mine = mine[1:] - mine[:1]
        theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=100_000).fit(x.astype(np.float64), labels)
        best = np.hstack([theirs.coef_, theirs.intercept_[:, None]])
        if classes > 2:  # the biases are free up to a constant
            mine[:, -1] -= mine[:, -1].mean()
            best[:, -1] -= best[:, -1].mean()

        def objective(weights):
            logits = x.astype(np.float64) @ weights[:, :-1].T + weights[:, -1]
            logits = logits if classes > 2 else np.hstack([np.zeros_like(logits), logits])
            logits -= np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) + logits.max(1, keepdims=True)
            return -strength * logits[np.arange(len(x)), labels].sum() + (weights[:, :-1] ** 2).sum() / 2

        ours, optimum = objective(mine), objective(best)
        check(f"logistic regression of {classes} classes: scikit-learn's optimum", abs(ours - optimum) < 1e-7 * optimum, f"{ours:.6f} {optimum:.6f}")
        check("logistic regression: weights", abs(mine - best).max() < 1e-3, f"{abs(mine - best).max():.1e}")
        found = lines(run(q3, "classify", "predict", folder / "head.json", *given, "--all"))
        sharp = np.array([[row["probabilities"][label] for label in head["labels"]] for row in found]) ** head["temperature"]
        sharp /= sharp.sum(1, keepdims=True)
        apart = abs(sharp - theirs.predict_proba(x)).max()
        check("logistic regression: probabilities", apart < 1e-4, f"{apart:.1e}, log loss {log_loss(labels, sharp):.6f}")


def bitext(q3, folder, count):
    random = np.random.default_rng(5)
    x, _ = clouds(count, 48, count // 2, 0.5, 5)
    y = x[random.permutation(count)] + 0.1 * random.normal(size=x.shape)
    y = (y / np.linalg.norm(y, axis=1, keepdims=True)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    k = 4
    cosines = x.astype(np.float64) @ y.astype(np.float64).T
    forward = np.sort(cosines, axis=1)[:, -k:].mean(1)
    backward = np.sort(cosines, axis=0)[-k:].mean(0)
    ratio = cosines / ((forward[:, None] + backward[None]) / 2)
    # As LASER mines with its default: the best by margin among the nearest, of both directions, best first, each once.
    pairs = []
    for i, near in enumerate(np.argsort(-cosines, axis=1)[:, :k]):
        j = near[ratio[i, near].argmax()]
        pairs.append((ratio[i, j], i, j))
    for j, near in enumerate(np.argsort(-cosines, axis=0)[:k].T):
        i = near[ratio[near, j].argmax()]
        pairs.append((ratio[i, j], i, j))
    seen, expected = (set(), set()), {}
    for score, i, j in sorted(pairs, reverse=True):
        if i not in seen[0] and j not in seen[1]:
            seen[0].add(i)
            seen[1].add(j)
            if score >= 1.05:
                expected[int(i), int(j)] = score
    arguments = ["mine", "bitext", "-i", folder / "x.npy", "--against", folder / "y.npy", "--json"]
    mine = {(p["left"]["index"], p["right"]["index"]): p["score"] for p in lines(run(q3, *arguments, "--threshold", 1.05))}
    check("bitext: LASER's pairs", mine.keys() == expected.keys(), f"{len(mine)} pairs")
    check("bitext: margin scores", all(abs(mine[p] - expected[p]) < 1e-5 for p in mine.keys() & expected.keys()))
    given = [p["score"] for p in lines(run(q3, *arguments, "--score"))]
    check("bitext: scores of given pairs", abs(np.array(given) - np.diag(ratio)).max() < 1e-5)


def negatives(q3, folder):
    """Against the same choice in NumPy over q3's own vectors, and sentence-transformers' with a model that returns them."""
    words = "apple bread chair door eagle forest garden house island jungle kettle lemon mountain needle ocean paper".split()
    queries = [f"what is {a} {b}" for a in words[:8] for b in words[8:12]]
    positives = [f"{a} and {b} are things" for a in words[:8] for b in words[8:12]]
    (folder / "pairs.jsonl").write_text("".join(json.dumps({"query": q, "positive": p}) + "\n" for q, p in zip(queries, positives)))
    table = {}
    for texts, option in [(queries, ["--query"]), (positives, [])]:
        (folder / "texts.txt").write_text("\n".join(texts) + "\n")
        run(q3, "embed", *option, "-i", folder / "texts.txt", "-o", folder / "v.npy")
        table.update(zip(texts, np.load(folder / "v.npy")))
    try:
        from datasets import Dataset
        from sentence_transformers.util import mine_hard_negatives
        import torch
    except ImportError:
        return print("     sentence-transformers or datasets is not installed")

    class Model:
        device = torch.device("cpu")
        model_card_data = type("Card", (), {"base_model": ""})

        def get_embedding_dimension(self):
            return len(next(iter(table.values())))

        def encode_document(self, texts, **_):
            return np.stack([table[t] for t in texts])

        encode_query = encode_document
        similarity = staticmethod(lambda a, b: torch.as_tensor(a) @ torch.as_tensor(b).T)
        similarity_pairwise = staticmethod(lambda a, b: (torch.as_tensor(a) * torch.as_tensor(b)).sum(1))

    for options in [{}, {"relative_margin": 0.05}, {"range_min": 2, "range_max": 12, "max_score": 0.9}, {"absolute_margin": 0.1, "min_score": 0.3}]:
        theirs = mine_hard_negatives(Dataset.from_dict({"anchor": queries, "positive": positives}), Model(), verbose=False, num_negatives=3, **options)
        arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
        mine = lines(run(q3, "mine", "negatives", "-i", folder / "pairs.jsonl", *arguments))
        rows = lambda triplets: sorted((t["anchor"], t["positive"], t["negative"]) for t in triplets)
        check(f"negatives: mine_hard_negatives {options}", rows(mine) == rows(theirs), f"{len(mine)} triplets")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("q3")
    parser.add_argument("--rows", type=int, default=3000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in (duplicates, communities, kmeans, logistic, bitext):
            part(arguments.q3, folder, arguments.rows)
        same_start(folder, arguments.rows)
        negatives(arguments.q3, folder)
    sys.exit(f"{problems} differ" if problems else 0)


if __name__ == "__main__":
    main()
