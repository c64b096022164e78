#!/usr/bin/env python3
"""`q3 serve --adapter` over a socket: an adapter that `q3 tune adapter` made, asked for by requests, by model names, and by an index.

    Q3=PATH adapter_test.py

Needs a q3 with the traits Server and Training, as the default ones; with the trait Index an index is searched too.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True

from q3process import EMBEDDER, FIXTURES, Server, embed, float32, free_port, tool  # noqa: E402

SUBJECTS = ["bread", "keys", "threads", "soup", "maps", "letters", "trains", "clouds", "paint", "music", "ropes", "stones"]
failures = []


def check(what, holds):
    print(f"{'' if holds else 'FAILED: '}{what}", flush=True)
    if not holds:
        failures.append(what)


def run(*arguments, status=0):
    done = subprocess.run([tool(), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != status:
        raise SystemExit(f"q3 {' '.join(map(str, arguments))}: status {done.returncode}, expected {status}\n{done.stderr}")
    return done


def tune(folder, name, *options):
    """An adapter of the tiny model, with the task that it is for."""
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(
        json.dumps({"query": query, "positive": passage}) + "\n" for number, subject in enumerate(SUBJECTS)
        for query, passage in ((f"tell me of {subject}", f"All that is known of {subject}, number {number}."),
                               (f"how are {subject} made", f"Making {subject}: a description in {number} steps."))))
    path = folder / f"{name}.gguf"
    run("tune", "adapter", "-m", EMBEDDER, "-i", pairs, "-o", path, "--rank", 4, "--epochs", 4, "--validation", 0,
        "--instruct", "Find the subject", *options)
    return path


def openai(server, text, **fields):
    status, _, body = server.post("/v1/embeddings", {"input": text, **fields})
    return float32(body["data"][0]["embedding"]) if status == 200 else (status, body)


def requests(queries, both):
    texts = ["tell me of soup", "who made the maps"]
    task = ["--instruct", "Find the subject"]
    plain, query = embed(texts), embed(texts, "--query")
    adapted = embed(texts, *task, "--adapter", str(queries))
    documents = embed(texts, "--adapter", str(both))
    check("the adapters change vectors", all(a != b for a, b in zip(adapted + documents, embed(texts, *task) + plain)))
    with Server("--adapter", str(queries), "--adapter", f"both={both}", models=(EMBEDDER,)) as server:
        status, _, models = server.post("/v1/embeddings", {"input": texts})
        name = models["model"]
        check("a request without an adapter has the model's own vectors",
              status == 200 and [float32(item["embedding"]) for item in models["data"]] == plain)
        check("a request with one has the adapter's, for its own task",
              [openai(server, text, adapter="subjects") for text in texts] == adapted)
        check("the next one without has the model's again", openai(server, texts[0]) == plain[0])
        check("a prompt of the request counts more than the adapter's task",
              openai(server, texts[0], adapter="subjects", prompt_name="query")
              == embed(texts[:1], "--query", "--adapter", str(queries))[0])
        check("so does an instruction",
              openai(server, texts[0], adapter="subjects", instruction="Find the law")
              == embed(texts[:1], "--instruct", "Find the law", "--adapter", str(queries))[0])
        check("TEI's route takes it",
              float32(server.post("/embed", {"inputs": texts, "adapter": "subjects"})[2]) == adapted)
        check("the name of the model chooses it", openai(server, texts[0], model=f"{name}:subjects") == adapted[0])
        check("documents keep their vectors, unless the adapter changes them",
              openai(server, texts[0], model=f"{name}:subjects", input_type="document") == plain[0]
              and openai(server, texts[0], model=f"{name}:both", input_type="document") == documents[0])
        check("fewer dimensions are those of the whole vector, cut",
              openai(server, texts[0], adapter="subjects", dimensions=32)
              == embed(texts[:1], *task, "--adapter", str(queries), "--dimensions", "32")[0])
        for fields, word in (({"adapter": "other"}, "other"), ({"adapter": "subjects", "prompt_name": "document"}, "queries alone")):
            status, body = openai(server, texts[0], **fields)
            check(f"{fields} is refused with the reason", status == 400 and word in body["error"]["message"])
        listed = json.loads(server.get("/v1/models")[2])["data"][0]
        check("the list of models names the adapters", sorted(listed["adapters"]) == ["both", "subjects"])
        found = [None] * 24

        def ask(number):
            which = [None, "subjects", "both"][number % 3]
            fields = {"adapter": which} if which else {}
            found[number] = openai(server, texts[number % 2], prompt_name="query", **fields)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = [query, embed(texts, "--query", "--adapter", str(queries)), embed(texts, "--query", "--adapter", str(both))]
        check("requests at the same time get each their own",
              found == [wanted[number % 3][number % 2] for number in range(len(found))])
        check("the server stops by itself", server.stop() == 0)


def refusals(folder, queries):
    other = FIXTURES / "tiny-embed-F16.gguf"
    twice = folder / "elsewhere"
    twice.mkdir()
    (twice / queries.name).write_bytes(queries.read_bytes())
    for what, words, arguments in (
            ("an adapter of another model", "was made for the model", ["-m", other, "--adapter", queries]),
            ("two adapters of one name", "two adapters are named", ["-m", EMBEDDER, "--adapter", queries, "--adapter", twice / queries.name]),
            ("a model for an adapter", "no adapter", ["-m", EMBEDDER, "--adapter", EMBEDDER])):
        done = subprocess.run([tool(), "serve", *map(str, arguments), "--port", str(free_port())], capture_output=True, text=True,
                              timeout=60)
        check(f"{what} is refused before the server listens",
              done.returncode not in (0, -6, -11) and words in done.stderr and "listens" not in done.stderr)


def index(folder, queries):
    """A search of a served index with an adapter that the request names gives what `q3 search` does."""
    if "index" not in run("--help").stdout.split("SUBCOMMANDS")[-1]:
        return print("built without the trait Index: no index was searched")
    documents = folder / "docs.jsonl"
    documents.write_text("".join(json.dumps({"text": f"All that is known of {s}, number {n}."}) + "\n" for n, s in enumerate(SUBJECTS)))
    path = folder / "docs.q3i"
    run("index", "create", path, "-m", EMBEDDER)
    run("index", "add", path, documents, "-m", EMBEDDER)
    lines = run("search", "the making of ropes", "--index", path, "-m", EMBEDDER, "--adapter", queries, "--instruct",
                "Find the subject", "--mode", "vectors", "--format", "jsonl", "--top-n", 12).stdout.splitlines()
    wanted = [json.loads(line)["text"] for line in lines]
    with Server("--adapter", str(queries), "--index", str(path), models=(EMBEDDER,)) as server:
        search = {"query": "the making of ropes", "mode": "vectors", "instruction": "Find the subject", "limit": 12}
        answers = {}
        for name in (None, "subjects"):
            status, _, body = server.post("/search", {**search, **({"adapter": name} if name else {})})
            answers[name] = (status, [hit["text"] for hit in body.get("hits", [])] if status == 200 else body)
    check(f"an index is searched with the request's adapter ({len(wanted)} hits)", answers["subjects"] == (200, wanted))
    check("and without it", answers[None][0] == 200 and sorted(answers[None][1]) == sorted(wanted))


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        queries, both = tune(folder, "subjects"), tune(folder, "everything", "--documents")
        requests(queries, both)
        refusals(folder, queries)
        index(folder, queries)
    if failures:
        raise SystemExit(f"{len(failures)} failed")
    print("everything is as it should be")


if __name__ == "__main__":
    main()
