"""What LangChain and LlamaIndex build on the cohere package, and LangChain on huggingface_hub."""

import huggingface_hub
import pytest
from langchain_cohere import CohereEmbeddings, CohereRerank
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEndpointEmbeddings
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.embeddings.cohere import CohereEmbedding
from llama_index.postprocessor.cohere_rerank import CohereRerank as LlamaIndexCohereRerank

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS


@pytest.mark.client("langchain-cohere")
def test_langchain_cohere_rerank(url, reranker, ranking):
    client = CohereRerank(cohere_api_key=KEY, base_url=url, model=reranker, top_n=3)
    found = client.compress_documents([Document(page_content=text) for text in DOCUMENTS], QUERY)
    assert [document.page_content for document in found] == [DOCUMENTS[index] for index, _ in ranking[:3]]
    assert q3process.float32([document.metadata["relevance_score"] for document in found]) == [
        score for _, score in ranking[:3]
    ]


@pytest.mark.client("langchain-cohere")
def test_langchain_cohere_embeddings(url, embedder, vectors, query_vector):
    client = CohereEmbeddings(cohere_api_key=KEY, base_url=url, model=embedder)
    assert q3process.float32(client.embed_documents(TEXTS)) == vectors
    assert q3process.float32(client.embed_query(QUERY)) == query_vector


@pytest.mark.client("llama-index-postprocessor-cohere-rerank")
def test_llama_index_cohere_rerank(url, reranker, ranking):
    client = LlamaIndexCohereRerank(top_n=2, model=reranker, api_key=KEY, base_url=url)
    nodes = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in DOCUMENTS]
    found = client.postprocess_nodes(nodes, QueryBundle(QUERY))
    assert [(DOCUMENTS.index(node.text), q3process.float32(node.score)) for node in found] == ranking[:2]


@pytest.mark.client("llama-index-embeddings-cohere")
def test_llama_index_cohere_embeddings(url, embedder, vectors, query_vector):
    # Only models of Cohere's own names get an `input_type` from this client.
    client = CohereEmbedding(api_key=KEY, base_url=url, model_name="embed-multilingual-v3.0", embedding_type="float")
    assert q3process.float32(client.get_text_embedding_batch(TEXTS)) == vectors
    assert q3process.float32(client.get_query_embedding(QUERY)) == query_vector


@pytest.mark.client("langchain-huggingface")
def test_langchain_huggingface_endpoint_embeddings(url, vectors):
    # The class takes no URL but a client.
    client = HuggingFaceEndpointEmbeddings(model="Qwen/Qwen3-Embedding-0.6B", huggingfacehub_api_token=KEY)
    client.client = huggingface_hub.InferenceClient(model=url, token=KEY)
    assert q3process.float32(client.embed_documents(TEXTS)) == vectors
    assert q3process.float32(client.embed_query(TEXTS[0])) == vectors[0]
