"""Duplicates, clusters, classes, translations and hard negatives: what the program finds, and what NumPy computes."""

import json
import subprocess
import threading
import time

import numpy as np
import pytest
import q3
from conftest import EMBED, RERANK

WORDS = "apple bread chair door eagle forest garden house island jungle kettle lemon mountain needle ocean paper".split()
TEXTS = [f"the {a} near the {b}" for a in WORDS[:6] for b in WORDS[6:12]] + ["the apple near the  garden", "same", "same"]


@pytest.fixture(scope="module")
def run(program, tmp_path_factory):
    """Lines of JSON that the program prints."""
    folder = tmp_path_factory.mktemp("analysis")

    def run(*arguments, texts=(), vectors=(), lines=True):
        files = []
        for rows in texts:
            path = folder / f"{len(list(folder.iterdir()))}.jsonl"
            path.write_text("".join(json.dumps(row if isinstance(row, dict) else {"text": row}) + "\n" for row in rows))
            files.append(path)
        for rows in vectors:
            path = folder / f"{len(list(folder.iterdir()))}.npy"
            np.save(path, rows)
            files.append(path)
        words = [str(files[int(word[1:])]) if str(word).startswith("@") else str(word) for word in arguments]
        done = subprocess.run([program, *words], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()] if lines else done.stdout

    return run


def clouds(rows, dimensions=48, centers=20, spread=0.4, seed=0):
    random = np.random.default_rng(seed)
    middles = random.normal(size=(centers, dimensions))
    labels = random.integers(0, centers, rows)
    return (middles[labels] + spread * random.normal(size=(rows, dimensions))).astype(np.float32), labels


def unit(vectors):
    return vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)


def test_duplicates_of_the_program(embedder, run):
    groups = q3.duplicates(TEXTS, threshold=0.95, model=embedder)
    printed = run("duplicates", "-m", EMBED, "-i", "@0", "--threshold", 0.95, texts=[TEXTS])
    assert groups == [[member["index"] for member in group["members"]] for group in printed]
    assert [37, 38] in groups or any({37, 38} <= set(group) for group in groups)


def test_pairs_of_the_program_and_of_numpy(run):
    vectors, _ = clouds(300)
    mined = q3.paraphrase_mining(vectors, threshold=0.8, max_pairs=10_000)
    printed = run("duplicates", "-i", "@0", "--pairs", "--threshold", 0.8, "--max-pairs", 10_000, vectors=[vectors])
    assert [(i, j) for _, i, j in mined] == [(pair["first"]["index"], pair["second"]["index"]) for pair in printed]
    assert [score for score, _, _ in mined] == [float(np.float32(pair["score"])) for pair in printed]
    cosines = unit(vectors) @ unit(vectors).T
    assert {(i, j) for _, i, j in mined} == set(zip(*np.nonzero(np.triu(cosines >= 0.8, 1))))
    assert q3.paraphrase_mining(vectors, threshold=0.8, max_pairs=3) == mined[:3]
    assert q3.paraphrase_mining(vectors, threshold=0.8, max_pairs=10_000, threads=1) == mined


def test_matches(run):
    vectors, _ = clouds(200)
    rows, scores = q3.matches(vectors[:50], vectors[50:], threshold=0.85)
    cosines = unit(vectors[:50]) @ unit(vectors[50:]).T
    best = cosines.argmax(1)
    expected = np.where(cosines.max(1) >= 0.85, best, -1)
    assert rows.tolist() == expected.tolist() and -1 in rows and max(rows) >= 0
    assert np.allclose(scores[rows >= 0], cosines.max(1)[rows >= 0], atol=1e-6) and np.isnan(scores[rows < 0]).all()


def test_clusters_of_the_program(run):
    vectors, _ = clouds(400, centers=8)
    found = q3.cluster(vectors, 8, seed=3)
    printed = run("cluster", "-i", "@0", "--clusters", 8, "--seed", 3, "-o", "/dev/stdout", vectors=[vectors])
    assert found.labels.tolist() == [row["cluster"] for row in printed]
    assert found.centers.shape == (8, 48) and np.allclose(np.linalg.norm(found.centers, axis=1), 1, atol=1e-6)
    cosines = unit(vectors) @ found.centers.T
    assert np.allclose(cosines[np.arange(400), found.labels], found.similarities, atol=1e-5)
    assert (cosines.max(1) - found.similarities < 1e-5).all() and found.rounds >= 1
    started = q3.cluster(vectors, 2, init=[0, 1], max_iter=1)
    assert set(started.labels) == {0, 1} and started.rounds == 1
    assert len(q3.cluster(vectors[:3], 10).centers) == 3


