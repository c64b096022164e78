#!/usr/bin/env python3
"""The figures of docs/index.md, each beside its peer in one run: python3 figures.py Q3 ROW ... [--folder FOLDER]

scan        100,000 vectors of 1,024, one query at a time: q3 beside faiss IndexFlatIP with two threads
memory      1,000,000 vectors of 1,024: the rate of the scan beside the rate at which this machine reads memory
search      the process q3 search over 100,000 chunks beside q3 embed of the query
update      q3 index update of 10,000 files of which 10 changed beside rsync -an
indexing    q3 index add beside q3 embed of the same chunks
context     what title and headings before each chunk of this repository cost: tokens given, and time

Runs alternate, and medians are compared. FOLDER keeps the synthetic indexes, so that making them is not part of a quiet run: give
`make` as the first ROW to make them only. Needs numpy, faiss-cpu and rsync.
"""
import json, os, pathlib, shutil, sqlite3, statistics, struct, subprocess, sys, tempfile, time

q3 = os.path.abspath(sys.argv[1])
here = pathlib.Path(__file__).resolve().parent
arguments = sys.argv[2:]
folder = pathlib.Path(arguments.pop(arguments.index("--folder") + 1)) if "--folder" in arguments else pathlib.Path(tempfile.mkdtemp())
rows = [row for row in arguments if row != "--folder"]
folder.mkdir(exist_ok=True)


def synthetic(name, count, dimensions):
    index = folder / name
    if not index.exists():
        subprocess.run([sys.executable, here / "synthetic.py", q3, index, str(count), str(dimensions)], check=True)
    return str(index)


def seconds(*command, ok=(0,), **options):
    start = time.monotonic()
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    elapsed = time.monotonic() - start
    assert done.returncode in ok, done.stderr.decode()
    return elapsed, done.stdout


def bench(index, *options):
    return json.loads(seconds(q3, "index", "bench", index, *options)[1])


def vectors(index):
    """The rows in f32, read from the segments as docs/index.md describes them."""
    import numpy as np
    parts = []
    for path in sorted(pathlib.Path(index).glob("vectors/*.seg")):
        data, at = np.memmap(path, np.uint8, "r"), 64
        while at < len(data):
            count, dimensions = struct.unpack_from("<II", data[at:at + 16].tobytes(), 8)
            pad = lambda n: n + -n % 64
            floats = at + 64 + pad(count * 4) + count * pad(dimensions)
            parts.append(data[floats:floats + count * dimensions * 4].view("<f4").reshape(count, dimensions))
            sums = -(-(floats + pad(count * dimensions * 4) - at - 64) // 65536)
            at = floats + pad(count * dimensions * 4) + pad(sums * 4)
    return np.concatenate(parts)


def scan():
    index = synthetic("scan.q3i", 100_000, 1024)
    if making: return
    import faiss, numpy as np
    matrix = vectors(index)
    faiss.omp_set_num_threads(2)
    flat = faiss.IndexFlatIP(matrix.shape[1])
    flat.add(matrix)
    queries = [matrix[n * 7919 % len(matrix)] + 0.5 * matrix[n * 104_729 % len(matrix)] for n in range(50)]
    queries = [(query / np.linalg.norm(query))[None] for query in queries]
    ours, theirs = [], []
    for _ in range(5):
        ours.append(bench(index, "--queries", 50, "--comparing", 0)["median_ms"])
        times = []
        for query in queries:
            start = time.monotonic()
            flat.search(query, 10)
            times.append((time.monotonic() - start) * 1000)
        theirs.append(statistics.median(times))
    places = bench(index, "--queries", 100, "--comparing", 100)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"scan: q3 {a:.2f} ms, faiss {b:.2f} ms: {b / a:.2f} times as fast; "
          f"{places['agreeing_places']} of {places['places']} places as in an exact search in f32")


def memory():
    index = synthetic("memory.q3i", 1_000_000, 1024)
    if making: return
    bench(index, "--queries", 3, "--comparing", 0)  # into the page cache
    runs = [bench(index, "--queries", 20, "--comparing", 0) for _ in range(3)]
    middle = sorted(runs, key=lambda run: run["share_of_memory_rate"])[1]
    disk = sum(path.stat().st_size for path in pathlib.Path(index).rglob("*") if path.is_file())
    print(f"memory: {middle['median_ms']:.1f} ms a query, {middle['gigabytes_per_second']:.2f} of "
          f"{middle['memory_gigabytes_per_second']:.2f} GB/s: {middle['share_of_memory_rate']:.0%}; {disk / 1e9:.2f} GB on disk, "
          f"of which a query reads {middle['median_ms'] * middle['gigabytes_per_second'] / 1e3:.2f} GB")


