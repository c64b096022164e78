#!/usr/bin/env python3
"""nDCG@10 of vectors, words and both, on two sets: python3 ndcg.py Q3 [QUERIES].

packages    Benchmarks/packages: a Debian package's short description asks for its long one.
functions   made here from the standard library of this Python: the first sentence of a function's documentation asks for its
            source without the documentation. Each function with a sentence of four words and more is a document of at most 60 lines.
"""
import ast, json, math, os, pathlib, random, subprocess, sys, sysconfig, tempfile, time

q3 = os.path.abspath(sys.argv[1])
limit = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
root = pathlib.Path(__file__).resolve().parents[3]


def packages():
    folder = root / "Benchmarks/packages"
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


for name, make in [("packages", packages), ("functions", functions)]:
    documents, queries, relevant = make()
    chosen = sorted(queries)
    random.Random(1).shuffle(chosen)
    chosen = chosen[:limit]
    with tempfile.TemporaryDirectory() as folder:
        index = f"{folder}/set.q3i"
        with open(f"{folder}/corpus.jsonl", "w") as file:
            for key, text in documents.items(): file.write(json.dumps({"id": key, "text": text}) + "\n")
        subprocess.run([q3, "index", "create", index], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([q3, "index", "add", index, f"{folder}/corpus.jsonl"], check=True, stdout=subprocess.DEVNULL)
        figures = []
        for mode in ["vectors", "words", "hybrid"]:
            calls = [json.dumps({"jsonrpc": "2.0", "id": place, "method": "tools/call", "params": {
                "name": "search", "arguments": {"query": queries[key], "mode": mode, "limit": 30}}})
                for place, key in enumerate(chosen)]
            start = time.monotonic()
            result = subprocess.run([q3, "mcp", "--index", index], input="\n".join(calls), capture_output=True, text=True)
            seconds = time.monotonic() - start
            scores = []
            for key, line in zip(chosen, result.stdout.splitlines(), strict=True):
                hits = json.loads(line)["result"]["structuredContent"]["hits"]
                scores.append(ndcg(list(dict.fromkeys(hit["id"] for hit in hits)), relevant[key]))
            figures.append(f"{mode} {sum(scores) / len(scores):.4f} ({1000 * seconds / len(chosen):.1f} ms a query)")
        print(f"{name}: {len(documents)} documents, {len(chosen)} queries: " + ", ".join(figures), flush=True)