def test_communities_of_the_program(run):
    vectors, _ = clouds(300)
    found = q3.communities(vectors, threshold=0.8, min_community_size=5)
    printed = run(
        "cluster", "-i", "@0", "--density", "--threshold", 0.8, "--min-size", 5, "-o", "/dev/stdout", vectors=[vectors]
    )
    theirs = {}
    for row in printed:
        if row["cluster"] is not None:
            theirs.setdefault(row["cluster"], []).append(row["index"])
    assert [sorted(members) for members in found] == list(map(sorted, (theirs[key] for key in sorted(theirs))))
    assert len(found) > 3 and [len(one) for one in found] == sorted(map(len, found), reverse=True)


def test_bitext_of_the_program(run):
    left, _ = clouds(120, seed=1)
    order = np.random.default_rng(2).permutation(120)
    right = (left[order] + 0.05 * np.random.default_rng(3).normal(size=left.shape)).astype(np.float32)
    for options in [{}, {"margin": "distance", "retrieval": "intersect", "neighbors": 2}, {"threshold": 1.1}]:
        words = [part for name, value in options.items() for part in (f"--{name}", value)]
        printed = run("mine", "bitext", "-i", "@0", "--against", "@1", "--json", *words, vectors=[left, right])
        pairs = q3.mine_bitext(left, right, **options)
        assert [(i, j) for _, i, j in pairs] == [(pair["left"]["index"], pair["right"]["index"]) for pair in printed]
        assert [score for score, _, _ in pairs] == [float(np.float32(pair["score"])) for pair in printed]
    assert all(order[j] == i for _, i, j in q3.mine_bitext(left, right)[:60])
    printed = run("mine", "bitext", "-i", "@0", "--against", "@1", "--json", "--score", vectors=[left, right])
    assert q3.score_bitext(left, right).tolist() == [float(np.float32(pair["score"])) for pair in printed]


@pytest.fixture(scope="module")
def pairs():
    queries = [f"what is {a} {b}" for a in WORDS[:4] for b in WORDS[4:8]]
    return queries, [f"{a} and {b} are things" for a in WORDS[:4] for b in WORDS[4:8]]


@pytest.mark.parametrize(
    "options", [{}, {"relative_margin": 0.05}, {"range_min": 2, "range_max": 12, "max_score": 0.9}, {"min_score": 0.3}]
)
@pytest.mark.parametrize("reranks", [False, True])
def test_negatives_of_the_program(embedder, reranker, run, pairs, options, reranks):
    queries, passages = pairs
    words = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    if reranks:
        words += ["--reranker", RERANK]
    records = [{"query": query, "positive": passage} for query, passage in zip(queries, passages)]
    printed = run("mine", "negatives", "-m", EMBED, "-i", "@0", "--output-scores", *words, texts=[records])
    mined = q3.mine_negatives(
        queries, passages, range(len(queries)), model=embedder, reranker=reranker if reranks else None, **options
    )
    ours = [
        (queries[query], passages[query], passages[row], float(mined.positive_scores[query][0]), float(score))
        for query in range(len(queries))
        for row, score in zip(mined.rows[query], mined.scores[query])
        if row >= 0
    ]
    theirs = [
        (row["anchor"], row["positive"], row["negative"], *(float(np.float32(score)) for score in row["scores"]))
        for row in printed
    ]
    assert ours == theirs
    assert (np.isnan(mined.scores) == (mined.rows < 0)).all()


