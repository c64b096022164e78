"""Arrow arrays in and out, of every kind that holds texts."""

import gc

import numpy as np
import pytest
import q3

pa = pytest.importorskip("pyarrow")

TEXTS = ["The capital of China is Beijing.", None, "", "a much longer text than fits a view", None, "東京", "東京", "a"]


def expected(embedder, texts):
    full = embedder.encode([text or "" for text in texts])
    return [None if text is None else row for text, row in zip(texts, full)]


def check(embedder, array, texts):
    result = embedder.embed_arrow(array)
    assert len(result) == len(texts) and result.null_count == sum(text is None for text in texts)
    vectors = result.to_pyarrow()
    assert vectors.type == pa.list_(pa.field("item", pa.float32()), 64)
    for chunk in vectors.chunks:
        chunk.validate(full=True)
    rows = [row.values.to_numpy(zero_copy_only=False) if row.is_valid else None for row in vectors]
    for got, wanted in zip(rows, expected(embedder, texts)):
        assert (got is None) == (wanted is None)
        assert got is None or np.array_equal(got.view("u4"), wanted.view("u4"))


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "binary", "large_binary", "binary_view"])
def test_kinds_of_text(embedder, kind):
    texts = [text.encode() if text is not None and "binary" in kind else text for text in TEXTS]
    array = pa.array(texts, getattr(pa, kind)())
    check(embedder, array, TEXTS)
    for start, length in ((0, 0), (1, 3), (3, 5), (7, 1)):
        check(embedder, array.slice(start, length), TEXTS[start : start + length])


@pytest.mark.parametrize("index", ["int8", "uint16", "int32", "int64"])
def test_dictionaries(embedder, index):
    array = pa.array(TEXTS).dictionary_encode().cast(pa.dictionary(getattr(pa, index)(), pa.string()))
    check(embedder, array, TEXTS)
    check(embedder, array.slice(2, 5), TEXTS[2:7])
    # A null among the values counts like one among the rows.
    values = pa.array(["a", None, "b"])
    check(embedder, pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2, 0]), values), ["a", None, None, "b", "a"])


def test_chunks_nulls_and_nothing(embedder):
    check(embedder, pa.chunked_array([pa.array(TEXTS[:3]), pa.array(TEXTS[3:])]), TEXTS)
    check(embedder, pa.nulls(3), [None] * 3)
    check(embedder, pa.nulls(3, pa.string()), [None] * 3)
    check(embedder, pa.array([], pa.string()), [])
    check(embedder, pa.chunked_array([], pa.string()), [])


def test_a_value_is_computed_once(embedder):
    import time

    texts = [f"text {i} " * 40 for i in range(20)]
    start = time.perf_counter()
    embedder.embed_arrow(pa.array(texts).dictionary_encode())
    once = time.perf_counter() - start
    start = time.perf_counter()
    embedder.embed_arrow(pa.array(texts * 500).dictionary_encode())
    assert time.perf_counter() - start < 20 * once + 1


def test_other_types_of_values(embedder):
    texts = ["a", "b", None]
    full = embedder.encode(["a", "b"])
    half = embedder.embed_arrow(pa.array(texts), type="float16").to_numpy()
    assert half.dtype == np.float16 and np.array_equal(half[:2], full.astype(np.float16)) and not half[2].any()
    ranges = np.stack([full.min(0) - 1, full.max(0) + 1])
    small = embedder.embed_arrow(pa.array(texts), type="int8", ranges=ranges).to_numpy()
    assert np.array_equal(small[:2], embedder.encode(["a", "b"], precision="int8", ranges=ranges))
    bits = embedder.embed_arrow(pa.array(texts), type="ubinary").to_numpy()
    assert np.array_equal(bits[:2], embedder.encode(["a", "b"], precision="ubinary"))
    with pytest.raises(ValueError, match="needs ranges"):
        embedder.embed_arrow(pa.array(texts), type="int8")


def test_what_is_no_column_of_texts(embedder):
    for array in (pa.array([1, 2]), pa.array([["a"]]), pa.array([1.5]), pa.array([1]).dictionary_encode()):
        with pytest.raises(ValueError, match="expected texts"):
            embedder.embed_arrow(array)
    with pytest.raises(TypeError, match="__arrow_c_array__"):
        embedder.embed_arrow(["a"])
    bad = pa.array([b"fine", b"\xff", None], pa.binary())
    with pytest.raises(q3.TextError, match="text 1: the text is not UTF-8"):
        embedder.embed_arrow(bad)
    kept = embedder.embed_arrow(bad, errors="null")
    assert kept.null_count == 2 and kept.to_pyarrow().is_null().to_pylist() == [False, True, True]


def test_lifetimes(embedder):
    gc.collect()
    before = pa.total_allocated_bytes()
    for _ in range(20):
        result = embedder.embed_arrow(pa.array(["a"] * 100))
        kept = pa.array(result)  # through the protocol, without a copy
        del result
        gc.collect()
        assert np.array_equal(kept[99].values.to_numpy(), embedder.encode("a"))
        embedder.embed_arrow(pa.array(["a"]))  # never handed over
        capsules = embedder.embed_arrow(pa.array(["a"])).__arrow_c_array__()  # handed over and not taken
        del capsules, kept
    gc.collect()
    assert pa.total_allocated_bytes() == before
    twice = embedder.embed_arrow(pa.array(["a"]))
    twice.to_pyarrow()
    with pytest.raises(ValueError, match="handed over already"):
        twice.to_pyarrow()


def test_polars(embedder):
    polars = pytest.importorskip("polars")
    check(embedder, polars.Series(TEXTS), TEXTS)
    check(embedder, polars.Series(TEXTS).cast(polars.Categorical), TEXTS)
