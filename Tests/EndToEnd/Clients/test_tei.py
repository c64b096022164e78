"""Text Embeddings Inference's routes over plain HTTP: shapes, headers, errors and order as its clients know them."""

import math

import pytest

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

pytestmark = pytest.mark.client("HTTP")

TIMING_HEADERS = [
    "x-compute-type",
    "x-compute-time",
    "x-total-time",
    "x-tokenization-time",
    "x-queue-time",
    "x-inference-time",
    "x-compute-characters",
    "x-compute-tokens",
]


def test_tei_embed_a_string(post, vectors):
    status, headers, value = post("/embed", {"inputs": TEXTS[0]})
    assert status == 200 and q3process.float32(value) == vectors[:1]
    assert headers["content-type"].startswith("application/json")


def test_tei_embed_a_list(post, vectors):
    status, headers, value = post("/embed", {"inputs": TEXTS, "truncate": True, "truncation_direction": "Right"})
    assert status == 200 and q3process.float32(value) == vectors
    assert [name for name in TIMING_HEADERS if name not in headers] == []
    assert headers["x-compute-type"] == "cpu"
    assert int(headers["x-compute-tokens"]) == sum(q3process.token_counts(TEXTS))
    assert int(headers["x-compute-characters"]) == sum(map(len, TEXTS))
    assert all(int(headers[name]) >= 0 for name in TIMING_HEADERS if name.endswith("-time"))


def test_tei_embed_token_ids(post, vectors):
    ids = [record["ids"] for record in q3process.tokenize(TEXTS)]
    assert q3process.float32(post("/embed", {"inputs": ids[0]})[2]) == vectors[:1]
    assert q3process.float32(post("/embed", {"inputs": ids})[2]) == vectors
    assert q3process.float32(post("/embed", {"inputs": [TEXTS[0], ids[1]]})[2]) == vectors[:2]


def test_tei_embed_with_a_prompt_name(post, query_vector):
    assert q3process.float32(post("/embed", {"inputs": QUERY, "prompt_name": "query"})[2]) == [query_vector]


def test_tei_embed_with_an_unknown_prompt_name(post):
    status, _, value = post("/embed", {"inputs": QUERY, "prompt_name": "no-such-prompt"})
    assert status == 422 and value["error_type"] == "Validation" and "no-such-prompt" in value["error"]


def test_tei_embed_with_dimensions(post):
    status, _, value = post("/embed", {"inputs": TEXTS, "dimensions": 32})
    assert status == 200 and q3process.float32(value) == q3process.embed(TEXTS, "--dimensions", "32")


def test_tei_embed_without_normalization(post, vectors):
    status, _, value = post("/embed", {"inputs": TEXTS, "normalize": False})
    assert status == 200
    for raw, unit in zip(value, vectors, strict=True):
        length = math.sqrt(sum(x * x for x in raw))
        assert abs(length - 1) > 1e-3  # the fixture's last state is not of unit length by itself
        assert [x / length for x in raw] == pytest.approx(unit, abs=1e-6)


def test_tei_embed_truncates_or_refuses(post):
    long = "word " * 40_000
    assert post("/embed", {"inputs": long, "truncate": False})[0] == 422
    status, headers, _ = post("/embed", {"inputs": long, "truncate": True})
    assert status == 200 and int(headers["x-compute-tokens"]) <= 32_768


def test_tei_embed_all(post):
    status, _, value = post("/embed_all", {"inputs": TEXTS[:2]})
    assert status == 200
    assert [len(rows) for rows in value] == q3process.token_counts(TEXTS[:2])
    # The last row is what pooling takes: scaled to unit length it is the text's vector.
    for rows, unit in zip(value, q3process.embed(TEXTS[:2]), strict=True):
        length = math.sqrt(sum(x * x for x in rows[-1]))
        assert [x / length for x in rows[-1]] == pytest.approx(unit, abs=1e-6)


def test_tei_rerank(post, ranking):
    status, headers, value = post("/rerank", {"query": QUERY, "texts": DOCUMENTS})
    assert status == 200
    assert [(hit["index"], q3process.float32(hit["score"])) for hit in value] == ranking
    assert all(set(hit) == {"index", "score"} for hit in value)
    assert int(headers["x-compute-characters"]) == len(QUERY) * len(DOCUMENTS) + sum(map(len, DOCUMENTS))


def test_tei_rerank_with_texts_and_raw_scores(post):
    status, _, value = post("/rerank", {"query": QUERY, "texts": DOCUMENTS, "raw_scores": True, "return_text": True})
    assert status == 200
    assert [(hit["index"], q3process.float32(hit["score"])) for hit in value] == q3process.rerank(
        QUERY, DOCUMENTS, "--raw-scores"
    )
    assert all(hit["text"] == DOCUMENTS[hit["index"]] for hit in value)


def test_tei_rerank_ties_put_the_higher_index_first(post):
    value = post("/rerank", {"query": QUERY, "texts": ["same", "same", "same"]})[2]
    assert [hit["index"] for hit in value] == [2, 1, 0]


def test_tei_rerank_honours_top_n(post, ranking):
    # TEI itself does not; litellm's huggingface prefix expects it.
    value = post("/rerank", {"query": QUERY, "texts": DOCUMENTS, "top_n": 2})[2]
    assert [(hit["index"], q3process.float32(hit["score"])) for hit in value] == ranking[:2]


def test_tei_predict_a_string(post):
    status, _, value = post("/predict", {"inputs": "x"})
    assert status == 200 and len(value) == 1 and 0 <= value[0]["score"] <= 1 and isinstance(value[0]["label"], str)


