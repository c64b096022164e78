"""Routes of llama-server and vLLM that no Python client wraps, over plain HTTP."""

import base64
import json
import math
import struct

import pytest

import q3process
from conftest import DOCUMENTS, QUERY, TEXTS

pytestmark = pytest.mark.client("HTTP")


@pytest.mark.parametrize("field", ["content", "input"])
def test_llama_embedding(post, vectors, field):
    status, _, value = post("/embedding", {field: TEXTS[0]})
    assert status == 200 and value[0]["index"] == 0
    assert q3process.float32(value[0]["embedding"]) == vectors[:1]  # nested even when pooled


def test_llama_embeddings_with_content(post, vectors):
    status, _, value = post("/embeddings", {"content": TEXTS})
    assert status == 200
    assert [q3process.float32(item["embedding"][0]) for item in value] == vectors


def test_llama_tokenize_and_detokenize(post):
    ids = post("/tokenize", {"content": TEXTS[2]})[2]["tokens"]
    assert ids == q3process.tokenize([TEXTS[2]])[0]["ids"]
    value = post("/detokenize", {"tokens": ids})[2]
    assert value["content"] == value["prompt"] == TEXTS[2]


def test_llama_rerank(post, ranking):
    for path in ["/rerank", "/reranking", "/v1/rerank", "/v1/reranking"]:
        status, _, value = post(path, {"query": QUERY, "documents": DOCUMENTS})
        assert status == 200
        assert [(hit["index"], q3process.float32(hit["relevance_score"])) for hit in value["results"]] == ranking


def test_vllm_tokenize(post):
    value = post("/tokenize", {"prompt": TEXTS[0]})[2]
    ids = q3process.tokenize(TEXTS[:1])[0]["ids"]
    assert value["tokens"][: len(ids)] == ids
    assert value["count"] == len(value["tokens"]) == q3process.token_counts(TEXTS[:1])[0]
    assert value["max_model_len"] == 32_768


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
@pytest.mark.parametrize("left, right", [("text_1", "text_2"), ("queries", "documents"), ("data_1", "data_2")])
def test_vllm_score(post, path, left, right):
    expected = q3process.scores(QUERY, DOCUMENTS)
    for first in [QUERY, [QUERY], [QUERY] * len(DOCUMENTS)]:
        status, _, value = post(path, {left: first, right: DOCUMENTS})
        assert status == 200 and value["object"] == "list"
        assert [item["index"] for item in value["data"]] == list(range(len(DOCUMENTS)))
        assert [q3process.float32(item["score"]) for item in value["data"]] == expected


def test_vllm_rerank(post, ranking):
    status, _, value = post("/v2/rerank", {"query": QUERY, "documents": DOCUMENTS, "top_n": 0})
    assert status == 200 and len(value["results"]) == len(DOCUMENTS)
    value = post("/rerank", {"query": QUERY, "documents": DOCUMENTS, "top_n": 3})[2]
    assert [(hit["index"], q3process.float32(hit["relevance_score"])) for hit in value["results"]] == ranking[:3]
    assert all(hit["document"]["text"] == DOCUMENTS[hit["index"]] for hit in value["results"])
    assert value["usage"]["total_tokens"] == value["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize(
    "path, value",
    [
        ("/score", {"text_1": ["a", "b"], "text_2": ["c", "d", "e"]}),
        ("/rerank", {"query": "q"}),
        ("/rerank", {"documents": ["d"]}),
        ("/rerank", {"query": "q", "documents": []}),
        ("/rerank", {"query": "q", "documents": ["d", 7]}),
        ("/tokenize", {"content": 7}),
        ("/embedding", {"content": {"a": 1}}),
        ("/v1/embeddings", {"input": None}),
    ],
)
def test_errors_in_the_form_of_openai(post, path, value):
    status, _, body = post(path, value)
    assert status == 400 and body["error"]["message"] and body["error"]["type"] == "invalid_request_error"
    assert "param" in body["error"] and "code" in body["error"]


def test_unknown_route(post):
    status, _, body = post("/v1/chat/completions", {})
    assert status == 404 and body["error"]["message"]


@pytest.mark.parametrize("kind, pattern", [("int8", "b"), ("uint8", "B"), ("binary", "b"), ("ubinary", "B")])
def test_cohere_types_over_http(post, kind, pattern):
    status, _, value = post("/v2/embed", {"texts": TEXTS, "input_type": "search_document", "embedding_types": [kind]})
    rows = value["embeddings"][kind]
    assert status == 200 and len(rows) == len(TEXTS)
    for row in rows:
        struct.pack(f"{len(row)}{pattern}", *row)  # raises for a value out of the type's range
    if kind.endswith("binary"):
        assert rows == q3process.binary(TEXTS, kind)


def test_openapi_names_every_route(server, post):
    status, headers, body = server.get("/openapi.json")
    document = json.loads(body)
    assert status == 200 and document["openapi"].startswith("3.")
    for path, operations in document["paths"].items():
        if "{" in path:
            continue
        for method in operations:
            received, _, answer = server.request(
                method.upper(),
                path,
                b"{}" if method == "post" else None,
                {"Content-Type": "application/json", **server.authorization},
            )
            if b"this server has no index" in answer:
                continue
            assert received not in (404, 405, 500, 501), (method, path, received)
    for path in ["/v1/embeddings", "/embed", "/rerank", "/v2/rerank", "/v2/embed", "/api/embed", "/score", "/tokenize"]:
        assert "post" in document["paths"][path]


@pytest.mark.parametrize("path", ["/docs", "/ui"])
def test_pages_load_nothing_from_elsewhere(server, path):
    status, headers, body = server.get(path)
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert b'src="http' not in body and b'href="http' not in body and b"@import" not in body


def test_bits_of_base64(post, vectors):
    value = post("/v1/embeddings", {"input": TEXTS, "encoding_format": "base64"})[2]
    for item, vector in zip(value["data"], vectors, strict=True):
        assert base64.b64decode(item["embedding"]) == struct.pack(f"<{len(vector)}f", *vector)
        assert all(math.isfinite(number) for number in vector)
