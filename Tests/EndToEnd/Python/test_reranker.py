"""Reranker and Tokenizer: the program's scores and tokens."""

import asyncio
import json
import subprocess

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
