"""litellm with each prefix that can reach q3."""

import litellm
import pytest

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

pytestmark = pytest.mark.client("litellm")


@pytest.mark.parametrize(
    "prefix, path", [("openai", "/v1"), ("hosted_vllm", "/v1"), ("jina_ai", "/v1"), ("infinity", "")]
)
def test_embedding(url, embedder, vectors, prefix, path):
    answer = litellm.embedding(model=f"{prefix}/{embedder}", input=TEXTS, api_base=url + path, api_key=KEY)
    assert q3process.float32([item["embedding"] for item in answer.data]) == vectors
    assert answer.usage.prompt_tokens == sum(q3process.token_counts(TEXTS))


def test_embedding_ollama(embedder, vectors):
    # This prefix gives no key.
    with q3process.Server() as server:
        answer = litellm.embedding(model=f"ollama/{embedder}", input=TEXTS, api_base=server.url)
    assert q3process.float32([item["embedding"] for item in answer.data]) == vectors


def test_embedding_cohere(url, embedder, query_vector):
    answer = litellm.embedding(
        model=f"cohere/{embedder}", input=[QUERY], input_type="search_query", api_base=url + "/v2/embed", api_key=KEY
    )
    assert q3process.float32([item["embedding"] for item in answer.data]) == [query_vector]


def test_embedding_huggingface(url, vectors):
    answer = litellm.embedding(
        model="huggingface/any/model", input=TEXTS, api_base=url, api_key=KEY, input_type="feature-extraction"
    )
    assert q3process.float32([item["embedding"] for item in answer.data]) == vectors


@pytest.mark.parametrize("prefix, path", [("cohere", ""), ("hosted_vllm", ""), ("jina_ai", ""), ("huggingface", "")])
def test_rerank(url, reranker, ranking, prefix, path):
    answer = litellm.rerank(
        model=f"{prefix}/{reranker}", query=QUERY, documents=DOCUMENTS, top_n=2, api_base=url + path, api_key=KEY
    )
    assert [(hit["index"], q3process.float32(hit["relevance_score"])) for hit in answer.results] == ranking[:2]


def test_rerank_infinity(reranker, ranking):
    # The same bytes as hosted_vllm sends, but this prefix wants each `document` to be a string.
    with q3process.Server("--rerank-document-format", "string") as server:
        answer = litellm.rerank(
            model=f"infinity/{reranker}", query=QUERY, documents=DOCUMENTS, top_n=2, api_base=server.url, api_key="any"
        )
    assert [(hit["index"], q3process.float32(hit["relevance_score"])) for hit in answer.results] == ranking[:2]
