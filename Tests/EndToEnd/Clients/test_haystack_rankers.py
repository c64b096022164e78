"""Haystack's integrations of Cohere and Jina."""

import pytest
from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.embedders.cohere import CohereDocumentEmbedder, CohereTextEmbedder
from haystack_integrations.components.embedders.jina import JinaTextEmbedder
from haystack_integrations.components.rankers.cohere import CohereRanker
from haystack_integrations.components.rankers.jina import JinaRanker

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

TOKEN = Secret.from_token(KEY)


def found(answer):
    return [(DOCUMENTS.index(document.content), q3process.float32(document.score)) for document in answer["documents"]]


@pytest.mark.client("cohere-haystack")
def test_cohere_ranker(url, reranker, ranking):
    client = CohereRanker(model=reranker, api_key=TOKEN, api_base_url=url)
    assert found(client.run(query=QUERY, documents=[Document(content=text) for text in DOCUMENTS])) == ranking


@pytest.mark.client("cohere-haystack")
def test_cohere_embedders(url, embedder, vectors, query_vector):
    query = CohereTextEmbedder(api_key=TOKEN, model=embedder, api_base_url=url)
    assert q3process.float32(query.run(text=QUERY)["embedding"]) == query_vector
    client = CohereDocumentEmbedder(api_key=TOKEN, model=embedder, api_base_url=url, progress_bar=False)
    documents = client.run(documents=[Document(content=text) for text in TEXTS])["documents"]
    assert q3process.float32([document.embedding for document in documents]) == vectors


@pytest.mark.client("jina-haystack")
def test_jina_ranker(url, reranker, ranking):
    client = JinaRanker(model=reranker, api_key=TOKEN, base_url=url + "/v1/rerank")
    assert found(client.run(query=QUERY, documents=[Document(content=text) for text in DOCUMENTS])) == ranking


@pytest.mark.client("jina-haystack")
def test_jina_text_embedder(url, embedder, vectors):
    client = JinaTextEmbedder(api_key=TOKEN, model=embedder, base_url=url + "/v1/embeddings", task="retrieval.passage")
    assert q3process.float32(client.run(text=TEXTS[0])["embedding"]) == vectors[0]