def test_negatives_of_vectors():
    vectors, _ = clouds(60)
    mined = q3.mine_negatives(vectors[:10], vectors, [[i, i + 10] for i in range(10)], num_negatives=4)
    cosines = unit(vectors[:10]) @ unit(vectors).T
    for query in range(10):
        near = [row for row in np.argsort(-cosines[query]) if row not in (query, query + 10)][:4]
        assert mined.rows[query].tolist() == near
        assert np.allclose(mined.positive_scores[query], cosines[query, [query, query + 10]], atol=1e-6)
    drawn = [
        q3.mine_negatives(vectors[:10], vectors, range(10), range_max=30, sampling_strategy="random", seed=seed).rows
        for seed in (1, 1, 2)
    ]
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize("kind", ["logistic", "neighbors", "descriptions"])
def test_a_classifier_is_that_of_the_program_in_either_direction(embedder, run, tmp_path, kind):
    texts = TEXTS[:6] if kind == "descriptions" else TEXTS[:36]
    labels = [f"Straße {i}\x1b" for i in range(6)] if kind == "descriptions" else [text.split()[1] for text in texts]
    theirs, ours = tmp_path / "theirs.json", tmp_path / "ours.json"
    records = [{"text": text, "label": label} for text, label in zip(texts, labels)]
    run("classify", "train", "-m", EMBED, "-i", "@0", "--method", kind, "-o", theirs, texts=[records], lines=False)
    head = q3.Classifier.train(texts, labels, kind=kind, model=embedder)
    head.save(ours)
    assert head.labels == sorted(set(labels), key=str.encode)
    assert (head.validation is None) == (kind == "descriptions")
    expected = run("classify", "predict", theirs, "-i", "@0", "--all", texts=[TEXTS])
    written = run("classify", "predict", ours, "-i", "@0", "--all", texts=[TEXTS])
    assert written == expected
    for one in (head, q3.Classifier.load(theirs, model=embedder), q3.Classifier.load(ours)):
        probabilities = one.predict_proba(TEXTS)
        assert [dict(zip(one.labels, row)) for row in probabilities] == [row["probabilities"] for row in expected]
        assert one.predict(TEXTS) == [row["label"] for row in expected]
    assert None in head.predict(TEXTS, unsure=0.999999)
    stored = json.loads(ours.read_text()), json.loads(theirs.read_text())
    assert {key: stored[0][key] for key in stored[1] if key != "rows"} == {k: v for k, v in stored[1].items() if k != "rows"}
    assert np.array_equal(np.float32(stored[0]["rows"]), np.float32(stored[1]["rows"]))


def test_a_classifier_of_vectors_learns_what_scikit_learn_does():
    vectors, labels = clouds(200, centers=4, spread=1.5)
    names = [f"class {label}" for label in labels]
    head = q3.Classifier.train(vectors, names, folds=0, strength=2.0)
    x, probabilities = unit(vectors), head.predict_proba(vectors)
    truth = np.eye(4)[labels]
    weights = head._rows[:, :-1].astype(np.float64)
    # At the optimum the gradient is zero: C Σ (p - y) x + w = 0, and Σ (p - y) = 0.
    assert np.abs(2 * (probabilities - truth).T @ x + weights).max() < 1e-3
    assert np.abs((probabilities - truth).sum(0)).max() < 1e-3
    assert head.temperature == 1 and head.fingerprint is None and head.validation is None
    assert q3.Classifier.train(vectors, names).validation.folds == 5