def test_tei_predict_a_list_of_two_strings_is_one_pair(post):
    status, _, value = post("/predict", {"inputs": [QUERY, DOCUMENTS[1]]})
    assert status == 200 and len(value) == 1
    assert q3process.float32(value[0]["score"]) == q3process.scores(QUERY, DOCUMENTS)[1]


def test_tei_predict_a_batch_of_pairs(post):
    status, _, value = post("/predict", {"inputs": [[QUERY, document] for document in DOCUMENTS]})
    assert status == 200
    assert [q3process.float32(item[0]["score"]) for item in value] == q3process.scores(QUERY, DOCUMENTS)


def test_tei_predict_refuses_three_texts(post):
    status, _, value = post("/predict", {"inputs": ["a", "b", "c"]})
    assert status == 422 and value["error_type"] == "Validation"


def test_tei_similarity(post, vectors):
    status, _, value = post(
        "/similarity", {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS[1:]}, "parameters": None}
    )
    expected = [sum(a * b for a, b in zip(vectors[0], vector)) for vector in vectors[1:]]
    assert status == 200 and value == pytest.approx(expected, abs=1e-6)  # a sum of 64 products, in any order


def test_tei_tokenize(post):
    status, _, value = post("/tokenize", {"inputs": TEXTS, "add_special_tokens": False})
    assert status == 200
    for tokens, record in zip(value, q3process.tokenize(TEXTS), strict=True):
        assert [token["id"] for token in tokens] == record["ids"]
        assert [[token["start"], token["stop"]] for token in tokens] == record["offsets"]  # bytes, not characters
        assert all(token["special"] is False for token in tokens)


def test_tei_tokenize_adds_the_end_of_text(post):
    value = post("/tokenize", {"inputs": TEXTS[0]})[2]
    assert len(value) == 1 and len(value[0]) == q3process.token_counts(TEXTS[:1])[0]
    last = value[0][-1]
    assert last["special"] is True and last["start"] is None and last["stop"] is None
    assert last["text"] == "<|endoftext|>"


def test_tei_decode(post):
    ids = [record["ids"] for record in q3process.tokenize(TEXTS)]
    assert post("/decode", {"ids": ids[2]})[2] == [TEXTS[2]]
    assert post("/decode", {"ids": ids})[2] == TEXTS


def test_tei_info(server):
    import json

    status, _, body = server.get("/info", server.authorization)
    assert status == 200
    missing = {
        "model_id",
        "model_sha",
        "model_dtype",
        "served_model_name",
        "model_type",
        "max_concurrent_requests",
        "max_input_length",
        "max_batch_tokens",
        "max_batch_requests",
        "max_client_batch_size",
        "auto_truncate",
        "tokenization_workers",
        "version",
        "sha",
        "docker_label",
    } - set(json.loads(body))
    assert missing == set()
    assert json.loads(body)["max_input_length"] == 32_768


@pytest.mark.parametrize("path", ["/health", "/ready", "/ping", "/", "/metrics"])
def test_tei_probes_need_no_key(server, path):
    assert server.get(path)[0] == 200


def test_tei_prometheus_names(server, post):
    post("/embed", {"inputs": "x"})
    text = server.get("/metrics")[2].decode()
    for name in ["te_request_count", "te_request_success", "te_embed_count", "te_request_duration", "te_queue_size"]:
        assert name in text, name


@pytest.mark.parametrize(
    "path, value, status, kind",
    [
        ("/embed", {"inputs": ""}, 400, "Empty"),
        ("/embed", {"inputs": []}, 400, "Empty"),
        ("/embed", {"inputs": ["a", ""]}, 400, "Empty"),
        ("/embed", {"inputs": "x", "dimensions": 0}, 422, "Validation"),
        ("/embed", {"inputs": "x", "dimensions": 65}, 422, "Validation"),
        ("/embed", {"inputs": 7}, 422, "Validation"),
        ("/embed", {}, 422, "Validation"),
        ("/embed", {"inputs": ["x"] * 2049}, 422, "Validation"),
        ("/rerank", {"query": "q", "texts": []}, 400, "Empty"),
        ("/decode", {"ids": []}, 400, "Empty"),
        ("/embed_sparse", {"inputs": "x"}, 424, "Backend"),
    ],
)
def test_tei_errors(post, path, value, status, kind):
    received, _, body = post(path, value)
    assert (received, body["error_type"]) == (status, kind)
    assert isinstance(body["error"], str) and body["error"]


def test_tei_refuses_a_body_that_is_not_json(post):
    assert post("/embed", b"{", **{"Content-Type": "application/json"})[0] in (400, 422)
    assert post("/embed", b'{"inputs":"x"}', **{"Content-Type": "text/plain"})[0] == 415


def test_tei_refuses_a_wrong_key(server):
    for headers in [{}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": "Basic " + KEY}]:
        assert server.post("/embed", {"inputs": "x"}, headers)[0] == 401


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, {"Authorization": KEY}, {"X-Api-Key": KEY}])
def test_every_way_to_give_the_key(server, vectors, headers):
    status, _, value = server.post("/embed", {"inputs": TEXTS[0]}, headers)
    assert status == 200 and q3process.float32(value) == vectors[:1]


def test_root_dispatches_on_the_body(post, vectors, ranking):
    for path in ["/", "/v1", "/invocations"]:
        assert q3process.float32(post(path, {"inputs": TEXTS})[2]) == vectors
        value = post(path, {"query": QUERY, "texts": DOCUMENTS})[2]
        assert [(hit["index"], q3process.float32(hit["score"])) for hit in value] == ranking
        assert len(post(path, {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS[1:]}})[2]) == len(TEXTS) - 1
