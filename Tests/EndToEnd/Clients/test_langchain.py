"""LangChain's packages for OpenAI, Ollama, Infinity and Jina."""

import pytest
import tiktoken
from langchain_community.document_compressors import JinaRerank
from langchain_community.document_compressors.infinity_rerank import InfinityRerank
from langchain_community.embeddings import InfinityEmbeddings, JinaEmbeddings
from langchain_core.documents import Document
from langchain_ollama import OllamaEmbeddings
from langchain_openai import OpenAIEmbeddings

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

community = pytest.mark.client("langchain-community")


def openai_embeddings(url, model, **options):
    return OpenAIEmbeddings(base_url=url + "/v1", api_key=KEY, model=model, **options)


@pytest.mark.client("langchain-openai")
def test_openai_embeddings(url, embedder, vectors):
    client = openai_embeddings(url, embedder, check_embedding_ctx_length=False)
    assert q3process.float32(client.embed_documents(TEXTS)) == vectors
    assert q3process.float32(client.embed_query(TEXTS[0])) == vectors[0]


@pytest.mark.client("langchain-openai")
def test_openai_embeddings_thousand_documents_in_one_request(url, embedder):
    texts = [f"document {index} of a thousand" for index in range(1000)]
    client = openai_embeddings(url, embedder, check_embedding_ctx_length=False, chunk_size=1000)
    assert q3process.float32(client.embed_documents(texts)) == q3process.embed(texts)


@pytest.mark.client("langchain-openai")
def test_openai_embeddings_with_dimensions_and_prompt(url, embedder):
    client = openai_embeddings(
        url,
        embedder,
        check_embedding_ctx_length=False,
        dimensions=32,
        model_kwargs={"extra_body": {"prompt_name": "query"}},
    )
    assert q3process.float32(client.embed_query(QUERY)) == q3process.embed([QUERY], "--query", "--dimensions", "32")[0]


@pytest.mark.client("langchain-openai")
def test_openai_embeddings_default_mode_sends_ids_of_another_vocabulary(url, embedder, monkeypatch):
    # LangChain tokenizes with cl100k_base, which needs a network: an encoding with ids as large stands in for it.
    encoding = tiktoken.Encoding(
        "large-ids",
        pat_str=r"(?s).",
        special_tokens={},
        mergeable_ranks={bytes([byte]): 100_000 + byte for byte in range(256)},
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: encoding)
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda name: encoding)
    with pytest.raises(Exception) as raised:
        openai_embeddings(url, embedder).embed_documents(TEXTS)
    assert raised.value.status_code == 400 and "100084" in str(raised.value)  # "T" of the first text
    client = openai_embeddings(url, embedder, check_embedding_ctx_length=False)
    assert q3process.float32(client.embed_query("x")) == q3process.embed(["x"])[0]


@pytest.mark.client("langchain-ollama")
def test_ollama_embeddings(url, embedder, vectors):
    client = OllamaEmbeddings(
        base_url=url, model=embedder, client_kwargs={"headers": {"Authorization": f"Bearer {KEY}"}}
    )
    assert q3process.float32(client.embed_documents(TEXTS)) == vectors
    assert q3process.float32(client.embed_query(TEXTS[1])) == vectors[1]


@community
@pytest.mark.parametrize("path", ["", "/v1"])
def test_infinity_embeddings(path, embedder, vectors):
    # This client gives no key.
    with q3process.Server() as server:
        client = InfinityEmbeddings(model=embedder, infinity_api_url=server.url + path)
        assert q3process.float32(client.embed_documents(TEXTS)) == vectors
        assert q3process.float32(client.embed_query(TEXTS[0])) == vectors[0]


@community
def test_infinity_rerank(url, server, reranker, ranking):
    from infinity_client import Client

    client = Client(base_url=url, headers=server.authorization)
    compressor = InfinityRerank(client=client, model=reranker, top_n=len(DOCUMENTS))
    found = compressor.compress_documents([Document(page_content=text) for text in DOCUMENTS], QUERY)
    assert [document.page_content for document in found] == [DOCUMENTS[index] for index, _ in ranking]
    assert q3process.float32([document.metadata["relevance_score"] for document in found]) == [s for _, s in ranking]


@community
def test_jina_embeddings(url, embedder, vectors, monkeypatch):
    monkeypatch.setattr("langchain_community.embeddings.jina.JINA_API_URL", url + "/v1/embeddings")
    client = JinaEmbeddings(jina_api_key=KEY, model_name=embedder)
    assert q3process.float32(client.embed_documents(TEXTS)) == vectors
    assert q3process.float32(client.embed_query(TEXTS[0])) == vectors[0]


@community
def test_jina_rerank(url, reranker, ranking, monkeypatch):
    monkeypatch.setattr("langchain_community.document_compressors.jina_rerank.JINA_API_URL", url + "/v1/rerank")
    compressor = JinaRerank(jina_api_key=KEY, model=reranker, top_n=3)
    found = compressor.compress_documents([Document(page_content=text) for text in DOCUMENTS], QUERY)
    assert [document.page_content for document in found] == [DOCUMENTS[index] for index, _ in ranking[:3]]
    assert q3process.float32([document.metadata["relevance_score"] for document in found]) == [
        score for _, score in ranking[:3]
    ]