def search():
    index = synthetic("search.q3i", 100_000, 0)
    if making: return
    ours, theirs = [], []
    for number in range(21):
        query = f"word{number + 40} word{number + 300} word7"
        ours.append(seconds(q3, "search", query, "--index", index)[0])
        theirs.append(seconds(q3, "embed", "--query", "--format", "jsonl", query)[0])
    a, b = statistics.median(ours), statistics.median(theirs)
    words = statistics.median(seconds(q3, "search", f"word{n + 40} word7", "--index", index, "--mode", "words")[0] for n in range(9))
    near = statistics.median(seconds(q3, "search", f"word{n + 40} word7", "--index", index, "--mode", "vectors")[0] for n in range(9))
    print(f"search: q3 search {a * 1000:.1f} ms, q3 embed {b * 1000:.1f} ms: {a / b:.2f} times "
          f"(words alone {words * 1000:.1f} ms, vectors alone {near * 1000:.1f} ms)")


def update():
    docs, copy, index = folder / "docs", folder / "copy", folder / "update.q3i"
    if not index.exists():
        for number in range(10_000):
            path = docs / f"{number % 100:02}" / f"{number}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# Note {number}\n\nThis is note {number}, about subject {number % 77} and {number % 13}.\n")
        seconds("rsync", "-a", f"{docs}/", f"{copy}/")
        seconds(q3, "index", "create", index)
        seconds(q3, "index", "add", index, docs)
    if making: return
    ours, theirs, embedding = [], [], []
    for turn in range(7):
        texts = []
        for number in range(10):
            text = f"# Note {number}\n\nThis is note {number}, changed {turn} times at {time.time()}.\n"
            (docs / f"{number * 7 % 100:02}" / f"{number * 1007}.md").write_text(text)
            texts.append(text)
        theirs.append(seconds("rsync", "-an", f"{docs}/", f"{copy}/")[0])
        ours.append(seconds(q3, "index", "update", index)[0])
        embedding.append(seconds(q3, "embed", "--format", "jsonl", *texts)[0])
        seconds("rsync", "-a", f"{docs}/", f"{copy}/")
    a, b, c = map(statistics.median, (ours, theirs, embedding))
    print(f"update: q3 index update {a * 1000:.0f} ms, rsync -an {b * 1000:.0f} ms, q3 embed of the 10 texts {c * 1000:.0f} ms: "
          f"{(a - c) / b:.2f} times rsync beside the embedding")


def indexing():
    if making: return
    corpus = here.parents[2] / "Benchmarks/packages/corpus.jsonl"
    ours, theirs, sums = [], [], []
    for _ in range(3):
        index = folder / "indexing.q3i"
        shutil.rmtree(index, ignore_errors=True)
        seconds(q3, "index", "create", index)
        ours.append(seconds(q3, "index", "add", index, corpus)[0])
        with open(folder / "chunks.jsonl", "w") as file:
            for context, text in sqlite3.connect(index / "catalog.sqlite").execute("SELECT context, text FROM chunks ORDER BY id"):
                file.write(json.dumps({"text": f"{context}\n\n{text}" if context else text}) + "\n")
        theirs.append(seconds(q3, "embed", "-i", folder / "chunks.jsonl", "--format", "npy", "-o", folder / "chunks.npy")[0])
        (folder / "chunks.npy").unlink()
        shutil.rmtree(index)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"indexing: q3 index add {a:.2f} s, q3 embed of the same chunks {b:.2f} s: {(a / b - 1) * 100:+.1f} %")


def context():
    if making: return
    root, index = here.parents[2], folder / "context.q3i"
    shutil.rmtree(index, ignore_errors=True)
    seconds(q3, "index", "create", index)
    seconds(q3, "index", "add", index, root, "--glob", "*.md", "--glob", "Sources/**", "--context", "q3")
    catalog = sqlite3.connect(index / "catalog.sqlite")
    chunks = list(catalog.execute("SELECT context, text FROM chunks GROUP BY sha256 ORDER BY id"))
    times, tokens = {}, {}
    for name, texts in [("with", [f"{context}\n\n{text}" for context, text in chunks]), ("without", [text for _, text in chunks])]:
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        shown = seconds(q3, "tokenize", "-i", folder / f"{name}.jsonl", "--format", "jsonl")[1]
        tokens[name] = sum(len(json.loads(line)["ids"]) + 1 for line in shown.splitlines())
    for _ in range(5):
        for name in tokens:
            command = [q3, "embed", "-i", folder / f"{name}.jsonl", "--format", "npy", "-o", folder / f"{name}.npy"]
            times.setdefault(name, []).append(seconds(*command)[0])
            (folder / f"{name}.npy").unlink()
    a, b = statistics.median(times["with"]), statistics.median(times["without"])
    print(f"context: {len(chunks)} chunks, {tokens['without']} tokens without and {tokens['with']} with context "
          f"({tokens['with'] / tokens['without'] - 1:+.1%}); {b:.2f} s without and {a:.2f} s with ({a / b - 1:+.1%})")
    shutil.rmtree(index)


making = "make" in rows
for row in rows:
    if row != "make": {"scan": scan, "memory": memory, "search": search, "update": update, "indexing": indexing, "context": context}[row]()
