"""Adapters, with the packages that people have: what they give are the model's own vectors and scores."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import EMBED, RERANK, ROOT, run_python

DOCUMENTS = ["The capital of China is Beijing.", "Gravity pulls bodies together.", "Bread and salt."]
QUERY = "capital of China"


def test_langchain(embedder, reranker):
    pytest.importorskip("langchain_core")
    from langchain_core.documents import Document
    from langchain_core.vectorstores import InMemoryVectorStore
    from q3.integrations.langchain import Q3Embeddings, Q3Reranker

    embeddings = Q3Embeddings(embedder)
    assert embeddings.embed_documents(DOCUMENTS) == embedder.encode_document(DOCUMENTS).tolist()
    assert embeddings.embed_query(QUERY) == embedder.encode_query(QUERY).tolist()
    import asyncio

    assert asyncio.run(embeddings.aembed_query(QUERY)) == embeddings.embed_query(QUERY)
    assert asyncio.run(embeddings.aembed_documents(DOCUMENTS)) == embeddings.embed_documents(DOCUMENTS)
    store = InMemoryVectorStore.from_texts(DOCUMENTS, Q3Embeddings(EMBED))
    best = np.argmax(embedder.similarity(embedder.encode_query(QUERY), embedder.encode_document(DOCUMENTS)))
    assert store.similarity_search(QUERY, k=1)[0].page_content == DOCUMENTS[best]
    kept = Q3Reranker(model=reranker, top_n=2).compress_documents([Document(page_content=d, metadata={"n": i}) for i, d in enumerate(DOCUMENTS)], QUERY)
    assert [(d.metadata["n"], d.metadata["relevance_score"]) for d in kept] == [
        (entry["corpus_id"], float(entry["score"])) for entry in reranker.rank(QUERY, DOCUMENTS, top_k=2)
    ]


def test_llama_index(embedder):
    pytest.importorskip("llama_index.core")
    from q3.integrations.llama_index import Q3Embedding

    model = Q3Embedding(embedder)
    assert model.get_text_embedding_batch(DOCUMENTS) == embedder.encode_document(DOCUMENTS).tolist()
    assert model.get_query_embedding(QUERY) == embedder.encode_query(QUERY).tolist()
    import asyncio

    assert asyncio.run(model.aget_query_embedding(QUERY)) == embedder.encode_query(QUERY).tolist()
    assert asyncio.run(model.aget_text_embedding(QUERY)) == embedder.encode_document(QUERY).tolist()


def test_haystack(embedder, reranker):
    pytest.importorskip("haystack")
    from haystack import Document, Pipeline
    from haystack.components.retrievers import InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from q3.integrations.haystack import Q3DocumentEmbedder, Q3Ranker, Q3TextEmbedder

    documents = Q3DocumentEmbedder(EMBED).run([Document(content=text) for text in DOCUMENTS])["documents"]
    assert [d.embedding for d in documents] == embedder.encode_document(DOCUMENTS).tolist()
    titled = Q3DocumentEmbedder(EMBED, meta_fields_to_embed=["title"]).run([Document(content="b", meta={"title": "a"})])
    assert titled["documents"][0].embedding == embedder.encode_document("a\nb").tolist()
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(documents)
    pipeline = Pipeline()
    pipeline.add_component("embedder", Q3TextEmbedder(EMBED))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store))
    pipeline.add_component("ranker", Q3Ranker(RERANK, top_k=2))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    pipeline.connect("retriever.documents", "ranker.documents")
    found = pipeline.run({"embedder": {"text": QUERY}, "ranker": {"query": QUERY}})["ranker"]["documents"]
    expected = reranker.rank(QUERY, DOCUMENTS, top_k=2)
    assert sorted(d.score for d in found) == sorted(float(entry["score"]) for entry in expected)
    for component in (Q3TextEmbedder(EMBED), Q3DocumentEmbedder(EMBED), Q3Ranker(RERANK)):
        again = type(component).from_dict(component.to_dict())
        assert again.to_dict() == component.to_dict()


def test_chromadb(embedder, tmp_path):
    chromadb = pytest.importorskip("chromadb")
    from q3.integrations.chromadb import Q3EmbeddingFunction

    client = chromadb.PersistentClient(str(tmp_path))
    collection = client.create_collection("texts", embedding_function=Q3EmbeddingFunction(EMBED))
    collection.add(ids=list("abc"), documents=DOCUMENTS)
    expected = embedder.encode_document(DOCUMENTS)
    assert np.array_equal(Q3EmbeddingFunction(EMBED)(DOCUMENTS), expected)
    # Chroma makes vectors of its cosine space unit length once more, which moves some by a bit.
    assert np.allclose(collection.get(include=["embeddings"])["embeddings"], expected, atol=1e-7)
    best = np.argmax(embedder.similarity(embedder.encode_query(QUERY), embedder.encode_document(DOCUMENTS)))
    # The collection opens its function again by the settings that it has stored.
    again = chromadb.PersistentClient(str(tmp_path)).get_collection("texts")
    assert again.query(query_texts=[QUERY], n_results=1)["ids"] == [["abc"[best]]]
    with pytest.raises(ValueError, match="fingerprint"):
        Q3EmbeddingFunction.build_from_config({"model": EMBED, "fingerprint": "0" * 16})


def test_lancedb(embedder, tmp_path):
    lancedb = pytest.importorskip("lancedb")
    from lancedb.embeddings import get_registry
    from lancedb.pydantic import LanceModel, Vector

    import q3.integrations.lancedb  # noqa: F401

    function = get_registry().get("q3").create(name=EMBED)

    class Row(LanceModel):
        text: str = function.SourceField()
        vector: Vector(function.ndims()) = function.VectorField()

    table = lancedb.connect(tmp_path).create_table("texts", schema=Row)
    table.add([{"text": text} for text in DOCUMENTS])
    stored = np.stack(table.to_arrow().column("vector").to_numpy())
    assert np.array_equal(stored.astype(np.float32), embedder.encode_document(DOCUMENTS))
    best = np.argmax(embedder.similarity(embedder.encode_query(QUERY), embedder.encode_document(DOCUMENTS)))
    assert table.search(QUERY).metric("cosine").limit(1).to_list()[0]["text"] == DOCUMENTS[best]


def test_mteb(embedder):
    pytest.importorskip("mteb")
    from mteb.types import PromptType
    from q3.integrations.mteb import Q3Encoder

    class Task:
        name = "Example"
        type = "Retrieval"
        prompt = {"query": "Find dishes"}

    encoder = Q3Encoder(embedder)
    batches = [{"text": DOCUMENTS[:2]}, {"text": DOCUMENTS[2:]}]
    arguments = {"task_metadata": Task, "hf_split": "test", "hf_subset": "default"}
    documents = encoder.encode(batches, prompt_type=PromptType.document, **arguments)
    assert np.array_equal(documents, embedder.encode_document(DOCUMENTS))
    queries = encoder.encode(batches, prompt_type=PromptType.query, **arguments)
    assert np.array_equal(queries, embedder.encode(DOCUMENTS, prompt="Instruct: Find dishes\nQuery:"))


def test_a_whole_task_of_mteb(program, tmp_path):
    """The built-in model on Benchmarks/general: what `q3 eval` finds."""
    mteb = pytest.importorskip("mteb")
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.append(str(ROOT / "Benchmarks"))
    import mteb_q3
    from q3.integrations.mteb import Q3Encoder

    folder = ROOT / "Benchmarks" / "general"
    subprocess.run(
        [program, "eval", "retrieval", folder, "--output", tmp_path / "ours.json"], check=True, stdout=subprocess.DEVNULL)
    ours = json.loads((tmp_path / "ours.json").read_text())["scores"]["test"][0]
    theirs = mteb.evaluate(Q3Encoder(), mteb_q3.beir_task(folder), cache=None).task_results[0].scores["test"][0]
    for score in ("ndcg_at_10", "recall_at_10", "map_at_100", "mrr_at_10"):
        assert abs(ours[score] - theirs[score]) <= 0.6e-5, score
    assert theirs["ndcg_at_10"] > 0.5


def test_bertopic(embedder):
    pytest.importorskip("bertopic")
    from q3.integrations.bertopic import Q3Backend

    assert np.array_equal(Q3Backend(embedder).embed_documents(DOCUMENTS), embedder.encode(DOCUMENTS))
    assert np.array_equal(Q3Backend(EMBED).embed_words(["bread", "salt"]), embedder.encode(["bread", "salt"]))


def test_bertopic_finds_topics():
    """Documents of one subject come together, far more often than by chance."""
    bertopic = pytest.importorskip("bertopic")
    from q3.integrations.bertopic import Q3Backend
    from sklearn.metrics import adjusted_mutual_info_score
    from umap import UMAP

    rows = [json.loads(line) for line in open(ROOT / "Benchmarks" / "general" / "corpus.jsonl")]
    # An answer avoids the words of its question: with both there is something to tell topics by.
    questions = [json.loads(line)["text"] for line in open(ROOT / "Benchmarks" / "general" / "queries.jsonl")]
    documents = [f"{question}? {row['text']}" for question, row in zip(questions, rows)]
    subjects = [row["_id"].rsplit("-", 1)[0] for row in rows]
    reduce = UMAP(n_neighbors=10, n_components=5, min_dist=0.0, metric="cosine", random_state=1)
    model = bertopic.BERTopic(embedding_model=Q3Backend(), umap_model=reduce, min_topic_size=5)
    topics, _ = model.fit_transform(documents)
    assert len(set(topics)) >= 4
    assert adjusted_mutual_info_score(subjects, topics) > 0.15
    similar, _ = model.find_topics("cooking a meal", top_n=1)
    assert similar[0] in topics


def test_llm(embedder, program, tmp_path):
    pytest.importorskip("llm")
    (tmp_path / "mine.gguf").symlink_to(EMBED)
    environment = {"Q3_MODELS": str(tmp_path), "Q3_PROGRAM": program, "LLM_USER_PATH": str(tmp_path)}
    code = """
import json, llm
from llm.plugins import pm
import q3.integrations.llm as plugin
if not any(p is plugin for p in pm.get_plugins()):
    pm.register(plugin)
model = llm.get_embedding_model("q3/mine.gguf")
print(json.dumps([model.embed("a text"), llm.get_embedding_model("q3/mine.gguf-query").embed("a text"), len(llm.get_embedding_model("q3/q3-mini").embed("x"))]))
"""
    done = run_python(code, **environment)
    assert done.returncode == 0, done.stderr
    document, query, size = json.loads(done.stdout)
    assert document == embedder.encode_document("a text").tolist()
    assert query == embedder.encode_query("a text").tolist() and size == 256
