"""The client of Infinity."""

import pytest
from infinity_client import AuthenticatedClient
from infinity_client.api.default import embeddings, rerank
from infinity_client.models import OpenAIEmbeddingInputText, RerankInput

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

pytestmark = pytest.mark.client("infinity-client")


@pytest.fixture(scope="module")
def client(url):
    return AuthenticatedClient(base_url=url, token=KEY, raise_on_unexpected_status=True)


def test_embeddings(client, embedder, vectors):
    # It sends `"dimensions": 0` for all dimensions.
    answer = embeddings.sync(client=client, body=OpenAIEmbeddingInputText(input_=TEXTS, model=embedder))
    assert q3process.float32([item.embedding for item in answer.data]) == vectors
    assert answer.usage.total_tokens == sum(q3process.token_counts(TEXTS))


def test_rerank(client, ranking):
    answer = rerank.sync(client=client, body=RerankInput(query=QUERY, documents=DOCUMENTS, top_n=2))
    assert [(hit.index, q3process.float32(hit.relevance_score)) for hit in answer.results] == ranking[:2]


def test_rerank_raw_scores(client):
    answer = rerank.sync(client=client, body=RerankInput(query=QUERY, documents=DOCUMENTS, raw_scores=True))
    assert [(hit.index, q3process.float32(hit.relevance_score)) for hit in answer.results] == q3process.rerank(
        QUERY, DOCUMENTS, "--raw-scores"
    )


def test_rerank_with_documents_as_strings():
    with q3process.Server("--rerank-document-format", "string") as server:
        client = AuthenticatedClient(base_url=server.url, token="any", raise_on_unexpected_status=True)
        answer = rerank.sync(client=client, body=RerankInput(query=QUERY, documents=DOCUMENTS, return_documents=True))
    assert [hit.document for hit in answer.results] == [DOCUMENTS[hit.index] for hit in answer.results]
