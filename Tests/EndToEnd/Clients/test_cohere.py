"""The cohere package, versions 5 and 7, with both of its APIs."""

import cohere
import pytest

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

pytestmark = pytest.mark.client("cohere")


@pytest.fixture(scope="module")
def v1(url):
    return cohere.Client(base_url=url, api_key=KEY)


@pytest.fixture(scope="module")
def v2(url):
    return cohere.ClientV2(base_url=url, api_key=KEY)


def hits(answer):
    return [(hit.index, q3process.float32(hit.relevance_score)) for hit in answer.results]


def test_v1_rerank(v1, reranker, ranking):
    assert hits(v1.rerank(model=reranker, query=QUERY, documents=DOCUMENTS)) == ranking


def test_v1_rerank_with_documents(v1, reranker, ranking):
    answer = v1.rerank(
        model=reranker, query=QUERY, documents=[{"text": text} for text in DOCUMENTS], top_n=2, return_documents=True
    )
    assert hits(answer) == ranking[:2]
    assert [hit.document.text for hit in answer.results] == [DOCUMENTS[index] for index, _ in ranking[:2]]


def test_v2_rerank(v2, reranker, ranking):
    answer = v2.rerank(model=reranker, query=QUERY, documents=DOCUMENTS)
    assert hits(answer) == ranking and answer.id


def test_v2_rerank_top_n(v2, reranker, ranking):
    assert hits(v2.rerank(model=reranker, query=QUERY, documents=DOCUMENTS, top_n=1)) == ranking[:1]
    assert hits(v2.rerank(model=reranker, query=QUERY, documents=DOCUMENTS, top_n=1000)) == ranking


def test_v2_rerank_cuts_documents(v2, reranker):
    # As many tokens of a document as Cohere's `max_tokens_per_doc` says; the rest does not count.
    ids = q3process.tokenize([DOCUMENTS[0]])[0]
    cut = DOCUMENTS[0].encode()[: ids["offsets"][4][0]].decode()
    answer = v2.rerank(model=reranker, query=QUERY, documents=[DOCUMENTS[0]], max_tokens_per_doc=4)
    assert hits(answer) == q3process.rerank(QUERY, [cut])


def test_v1_embed(v1, embedder, vectors):
    answer = v1.embed(model=embedder, texts=TEXTS, input_type="search_document")
    assert q3process.float32(answer.embeddings) == vectors
    assert answer.meta.billed_units.input_tokens == sum(q3process.token_counts(TEXTS))


def test_v1_embed_by_type(v1, embedder, vectors):
    answer = v1.embed(model=embedder, texts=TEXTS, input_type="search_document", embedding_types=["float"])
    assert q3process.float32(answer.embeddings.float_) == vectors


def test_v2_embed_documents(v2, embedder, vectors):
    answer = v2.embed(model=embedder, texts=TEXTS, input_type="search_document", embedding_types=["float"])
    assert q3process.float32(answer.embeddings.float_) == vectors
    assert answer.texts == TEXTS


def test_v2_embed_query(v2, embedder, query_vector):
    answer = v2.embed(model=embedder, texts=[QUERY], input_type="search_query", embedding_types=["float"])
    assert q3process.float32(answer.embeddings.float_) == [query_vector]


def test_v2_embed_dimension(v2, embedder):
    answer = v2.embed(
        model=embedder, texts=TEXTS, input_type="search_document", embedding_types=["float"], output_dimension=32
    )
    assert q3process.float32(answer.embeddings.float_) == q3process.embed(TEXTS, "--dimensions", "32")


def test_v2_embed_packed_types(v2, embedder, vectors):
    answer = v2.embed(
        model=embedder,
        texts=TEXTS,
        input_type="search_document",
        embedding_types=["float", "int8", "uint8", "binary", "ubinary"],
    )
    assert q3process.float32(answer.embeddings.float_) == vectors
    assert answer.embeddings.binary == q3process.binary(TEXTS, "binary")
    assert answer.embeddings.ubinary == q3process.binary(TEXTS, "ubinary")
    # One value for each of the vector's, rising with it: a byte is a step of the vector's range.
    for rows in [answer.embeddings.int8, answer.embeddings.uint8]:
        for row, vector in zip(rows, vectors, strict=True):
            ordered = [row[place] for place in sorted(range(len(vector)), key=vector.__getitem__)]
            assert ordered == sorted(ordered) and len(set(row)) > 8


def test_errors(v2, reranker, embedder):
    with pytest.raises(cohere.errors.BadRequestError) as raised:
        v2.rerank(model=reranker, query=QUERY, documents=[])
    assert isinstance(raised.value.body["message"], str) and raised.value.body["message"]
    with pytest.raises(cohere.errors.BadRequestError):
        v2.embed(model=embedder, texts=[""], input_type="search_document", embedding_types=["float"])


def test_wrong_key(url, reranker):
    with pytest.raises(cohere.errors.UnauthorizedError) as raised:
        cohere.ClientV2(base_url=url, api_key="wrong").rerank(model=reranker, query="q", documents=["d"])
    assert isinstance(raised.value.body["message"], str)
