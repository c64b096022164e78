"""Reranker and Tokenizer: the program's scores and tokens."""

import asyncio
import json
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import q3
from conftest import EMBED, RERANK

QUERY = "What is the capital of China?"
DOCUMENTS = ["The capital of China is Beijing.", "Gravity.", "", "東京 🙂", "Bread and salt.", "Gravity."]


@pytest.fixture(scope="session")
def scores_of_the_program(program):
    def scores(*arguments):
        done = subprocess.run(
            [program, "rerank", "-m", RERANK, "--query", QUERY, "--format", "jsonl", *arguments, "--", *DOCUMENTS],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return {row["index"]: row["score"] for row in rows}, [row["index"] for row in rows]

    return scores


def test_scores_and_order_of_the_program(reranker, scores_of_the_program):
    scores, order = scores_of_the_program()
    predicted = reranker.predict([(QUERY, document) for document in DOCUMENTS])
    assert predicted.dtype == np.float32
    assert [float(np.float32(scores[i])) for i in range(len(DOCUMENTS))] == predicted.tolist()
    ranked = reranker.rank(QUERY, DOCUMENTS, return_documents=True)
    assert sorted(order) == sorted(entry["corpus_id"] for entry in ranked)
    assert [entry["score"] for entry in ranked] == sorted(predicted.tolist(), reverse=True)
    assert [entry["text"] for entry in ranked] == [DOCUMENTS[entry["corpus_id"]] for entry in ranked]
    assert [entry["corpus_id"] for entry in reranker.rank(QUERY, DOCUMENTS, top_k=2)] == [
        entry["corpus_id"] for entry in ranked[:2]
    ]


def test_instructions(reranker, scores_of_the_program):
    scores, _ = scores_of_the_program("--instruct", "Find dishes")
    expected = [float(np.float32(scores[i])) for i in range(len(DOCUMENTS))]
    pairs = [(QUERY, document) for document in DOCUMENTS]
    assert reranker.predict(pairs, prompt="Find dishes").tolist() == expected
    with q3.Reranker(RERANK, prompts={"dishes": "Find dishes"}, default_prompt_name="dishes") as model:
        assert model.predict(pairs).tolist() == expected


def test_styles_are_those_of_the_program(program, tmp_path):
    """On a file that carries a prompt of its own."""
    path = tmp_path / "own.gguf"
    path.write_bytes(with_text(Path(RERANK).read_bytes(), "tokenizer.chat_template.rerank", "Q: {query}\nD: {document}\nRelevant:"))
    seen = set()
    for style in ("model", "card", "eval"):
        done = subprocess.run(
            [program, "rerank", "-m", path, "--query", QUERY, "--format", "jsonl", "--prompt-style", style, "--", *DOCUMENTS],
            capture_output=True, text=True, check=True,
        )
        rows = sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda row: row["index"])
        expected = [float(np.float32(row["score"])) for row in rows]
        with q3.Reranker(path, style=style, threads=2) as model:
            assert model.predict([(QUERY, document) for document in DOCUMENTS]).tolist() == expected, style
        seen.add(tuple(expected))
    assert len(seen) == 3
    with q3.Reranker(path, threads=2) as by_default, q3.Reranker(path, style="model", threads=2) as model:
        assert np.array_equal(by_default.margins(QUERY, DOCUMENTS), model.margins(QUERY, DOCUMENTS))
    with pytest.raises(ValueError, match="expected one of model, card, eval"):
        q3.Reranker(RERANK, style="other")


def with_text(gguf, key, text):
    """A GGUF file with one more text in its metadata, and its tensors moved to where they belong then."""

    def field(value):
        return struct.pack("<Q", len(value.encode())) + value.encode()

    end = _end_of_header(gguf)
    count = struct.unpack_from("<Q", gguf, 16)[0]
    header = gguf[:16] + struct.pack("<Q", count + 1) + field(key) + struct.pack("<I", 8) + field(text) + gguf[24:end]
    return header + bytes(-len(header) % 32) + gguf[-(-end // 32) * 32 :]


def _end_of_header(data):
    """Enough of GGUF to find where its tensors begin."""
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    at = 24

    def number(size):
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at], "little")

    def skip(kind):
        nonlocal at
        if kind == 8:
            count = number(8)
            at += count
        elif kind == 9:
            kind, count = number(4), number(8)
            for _ in range(count):
                skip(kind)
        else:
            at += sizes[kind]

    tensors, values = (int.from_bytes(data[start : start + 8], "little") for start in (8, 16))
    for _ in range(values):
        skip(8)
        skip(number(4))
    for _ in range(tensors):
        skip(8)
        axes = number(4)
        at += 8 * axes + 4 + 8
    return at


