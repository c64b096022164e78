"""LlamaIndex's packages for Text Embeddings Inference, OpenAI-like servers, Ollama and Jina."""

import asyncio

import pytest
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
from llama_index.postprocessor.jinaai_rerank import JinaRerank
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

import q3process
from conftest import DOCUMENTS, KEY, QUERY, TEXTS

NODES = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in DOCUMENTS]


def found(nodes):
    return [(DOCUMENTS.index(node.text), q3process.float32(node.score)) for node in nodes]


@pytest.mark.client("llama-index-embeddings-text-embeddings-inference")
def test_tei_embeddings(url, vectors):
    client = TextEmbeddingsInference(base_url=url, model_name="any", auth_token=KEY, embed_batch_size=2)
    assert q3process.float32(client.get_text_embedding_batch(TEXTS)) == vectors
    assert q3process.float32(client.get_text_embedding(TEXTS[0])) == vectors[0]
    assert q3process.float32(asyncio.run(client.aget_query_embedding(TEXTS[1]))) == vectors[1]


@pytest.mark.client("llama-index-embeddings-text-embeddings-inference")
def test_tei_embeddings_with_an_instruction_of_its_own(url):
    # The client joins instruction and text with a space, so this is what a user of Qwen3 has to write.
    task = "Instruct: Find the answer\nQuery:"
    client = TextEmbeddingsInference(base_url=url, model_name="any", auth_token=KEY, query_instruction=task)
    assert (
        q3process.float32(client.get_query_embedding(QUERY))
        == q3process.embed([" " + QUERY], "--instruct", "Find the answer")[0]
    )


@pytest.mark.client("llama-index-postprocessor-tei-rerank")
def test_tei_rerank_with_a_bare_token(url, ranking):
    client = TextEmbeddingInference(base_url=url, top_n=3, auth_token=KEY)
    assert found(client.postprocess_nodes(NODES, QueryBundle(QUERY))) == ranking[:3]


@pytest.mark.client("llama-index-embeddings-openai-like")
def test_openai_like_embeddings(url, embedder, vectors):
    client = OpenAILikeEmbedding(model_name=embedder, api_base=url + "/v1", api_key=KEY, embed_batch_size=100)
    assert q3process.float32(client.get_text_embedding_batch(TEXTS)) == vectors
    assert q3process.float32(client.get_query_embedding(TEXTS[0])) == vectors[0]


@pytest.mark.client("llama-index-embeddings-ollama")
def test_ollama_embeddings(url, embedder, vectors):
    client = OllamaEmbedding(
        model_name=embedder, base_url=url, client_kwargs={"headers": {"Authorization": f"Bearer {KEY}"}}
    )
    assert q3process.float32(client.get_text_embedding_batch(TEXTS)) == vectors
    assert q3process.float32(client.get_query_embedding(TEXTS[0])) == vectors[0]


@pytest.mark.client("llama-index-postprocessor-jinaai-rerank")
def test_jina_rerank(url, reranker, ranking):
    client = JinaRerank(top_n=2, model=reranker, base_url=url + "/v1", api_key=KEY)
    assert found(client.postprocess_nodes(NODES, QueryBundle(QUERY))) == ranking[:2]
