"""Embedder: the program's bits, the names of sentence-transformers, and what comes of bad input."""

import asyncio
import pickle
import warnings

import numpy as np
import pytest
import q3
from conftest import EMBED, FIXTURES, RERANK, TEXTS


def test_the_bits_of_the_program(embedder, q3_embed):
    assert np.array_equal(embedder.encode(TEXTS).view("u4"), q3_embed(TEXTS).view("u4"))
    queries = embedder.encode_query(TEXTS)
    assert np.array_equal(queries.view("u4"), q3_embed(TEXTS, "--query").view("u4"))
    task = embedder.encode(TEXTS, prompt="Instruct: Find dishes\nQuery:")
    assert np.array_equal(task.view("u4"), q3_embed(TEXTS, "--instruct", "Find dishes").view("u4"))
    cut = embedder.encode(TEXTS, truncate_dim=32)
    assert np.array_equal(cut.view("u4"), q3_embed(TEXTS, "--dimensions", "32").view("u4"))


def test_the_built_in_model(q3_embed):
    with q3.Embedder() as mini:
        assert (mini.path, mini.dimensions, mini.role, mini.takes_instructions) == (None, 256, "embedding", False)
        assert mini.prompts == {"query": "", "document": ""}
        assert np.array_equal(mini.encode(TEXTS).view("u4"), q3_embed(TEXTS, model=None).view("u4"))
    assert repr(mini) == "<q3.Embedder q3-mini, closed>"


def test_a_text_has_the_same_bits_in_any_company(embedder):
    together = embedder.encode(TEXTS)
    for size in (1, 2, 5):
        alone = np.concatenate([embedder.encode(TEXTS[i : i + size], batch_size=size) for i in range(0, len(TEXTS), size)])
        assert np.array_equal(alone.view("u4"), together.view("u4"))
    many = [f"{text} {i % 7}" for i in range(600) for text in TEXTS]  # several windows of the library
    vectors = embedder.encode(many)
    assert np.array_equal(vectors[-9:].view("u4"), embedder.encode(many[-9:]).view("u4"))


def test_shapes_and_types(embedder):
    assert embedder.encode("one").shape == (64,)
    assert embedder.encode(["one"]).shape == (1, 64)
    assert embedder.encode([]).shape == (0, 64)
    assert embedder.encode((), truncate_dim=8).shape == (0, 8)
    assert embedder.encode(np.array(["a", "b"])).shape == (2, 64)
    assert embedder.encode(text for text in ("a", "b", "c")).shape == (3, 64)
    assert embedder.encode(sentences=["earlier name"]).shape == (1, 64)
    vectors = embedder.encode(["a", "b"])
    assert vectors.dtype == np.float32 and vectors.flags["C_CONTIGUOUS"] and vectors.flags["OWNDATA"]
    listed = embedder.encode(["a", "b"], convert_to_numpy=False)
    assert isinstance(listed, list) and np.array_equal(listed[1], vectors[1])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary", "float16"])
def test_stored_types_are_the_programs(embedder, program, tmp_path, precision):
    import subprocess

    texts = [f"text number {i}" for i in range(120)]
    source, output = tmp_path / "texts.txt", tmp_path / "vectors.npy"
    source.write_text("\n".join(texts) + "\n")
    kind = {"float16": "f16"}.get(precision, precision)
    subprocess.run([program, "embed", "-m", EMBED, "-i", source, "--type", kind, "--format", "npy", "-o", output], check=True)
    expected = np.load(output)
    got = embedder.encode(texts, precision=precision)
    assert got.dtype == expected.dtype and np.array_equal(got, expected)


def test_given_ranges_make_calls_comparable(embedder):
    texts = [f"text number {i}" for i in range(120)]
    full = embedder.encode(texts)
    ranges = np.stack([full.min(0), full.max(0)])
    together = embedder.encode(texts, precision="int8", ranges=ranges)
    assert np.array_equal(embedder.encode(texts[5:7], precision="int8", ranges=ranges), together[5:7])
    with pytest.warns(UserWarning, match="2 vectors only"):
        embedder.encode(texts[:2], precision="int8")
    with pytest.raises(ValueError, match="shape"):
        embedder.encode(texts, precision="int8", ranges=ranges[:, :5])


@pytest.mark.parametrize(
    "texts, error, message",
    [
        (None, TypeError, "needs the texts"),
        (["a", None], TypeError, r"inputs\[1\] is None"),
        (["a", 3], TypeError, r"inputs\[1\] is of type int"),
        ([float("nan")], TypeError, "NaN"),
        ([b"bytes"], TypeError, "decoded"),
        (b"bytes", TypeError, "decoded"),
        (7, TypeError, "of type int"),
        ({"a": 1}, TypeError, "of type dict"),
        (np.array([["a"]]), TypeError, "shape"),
        (["fine", "lone \ud800 surrogate"], q3.TextError, r"inputs\[1\] has a lone surrogate at 5"),
    ],
)
def test_what_is_not_text(embedder, texts, error, message):
    with pytest.raises(error, match=message):
        embedder.encode(texts)