def test_a_classifier_of_another_model_is_refused(embedder, tmp_path):
    head = q3.Classifier.train(TEXTS[:12], [text.split()[1] for text in TEXTS[:12]], model=embedder)
    head.save(tmp_path / "head.json")
    with pytest.raises(q3.BadClassifierError, match="was made for"):
        q3.Classifier.load(tmp_path / "head.json", model=q3.Embedder())
    file = json.loads((tmp_path / "head.json").read_text())
    for damage in [
        {"format": "x"}, {"version": 2}, {"rows": file["rows"][1:]}, {"rows": [[1], [1, 2]]}, {"labels": ["a"]},
        {"temperature": 0}, {"rowLabels": [0, 7]}, {"dimensions": 3}, {"kind": "magic"}, {"rows": None},
    ]:  # fmt: skip
        (tmp_path / "bad.json").write_text(json.dumps({**file, **damage}))
        with pytest.raises(q3.BadClassifierError, match="bad.json"):
            q3.Classifier.load(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text("[")
    with pytest.raises(q3.BadClassifierError, match="is not a classifier"):
        q3.Classifier.load(tmp_path / "bad.json")


def test_bad_input_is_named():
    good = np.eye(4, dtype=np.float32)
    zero, nan = good.copy(), good.copy()
    zero[2], nan[1, 1] = 0, np.nan
    for bad, message in [(zero, "row 2 is all zeros"), (nan, "row 1 has a value that is not a finite number")]:
        for call in (
            q3.duplicates, q3.paraphrase_mining, q3.communities, q3.cluster, lambda v: q3.mine_bitext(good, v),
            lambda v: q3.matches(v, good), lambda v: q3.Classifier.train(v, ["a", "b", "a", "b"]),
            lambda v: q3.mine_negatives(good, v, range(4)),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=message):
                call(bad)
    with pytest.raises(ValueError, match="of 4 and of 3 values"):
        q3.matches(good, good[:, :3])
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        q3.duplicates(good[0])
    with pytest.raises(ValueError, match="several sizes"):
        q3.duplicates([good[0], good[0][:2]])
    with pytest.raises(TypeError, match=r"inputs\[1\] is None"):
        q3.duplicates(["a", None])
    with pytest.raises(TypeError, match="expected a list of str"):
        q3.duplicates("a text")
    with pytest.raises(ValueError, match="threshold is 1.5"):
        q3.duplicates(good, threshold=1.5)
    with pytest.raises(ValueError, match="same label"):
        q3.Classifier.train(good, ["a"] * 4)
    with pytest.raises(ValueError, match="3 labels for 4 rows"):
        q3.Classifier.train(good, ["a", "b", "c"])
    with pytest.raises(ValueError, match="is not a passage"):
        q3.mine_negatives(good, good, [0, 1, 2, 9])
    with pytest.raises(ValueError, match="expected one of ratio"):
        q3.mine_bitext(good, good, margin="product")
    with pytest.raises(ValueError, match="is not a row of the vectors"):
        q3.cluster(good, 2, init=[0, 4])
    with pytest.raises(ValueError, match="expected as many"):
        q3.score_bitext(good, good[:2])


def test_nothing_and_what_is_all_equal():
    none, equal = np.empty((0, 4), np.float32), np.ones((50, 4), np.float32)
    assert q3.duplicates(none) == [] and q3.paraphrase_mining(none) == [] and q3.communities(none) == []
    assert q3.cluster(none, 3).labels.shape == (0,) and q3.mine_bitext(none, none) == []
    assert q3.matches(none, equal)[0].shape == (0,) and q3.matches(equal, none)[0].tolist() == [-1] * 50
    assert q3.duplicates(equal) == [list(range(50))] and q3.communities(equal) == [list(range(50))]
    assert q3.duplicates(equal[:1]) == [] and q3.cluster(equal, 5).labels.shape == (50,)


def test_a_tensor_is_an_array():
    torch = pytest.importorskip("torch")
    vectors, _ = clouds(200)
    assert q3.duplicates(torch.from_numpy(vectors)) == q3.duplicates(vectors)


def test_threads_may_call_at_once():
    vectors, _ = clouds(800)
    expected, found = q3.paraphrase_mining(vectors, threshold=0.7), []
    threads = [threading.Thread(target=lambda: found.append(q3.paraphrase_mining(vectors, threshold=0.7))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3


def test_a_call_is_cancelled():
    from q3 import _calls, _rows
    from q3 import _library as c

    rows = _rows.Rows(np.random.default_rng(0).normal(size=(60_000, 256)).astype(np.float32), "rows")
    groups, ticket = np.empty(len(rows), np.int64), _calls.Ticket()
    threading.Timer(0.3, ticket.cancel).start()
    start = time.monotonic()
    options = _rows.sized(c.DuplicateOptions, threshold=0.01, threads=0)
    with pytest.raises(q3.CancelledError):
        _calls.run(
            lambda ticket, error: c.library().q3_find_duplicates(
                rows.struct, options, groups.ctypes.data, None, 0, None, None, ticket, error
            ),
            ticket=ticket,
        )
    assert time.monotonic() - start < 20
