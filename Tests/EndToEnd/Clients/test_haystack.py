"""Haystack's embedders for OpenAI."""

import pytest
from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.utils import Secret

import q3process
from conftest import KEY, TEXTS

pytestmark = pytest.mark.client("haystack-ai")


def test_openai_text_embedder(url, embedder, vectors):
    client = OpenAITextEmbedder(api_key=Secret.from_token(KEY), model=embedder, api_base_url=url + "/v1")
    assert q3process.float32(client.run(text=TEXTS[0])["embedding"]) == vectors[0]


def test_openai_document_embedder(url, embedder, vectors):
    client = OpenAIDocumentEmbedder(
        api_key=Secret.from_token(KEY), model=embedder, api_base_url=url + "/v1", progress_bar=False
    )
    documents = client.run(documents=[Document(content=text) for text in TEXTS])["documents"]
    assert q3process.float32([document.embedding for document in documents]) == vectors