def test_long_texts():
    long = "word " * 2_000
    with q3.Embedder() as model:  # takes 512 tokens
        with pytest.warns(q3.LongTextWarning, match="1 of 2 texts"):
            warned = model.encode([long, "short"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(model.encode([long, "short"]), warned)  # once is enough
            assert np.array_equal(model.encode(long, long_texts="truncate"), warned[0])
        with pytest.raises(q3.TextTooLongError, match="text 1: the text has") as caught:
            model.encode(["short", long], long_texts="raise")
        assert caught.value.index == 1
        huge = model.encode("many words " * 1_000_000, long_texts="truncate")  # 11 MB
        assert np.isclose(np.linalg.norm(huge), 1, atol=1e-6)


def test_a_text_of_ten_megabytes(q3_embed):
    text = "The capital of China is Beijing. " * 320_000
    assert len(text) > 10_000_000
    with q3.Embedder(EMBED, threads=2) as model:
        with pytest.warns(q3.LongTextWarning):
            vector = model.encode(text)
        with pytest.raises(q3.TextTooLongError):
            model.encode(["short", text], long_texts="raise")
    assert np.array_equal(vector, q3_embed([text], "--truncate")[0])


def test_what_cannot_be_honoured_raises(embedder):
    for arguments in (
        {"device": "cuda"}, {"device": ["cpu", "cuda:0"]}, {"output_value": "token_embeddings"}, {"output_value": None},
    ):
        with pytest.raises(q3.UnsupportedError):
            embedder.encode("a", **arguments)
    for arguments in (
        {"device": "mps"}, {"modules": []}, {"revision": "main"}, {"backend": "onnx"}, {"model_kwargs": {"dtype": "bfloat16"}},
    ):
        with pytest.raises(q3.UnsupportedError):
            q3.Embedder(EMBED, **arguments)
    with pytest.raises(q3.UnsupportedError):
        embedder.max_seq_length = 12
    with pytest.raises(q3.UnsupportedError):
        embedder.start_multi_process_pool(["cuda:0"])
    for arguments in (
        {"precision": "int4"}, {"batch_size": 0}, {"batch_size": "many"}, {"truncate_dim": 0}, {"truncate_dim": 65},
        {"prompt_name": "nobody"},
    ):
        with pytest.raises(ValueError):
            embedder.encode("a", **arguments)


def test_what_changes_nothing_is_accepted(embedder):
    expected = embedder.encode(["a", "b"])
    pool = embedder.start_multi_process_pool()
    got = embedder.encode(
        ["a", "b"], batch_size=1, device="cpu", normalize_embeddings=True, pool=pool, chunk_size=1, show_progress_bar=False
    )
    embedder.stop_multi_process_pool(pool)
    assert np.array_equal(got, expected)
    with q3.Embedder(EMBED, device="cpu", backend="torch", cache_folder="/tmp", trust_remote_code=True, token="t") as model:
        assert np.array_equal(model.to("cpu").eval().encode(["a", "b"]), expected)


def test_prompts(embedder):
    with q3.Embedder(EMBED, prompts={"query": "q: ", "code": "c: "}, default_prompt_name="code") as model:
        plain = embedder.encode(["q: a", "c: a", "a"])
        assert np.array_equal(model.encode_query("a"), plain[0])
        assert np.array_equal(model.encode("a"), plain[1])
        assert np.array_equal(model.encode("a", prompt=""), plain[2])
        assert np.array_equal(model.encode("a", prompt_name="query"), plain[0])
    with pytest.raises(ValueError, match="default_prompt_name"):
        q3.Embedder(EMBED, default_prompt_name="nobody")


def test_similarity(embedder):
    a, b = embedder.encode(TEXTS[:3]), embedder.encode(TEXTS[2:6])
    cosine = embedder.similarity(a, b)
    assert cosine.shape == (3, 4) and np.isclose(cosine[2, 0], 1, atol=1e-6)
    assert np.allclose(cosine, a @ b.T, atol=1e-6)
    assert np.allclose(embedder.similarity_pairwise(a, b[:3]), np.sum(a * b[:3], 1), atol=1e-6)
    assert embedder.similarity(a[0], b[0]).shape == (1, 1)
    gaps = a[:, None] - b[None]
    for name, expected in (("euclidean", -np.sqrt((gaps**2).sum(2))), ("manhattan", -np.abs(gaps).sum(2)), ("dot", a @ b.T)):
        with q3.Embedder(EMBED, similarity_fn_name=name) as model:
            assert np.allclose(model.similarity(a, b), expected, atol=1e-3)
            assert np.allclose(model.similarity_pairwise(a, b[:3]), np.diag(expected), atol=1e-3)
    with pytest.raises(ValueError):
        embedder.similarity(a, b[:, :5])
    with pytest.raises(ValueError):
        embedder.similarity_pairwise(a, b)
    with pytest.raises(ValueError):
        q3.Embedder(EMBED, similarity_fn_name="nearest")


def test_truncated_vectors_have_unit_length(embedder):
    with embedder.truncate_embeddings(16):
        assert embedder.get_embedding_dimension() == 16
        assert np.allclose(np.linalg.norm(embedder.encode(TEXTS), axis=1), 1, atol=1e-6)
    assert embedder.get_sentence_embedding_dimension() == 64


@pytest.mark.parametrize(
    "model, error, message",
    [
        ("no-such-model", q3.ModelNotFoundError, "q3 pull"),
        ("qwen3-embedding-0.6b-q8_0", q3.ModelNotFoundError, "run 'q3 pull"),
        ("/no/such/file.gguf", q3.BadModelError, "No such file"),
        (__file__, q3.BadModelError, "not a GGUF file"),
        (RERANK, q3.WrongModelError, "is a reranker"),
        ("", ValueError, "empty"),
        (b"\xff/x.gguf", q3.Q3Error, "not UTF-8|No such file"),
        ("a/b\0c.gguf", ValueError, "NUL|null"),
        (3, TypeError, "int"),
    ],
)
def test_models_that_cannot_be_opened(model, error, message, monkeypatch, tmp_path):
    monkeypatch.setenv("Q3_MODELS", str(tmp_path))
    with pytest.raises(error, match=message):
        q3.Embedder(model)


def test_names_are_those_of_the_program(monkeypatch, tmp_path):
    (tmp_path / "mine.gguf").symlink_to(EMBED)
    monkeypatch.setenv("Q3_MODELS", str(tmp_path))
    for name in ("mine", "mine.gguf", tmp_path / "mine.gguf"):
        with q3.Embedder(name) as model:
            assert model.path == str(tmp_path / "mine.gguf")


def test_settings_that_cannot_be():
    for arguments in ({"threads": 0}, {"threads": 100_000}, {"threads": True}, {"precision": "slow"}, {"long_texts": "drop"}):
        with pytest.raises(ValueError):
            q3.Embedder(EMBED, **arguments)


def test_use_after_close():
    model = q3.Embedder(EMBED)
    model.close()
    model.close()
    for use in (lambda: model.encode("a"), lambda: model.encode([]), lambda: model.name, lambda: model.fingerprint):
        with pytest.raises(q3.ClosedError):
            use()


def test_threads_and_the_exact_precision_agree_with_the_program(program, embedder, q3_embed):
    import subprocess

    with q3.Embedder(EMBED, precision="exact", threads=1) as exact:
        assert np.array_equal(exact.encode(TEXTS).view("u4"), q3_embed(TEXTS, "--precision", "exact").view("u4"))
        assert exact.threads == 1 and exact.fingerprint != embedder.fingerprint
    shown = subprocess.run([program, "info", "-m", EMBED], capture_output=True, text=True, check=True).stdout
    assert f"{embedder.fingerprint} (precision auto)" in shown


def test_pickled_models_open_again(embedder):
    again = pickle.loads(pickle.dumps(embedder))
    assert np.array_equal(again.encode(TEXTS), embedder.encode(TEXTS))
    error = pickle.loads(pickle.dumps(q3.TextError("m", 3)))
    assert (str(error), error.index) == ("m", 3)


def test_async_calls(embedder):
    async def both():
        return await asyncio.gather(embedder.aencode(TEXTS), embedder.aencode("a"))

    many, one = asyncio.run(both())
    assert np.array_equal(many, embedder.encode(TEXTS)) and np.array_equal(one, embedder.encode("a"))


def test_progress(embedder, capsys):
    embedder.encode([f"{i} " * 50 for i in range(2000)], show_progress_bar=True)
    assert "Embedding" in capsys.readouterr().err


def test_the_tokens_that_the_model_reads(embedder):
    tokens = embedder.tokenize(["a", "the capital of China"])
    assert tokens["input_ids"].shape == tokens["attention_mask"].shape
    end = embedder._info.end_of_text_id
    assert (tokens["input_ids"][:, -1] == end).all() and tokens["attention_mask"].sum(1)[0] == 2


def test_a_file_that_changes_while_it_is_open(tmp_path):
    import os
    import shutil

    path = tmp_path / "model.gguf"
    shutil.copy(EMBED, path)
    with q3.Embedder(path) as model:
        model.encode("a")
        with open(path, "r+b") as file:
            file.seek(1000)
            file.write(b"?")
        os.utime(path, (1, 1))
        with pytest.raises(q3.BadModelError, match="changed"):
            model.encode("a")


def test_other_files_of_weights(q3_embed):
    for name in ("tiny-embed-F32", "tiny-embed-Q4_K_M", "tiny-embed-BF16"):
        path = str(FIXTURES / f"{name}.gguf")
        with q3.Embedder(path) as model:
            assert np.array_equal(model.encode(TEXTS).view("u4"), q3_embed(TEXTS, model=path).view("u4"))
