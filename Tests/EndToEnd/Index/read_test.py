#!/usr/bin/env python3
"""Reads an index with Python's sqlite3 and NumPy alone, and the exports with faiss and sqlite-vec: python3 read_test.py Q3.

Needs numpy; faiss-cpu and sqlite-vec are used where they are installed.
"""
import hashlib, json, os, sqlite3, struct, subprocess, sys, tempfile
import numpy as np

q3 = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
root = os.path.abspath(f"{here}/../../..")


def run(*arguments, status=0):
    result = subprocess.run([q3, *arguments], capture_output=True, text=True)
    assert result.returncode == status, (arguments, result.returncode, result.stderr)
    return result.stdout


def crc32c(data):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def padded(count):
    return (count + 63) // 64 * 64


def vectors(index):
    """The vectors of an index by their slots, as docs/index.md describes the segments."""
    catalog = sqlite3.connect(f"file:{index}/catalog.sqlite?mode=ro", uri=True)
    assert catalog.execute("PRAGMA application_id").fetchone() == (0x71336978,)
    assert catalog.execute("PRAGMA user_version").fetchone() == (1,)
    meta = dict(catalog.execute("SELECT key, value FROM meta"))
    result = {}
    for number, first, rows, size in catalog.execute("SELECT number, first_slot, rows, byte_count FROM segments"):
        data = open(f"{index}/vectors/{number:06}.seg", "rb").read(size)
        magic, version, dimensions, fingerprint, own = struct.unpack_from("<8sIIQI", data)
        assert (magic, version, own) == (b"Q3VECSEG", 1, number)
        assert f"{fingerprint:016x}" == meta["fingerprint"] and dimensions == meta["dimensions"]
        assert crc32c(data[:60]) == struct.unpack_from("<I", data, 60)[0]
        offset, slot = 64, first
        while offset < size:
            magic, count, columns, block_slot, list_sum = struct.unpack_from("<8sIIQI", data, offset)
            assert (magic, columns, block_slot) == (b"Q3VECBLK", dimensions, slot)
            assert crc32c(data[offset:offset + 60]) == struct.unpack_from("<I", data, offset + 60)[0]
            scales_at = offset + 64
            integers_at = scales_at + padded(4 * count)
            floats_at = integers_at + count * padded(dimensions)
            sums_at = floats_at + padded(4 * count * dimensions)
            spans = -(-(sums_at - scales_at) // 65536)
            assert crc32c(data[sums_at:sums_at + 4 * spans]) == list_sum
            last = scales_at + (spans - 1) * 65536
            assert crc32c(data[last:sums_at]) == struct.unpack_from("<I", data, sums_at + 4 * (spans - 1))[0]
            scales = np.frombuffer(data, "<f4", count, scales_at)
            integers = np.frombuffer(data, "i1", count * padded(dimensions), integers_at).reshape(count, -1)
            floats = np.frombuffer(data, "<f4", count * dimensions, floats_at).reshape(count, -1)
            assert np.abs(np.linalg.norm(floats, axis=1) - 1).max() < 1e-5
            assert np.abs(integers[:, :dimensions] * scales[:, None] - floats).max() <= scales.max() * 0.501
            assert not integers[:, dimensions:].any()
            for row in range(count):
                result[slot + row] = floats[row]
            offset, slot = offset + sums_at - offset + padded(4 * spans), slot + count
        assert slot == first + rows
    return catalog, result


with tempfile.TemporaryDirectory() as folder:
    index = f"{folder}/test.q3i"
    run("index", "create", index)
    run("index", "add", index, f"{root}/README.md", f"{root}/CONTRIBUTING.md", f"{root}/Sources/Q3Embedding")
    catalog, stored = vectors(index)
    chunks = catalog.execute("SELECT id, slot, context, text, sha256 FROM chunks ORDER BY id").fetchall()
    assert len(chunks) > 20
    texts = []
    for _, slot, context, text, digest in chunks:
        embedded = f"{context}\n\n{text}" if context else text
        assert hashlib.sha256(embedded.encode()).digest() == digest and slot in stored
        texts.append(embedded)
    # The bits of `q3 embed` for the same texts.
    with open(f"{folder}/texts.jsonl", "w") as file:
        for text in texts:
            file.write(json.dumps({"text": text}) + "\n")
    run("embed", "-i", f"{folder}/texts.jsonl", "--format", "npy", "-o", f"{folder}/texts.npy")
    matrix = np.stack([stored[slot] for _, slot, *_ in chunks])
    assert (np.load(f"{folder}/texts.npy").view("u4") == matrix.view("u4")).all()
    # FTS5 as Python has it.
    found = catalog.execute("SELECT count(*) FROM words WHERE words MATCH 'embedding'").fetchone()[0]
    assert found > 0

    query = "texts that are too long for the model"
    hits = [json.loads(line) for line in run("search", query, "--index", index, "--mode", "vectors", "--format", "jsonl").splitlines()]
    run("embed", query, "--format", "npy", "-o", f"{folder}/query.npy")
    scores = matrix @ np.load(f"{folder}/query.npy")[0]
    order = np.argsort(-scores, kind="stable")[:10]
    assert [hit["chunk"] for hit in hits] == [chunks[row][0] for row in order]
    assert max(abs(hit["similarity"] - scores[row]) for hit, row in zip(hits, order)) < 1e-6
    for hit in hits:
        with open(hit["path"], "rb") as file:
            data = file.read()
        start, end = hit["bytes"]
        assert data[:start].count(b"\n") + 1 == hit["lines"][0]
        assert "".join(data[start:end].decode().split()) == "".join(hit["text"].split())
    run("search", "x", "--index", index, "--where", "path:nothing/**", status=1)

    run("index", "export", index, "--to", "npy", "-o", f"{folder}/out.npy")
    assert (np.load(f"{folder}/out.npy") == matrix).all()
    ids = [json.loads(line) for line in open(f"{folder}/out.npy.ids.jsonl")]
    assert [row["chunk"] for row in ids] == [row[0] for row in chunks]
    run("index", "export", index, "--to", "jsonl", "-o", f"{folder}/out.jsonl")
    rows = [json.loads(line) for line in open(f"{folder}/out.jsonl")]
    assert (np.array([row["embedding"] for row in rows], "f4") == matrix).all()
    run("index", "export", index, "--to", "sqlite-vec", "-o", f"{folder}/out.sqlite")
    copy = sqlite3.connect(f"{folder}/out.sqlite")
    blobs = copy.execute("SELECT embedding FROM chunks ORDER BY id").fetchall()
    assert (np.stack([np.frombuffer(blob, "<f4") for blob, in blobs]) == matrix).all()
    try:
        import sqlite_vec
        # Python's own library is often built without extensions; the sqlite3 command has them.
        script = (f".load {sqlite_vec.loadable_path()}\nSELECT id FROM chunks ORDER BY vec_distance_cosine(embedding, "
                  f"x'{np.load(f'{folder}/query.npy')[0].tobytes().hex()}') LIMIT 10;\n")
        nearest = subprocess.run(["sqlite3", f"{folder}/out.sqlite"], input=script, capture_output=True, text=True, check=True)
        assert [int(line) for line in nearest.stdout.split()] == [hit["chunk"] for hit in hits], nearest
        print("sqlite-vec agrees")
    except (ImportError, FileNotFoundError) as error:
        print(f"sqlite-vec not tried: {error}")
    run("index", "export", index, "--to", "faiss", "-o", f"{folder}/out.faiss")
    try:
        import faiss
        flat = faiss.read_index(f"{folder}/out.faiss")
        assert (flat.d, flat.ntotal, flat.metric_type) == (matrix.shape[1], len(chunks), faiss.METRIC_INNER_PRODUCT)
        assert [chunks[row][0] for row in flat.search(np.load(f"{folder}/query.npy"), 10)[1][0]] == [hit["chunk"] for hit in hits]
        print("faiss agrees")
    except ImportError as error:
        print(f"faiss not tried: {error}")
    print(f"{len(chunks)} chunks: catalog, segments, words and exports are what they should be")