def test_shapes_margins_and_activation(reranker):
    one = reranker.predict((QUERY, "Beijing."))
    assert np.ndim(one) == 0 and one == reranker.predict([(QUERY, "Beijing.")])[0]
    assert reranker.predict([]).shape == (0,) and reranker.rank(QUERY, []) == []
    pairs = [(QUERY, document) for document in DOCUMENTS]
    margins = reranker.predict(pairs, activation_fn=lambda margins: margins)
    assert np.array_equal(margins, reranker.margins(QUERY, DOCUMENTS))
    assert np.allclose(1 / (1 + np.exp(-margins.astype(float))), reranker.predict(pairs), atol=1e-6)
    assert np.array_equal(reranker.margins([QUERY] * len(DOCUMENTS), DOCUMENTS), margins)
    assert asyncio.run(reranker.arank(QUERY, DOCUMENTS)) == reranker.rank(QUERY, DOCUMENTS)


def test_bad_input(reranker):
    for inputs in (["ab", "c"], [("a",)], [("a", "b", "c")]):
        if inputs == ["ab", "c"]:
            continue  # two texts are a pair
        with pytest.raises(TypeError, match="not a pair"):
            reranker.predict(inputs)
    with pytest.raises(TypeError, match=r"documents\[0\] is None"):
        reranker.rank(QUERY, [None])
    with pytest.raises(TypeError):
        reranker.rank(None, ["a"])
    with pytest.raises(TypeError):
        reranker.rank(QUERY, "a")
    with pytest.raises(q3.TextError) as caught:
        reranker.predict([("a", "b"), ("a", "\udfff")])
    assert caught.value.index == 1
    with pytest.raises(q3.UnsupportedError):
        reranker.predict([("a", "b")], apply_softmax=True)
    with pytest.raises(q3.UnsupportedError):
        q3.Reranker(RERANK, num_labels=2)
    with pytest.raises(q3.WrongModelError):
        q3.Reranker(EMBED)
    with pytest.raises(ValueError, match="no built-in reranker"):
        q3.Reranker(None)
    with pytest.raises(q3.TextTooLongError, match="query"):
        q3.Reranker(RERANK).rank("word " * 40_000, ["a"])
    with pytest.raises(q3.TextTooLongError, match="pair 0: the prompt has"):
        q3.Reranker(RERANK, long_texts="raise").rank(QUERY, ["word " * 40_000])


def test_tokens(program):
    texts = ["Hello world", "naïve café 東京 🙂", "", "a\0b", "e\u0301", "<|im_end|>"]
    with q3.Tokenizer(EMBED) as tokenizer:
        for text in texts:
            if "\0" not in text:
                done = subprocess.run(
                    [program, "tokenize", "-m", EMBED, "--format", "jsonl", "--", text], capture_output=True, text=True, check=True
                )
                assert tokenizer.encode(text) == json.loads(done.stdout)["ids"]
            ids = tokenizer.encode(text)
            assert len(tokenizer.offsets(text)) == len(ids) == tokenizer.count(text)
            import unicodedata

            assert tokenizer.decode(ids) == unicodedata.normalize("NFC", text)
        assert tokenizer.encode(texts) == [tokenizer.encode(text) for text in texts]
        special = tokenizer.encode("<|im_end|>", parse_special_tokens=True)
        assert len(special) == 1 and tokenizer.decode(special, skip_special_tokens=True) == ""
        assert len(tokenizer) == tokenizer.vocabulary_size
        with pytest.raises(ValueError, match="token ids are 0 to"):
            tokenizer.decode([-1])
        with pytest.raises(ValueError):
            tokenizer.decode([1 << 40])
        with pytest.raises(TypeError):
            tokenizer.encode([None])
