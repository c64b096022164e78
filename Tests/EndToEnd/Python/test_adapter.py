"""Adapters: what NumPy makes of the file, the bits of the program, which texts they change, and what is refused."""

import pickle
import struct

import numpy as np
import pytest
import q3
from conftest import EMBED, FIXTURES, TEXTS

STRING, UINT32 = 8, 4


def gguf(path, metadata, tensors):
    """Writes a GGUF file; tensors are float32 arrays of two axes."""
    text = lambda value: struct.pack("<Q", len(value.encode())) + value.encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += text(key)
        head += struct.pack("<I", STRING) + text(value) if isinstance(value, str) else struct.pack("<II", UINT32, value)
    data = b""
    for name, array in tensors.items():
        data += b"\0" * (-len(data) % 32)
        head += text(name) + struct.pack("<IQQIQ", 2, array.shape[1], array.shape[0], 0, len(data))
        data += array.astype("<f4").tobytes()
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)


@pytest.fixture
def make(tmp_path, embedder):
    random = np.random.default_rng(1)
    a = random.normal(size=(3, embedder.dimensions)).astype(np.float32)
    b = random.normal(size=(embedder.dimensions, 3)).astype(np.float32) / 10

    def make(scope="queries", fingerprint=None, **changes):
        metadata = {
            "general.type": "adapter", "adapter.type": "q3-vectors", "adapter.version": 1, "adapter.scope": scope,
            "adapter.model_fingerprint": fingerprint or embedder.fingerprint,
        }
        path = tmp_path / f"{scope}.gguf"
        gguf(path, metadata | changes, {"adapter.a": a, "adapter.b": b})
        return path, a, b

    return make


def test_vectors_are_those_of_the_formula_and_of_the_program(make, embedder, q3_embed):
    path, a, b = make()
    adapted = q3.Embedder(EMBED, threads=2, adapter=path)
    plain = embedder.encode_query(TEXTS).astype(np.float64)
    expected = plain + plain @ a.T.astype(np.float64) @ b.T.astype(np.float64)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    got = adapted.encode_query(TEXTS)
    assert np.abs(got - expected).max() < 1e-6
    assert np.array_equal(got.view("u4"), q3_embed(TEXTS, "--query", "--adapter", str(path)).view("u4"))
    cut = adapted.encode_query(TEXTS, truncate_dim=16)
    assert np.array_equal(cut.view("u4"), q3_embed(TEXTS, "--query", "--adapter", str(path), "--dimensions", "16").view("u4"))


def test_queries_alone_are_changed(make, embedder):
    adapted = q3.Embedder(EMBED, threads=2, adapter=make()[0])
    assert adapted.fingerprint == embedder.fingerprint
    for call in ({}, {"prompt_name": "document"}, {"prompt": ""}):
        assert np.array_equal(adapted.encode(TEXTS, **call), embedder.encode(TEXTS, **call))
    assert np.array_equal(adapted.encode_document(TEXTS), embedder.encode_document(TEXTS))
    for call in ({"prompt_name": "query"}, {"prompt": "Instruct: Find dishes\nQuery:"}):
        assert not np.array_equal(adapted.encode(TEXTS, **call), embedder.encode(TEXTS, **call))


def test_the_query_of_a_model_without_instructions_is_told_by_its_name(tmp_path):
    mini = q3.Embedder()
    a, b = np.eye(1, 256, dtype=np.float32), np.eye(256, 1, -5, dtype=np.float32)
    metadata = {
        "general.type": "adapter", "adapter.type": "q3-vectors", "adapter.version": 1, "adapter.scope": "queries",
        "adapter.model_fingerprint": mini.fingerprint,
    }
    gguf(tmp_path / "a.gguf", metadata, {"adapter.a": a, "adapter.b": b})
    adapted = q3.Embedder(adapter=tmp_path / "a.gguf")
    assert not np.array_equal(adapted.encode_query("a"), mini.encode_query("a"))
    assert np.array_equal(adapted.encode("a"), mini.encode("a"))


def test_documents_of_another_space_have_another_fingerprint(make, embedder):
    both = q3.Embedder(EMBED, threads=2, adapter=make("everything")[0])
    assert both.fingerprint != embedder.fingerprint
    assert not np.array_equal(both.encode_document(TEXTS), embedder.encode_document(TEXTS))


def test_it_is_sent_to_other_processes(make):
    adapted = q3.Embedder(EMBED, threads=2, adapter=make()[0])
    again = pickle.loads(pickle.dumps(adapted))
    assert np.array_equal(again.encode_query(TEXTS), adapted.encode_query(TEXTS))


def test_what_cannot_be_used_is_refused(make, tmp_path):
    with pytest.raises(q3.BadModelError, match="was made for the model"):
        q3.Embedder(EMBED, adapter=make(fingerprint="0123456789abcdef")[0])
    with pytest.raises(q3.BadModelError, match="no adapter"):
        q3.Embedder(EMBED, adapter=FIXTURES / "tiny-embed-Q8_0.gguf")
    with pytest.raises(q3.BadModelError):
        q3.Embedder(EMBED, adapter=tmp_path / "none.gguf")
    with pytest.raises(q3.BadModelError, match="newer"):
        q3.Embedder(EMBED, adapter=make(**{"adapter.version": 2})[0])
