#!/usr/bin/env python3
"""nDCG@10 of vectors, words and both, on three sets: python3 ndcg.py Q3 [QUERIES] [--ways].

packages    Benchmarks/packages: a Debian package's short description asks for its long one.
general     Benchmarks/general: everyday questions with answers that avoid their words.
functions   made here from the standard library of this Python: the first sentence of a function's documentation asks for its
            source without the documentation. Each function with a sentence of four words and more is a document of at most 60 lines.

With --ways the hundred best of each order are fused here in other ways, too, to choose the constants of Sources/Q3Index/Fusion.swift.
"""
import ast, json, math, os, pathlib, random, re, sqlite3, subprocess, sys, sysconfig, tempfile, time

arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
q3 = os.path.abspath(arguments[0])
limit = int(arguments[1]) if len(arguments) > 1 else 1000
root = pathlib.Path(__file__).resolve().parents[3]


def benchmark(name):
    folder = root / "Benchmarks" / name
    read = lambda name: [json.loads(line) for line in open(folder / name)]
    relevant = {}
    for line in open(folder / "qrels/test.tsv").readlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0: relevant.setdefault(query, {})[document] = int(score)
    return {row["_id"]: row["text"] for row in read("corpus.jsonl")}, {
        row["_id"]: row["text"] for row in read("queries.jsonl") if row["_id"] in relevant}, relevant


def functions():
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    documents, queries, relevant = {}, {}, {}
    for path in sorted(library.rglob("*.py")):
        if {"test", "tests", "idlelib", "site-packages", "dist-packages", "lib2to3"} & set(path.parts): continue
        try:
            source = path.read_text()
            tree = ast.parse(source)
        except (SyntaxError, UnicodeDecodeError):
            continue
        lines = source.splitlines()
        for node in ast.walk(tree):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)): continue
            text = ast.get_docstring(node)
            if not text: continue
            sentence = text.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
            doc = node.body[0]
            body = lines[node.lineno - 1:doc.lineno - 1] + lines[doc.end_lineno:node.end_lineno]
            if len(sentence.split()) < 4 or len(body) < 4: continue
            name = f"{path.relative_to(library)}:{node.lineno}"
            documents[name] = "\n".join(body[:60])
            queries[name], relevant[name] = sentence, {name: 1}
    return documents, queries, relevant


def ndcg(ranking, relevant):
    gain = sum(relevant.get(name, 0) / math.log2(place + 2) for place, name in enumerate(ranking[:10]))
    best = sum(score / math.log2(place + 2) for place, score in enumerate(sorted(relevant.values(), reverse=True)[:10]))
    return gain / best


def frequencies(index, queries):
    """How rare the words of each query are together, as Sources/Q3Index/Fusion.swift sums it up."""
    catalog = sqlite3.connect(f"file:{index}/catalog.sqlite?mode=ro", uri=True)
    [[count]] = catalog.execute("SELECT count(*) FROM chunks")
    known = {}

    def rarity(word):
        if word not in known:
            [[found]] = catalog.execute("SELECT count(*) FROM words WHERE words MATCH ?", [f'"{word}"'])
            known[word] = max(1e-6, math.log((count - found + 0.5) / (found + 0.5)))
        return known[word]

    return {key: sum(rarity(word) for word in set(re.findall(r"[^\W_]+", text.lower()))) for key, text in queries.items()}


def by_rank(offset, weight):
    return lambda vectors, words, total: fused(
        [(hit, 1 / (offset + rank)) for rank, hit in enumerate(vectors, 1)],
        [(hit, weight / (offset + rank)) for rank, hit in enumerate(words, 1)])


def by_range(weight):
    """Scores of each order stretched to 0 up to 1."""
    def stretched(hits, factor):
        scores = [hit["score"] for hit in hits]
        return [(hit, factor * (hit["score"] - scores[-1]) / ((scores[0] - scores[-1]) or 1)) for hit in hits]
    return lambda vectors, words, total: fused(stretched(vectors, 1 - weight), stretched(words, weight))


def by_share(weight, exponent):
    """Nearness beyond the hundredth, and the share of the query that the words make up."""
    def way(vectors, words, total):
        floor = vectors[-1]["score"]
        return fused([(hit, (hit["score"] - floor) / (1 - floor)) for hit in vectors],
                     [(hit, weight * (hit["score"] / total) ** exponent) for hit in words])
    return way


def fused(*orders):
    scores, names = {}, {}
    for order in orders:
        for hit, score in order:
            scores[hit["chunk"]] = scores.get(hit["chunk"], 0) + score
            names[hit["chunk"]] = hit["id"]
    return [names[chunk] for chunk in sorted(scores, key=lambda chunk: (-scores[chunk], chunk))]


WAYS = {"ranks 60, 1": by_rank(60, 1), "ranks 5, 2": by_rank(5, 2)}
WAYS |= {f"ranges {weight}": by_range(weight) for weight in (0.3, 0.4, 0.5, 0.6, 0.7)}
WAYS |= {f"shares {weight}, {exponent}": by_share(weight, exponent) for exponent in (1, 2, 3, 4) for weight in (1, 1.5, 2, 3)}


def search(index, queries, mode, count):
    """The hits of each query, and milliseconds a query."""
    calls = [json.dumps({"jsonrpc": "2.0", "id": place, "method": "tools/call", "params": {
        "name": "search", "arguments": {"query": text, "mode": mode, "limit": count}}}) for place, text in enumerate(queries)]
    start = time.monotonic()
    result = subprocess.run([q3, "mcp", "--index", index], input="\n".join(calls), capture_output=True, text=True)
    seconds = time.monotonic() - start
    found = [json.loads(line)["result"]["structuredContent"]["hits"] for line in result.stdout.splitlines()]
    assert len(found) == len(queries), result.stderr
    return found, 1000 * seconds / len(queries)


for name, make in [("packages", lambda: benchmark("packages")), ("general", lambda: benchmark("general")), ("functions", functions)]:
    documents, queries, relevant = make()
    chosen = sorted(queries)
    random.Random(1).shuffle(chosen)
    chosen = chosen[:limit]

    def mean(rankings):
        return sum(ndcg(list(dict.fromkeys(ranking)), relevant[key]) for key, ranking in zip(chosen, rankings, strict=True)) / len(chosen)

    with tempfile.TemporaryDirectory() as folder:
        index = f"{folder}/set.q3i"
        with open(f"{folder}/corpus.jsonl", "w") as file:
            for key, text in documents.items(): file.write(json.dumps({"id": key, "text": text}) + "\n")
        subprocess.run([q3, "index", "create", index], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([q3, "index", "add", index, f"{folder}/corpus.jsonl"], check=True, stdout=subprocess.DEVNULL)
        figures, found = [], {}
        for mode in ["vectors", "words", "hybrid"]:
            found[mode], milliseconds = search(index, [queries[key] for key in chosen], mode, 100)
            score = mean([hit["id"] for hit in hits] for hits in found[mode])
            figures.append(f"{mode} {score:.4f} ({milliseconds:.1f} ms a query)")
        print(f"{name}: {len(documents)} documents, {len(chosen)} queries: " + ", ".join(figures), flush=True)
        if "--ways" in sys.argv:
            totals = frequencies(index, {key: queries[key] for key in chosen})
            for title, way in WAYS.items():
                score = mean(way(v, w, totals[key]) for key, v, w in zip(chosen, found["vectors"], found["words"], strict=True))
                print(f"    {title:14} {score:.4f}", flush=True)
