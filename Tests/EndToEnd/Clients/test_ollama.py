"""The ollama package."""

import ollama
import pytest

import q3process
from conftest import KEY, TEXTS

pytestmark = pytest.mark.client("ollama")


@pytest.fixture(scope="module")
def client(url):
    return ollama.Client(host=url, headers={"Authorization": f"Bearer {KEY}"})


def test_embed_a_string(client, embedder, vectors):
    answer = client.embed(model=embedder, input=TEXTS[0])
    assert q3process.float32(answer.embeddings) == vectors[:1]
    assert answer.model == embedder and answer.total_duration > 0
    assert answer.prompt_eval_count == q3process.token_counts(TEXTS[:1])[0]


def test_embed_a_list_with_options(client, embedder, vectors):
    answer = client.embed(
        model=embedder, input=TEXTS, truncate=True, keep_alive="5m", options={"num_ctx": 2048, "temperature": None}
    )
    assert q3process.float32(answer.embeddings) == vectors


def test_embed_with_dimensions(client, embedder):
    answer = client.embed(model=embedder, input=TEXTS, dimensions=32)
    assert q3process.float32(answer.embeddings) == q3process.embed(TEXTS, "--dimensions", "32")


def test_embed_nothing(client, embedder):
    assert client.embed(model=embedder, input="").embeddings == []
    assert client.embed(model=embedder, input=[]).embeddings == []


def test_embeddings(client, embedder, vectors):
    assert q3process.float32(client.embeddings(model=embedder, prompt=TEXTS[0]).embedding) == vectors[0]


def test_latest_is_the_model(client, embedder, vectors):
    answer = client.embed(model=embedder + ":latest", input=TEXTS[0])
    assert q3process.float32(answer.embeddings) == vectors[:1] and answer.model == embedder + ":latest"


def test_list(client, embedder, reranker):
    models = {model.model.removesuffix(":latest"): model for model in client.list().models}
    assert {embedder, reranker} <= set(models)
    assert models[embedder].size == q3process.EMBEDDER.stat().st_size
    assert models[embedder].details.format == "gguf" and models[embedder].details.quantization_level == "Q8_0"


def test_show(client, embedder):
    shown = client.show(embedder)
    assert shown.modelinfo["general.architecture"] == "qwen3"
    assert shown.modelinfo["qwen3.embedding_length"] == 64
    assert "embedding" in shown.capabilities


def test_ps(client, embedder):
    assert embedder in {model.model.removesuffix(":latest") for model in client.ps().models}


def test_unknown_model_is_an_error_where_names_are_strict(embedder):
    with q3process.Server("--strict-model") as server:
        client = ollama.Client(host=server.url)
        for call in [client.show, lambda name: client.embed(model=name, input="x")]:
            with pytest.raises(ollama.ResponseError) as raised:
                call("no-such-model")
            assert raised.value.status_code == 404 and "no-such-model" in raised.value.error
        assert client.show(embedder).modelinfo


def test_error_is_a_string(client, embedder):
    with pytest.raises(ollama.ResponseError) as raised:
        client.embed(model=embedder, input="word " * 40_000, truncate=False)
    assert raised.value.status_code == 400 and not raised.value.error.startswith("{")


def test_token_ids_are_refused(post, embedder):
    status, _, body = post("/api/embed", {"model": embedder, "input": [1, 2]})
    assert status == 400 and isinstance(body["error"], str)


def test_version(server):
    import json

    assert json.loads(server.get("/api/version", server.authorization)[2])["version"].count(".") == 2


def test_root_says_that_it_runs(server):
    assert b"running" in server.get("/")[2]
    assert server.request("HEAD", "/")[0] == 200
    assert server.request("HEAD", "/api/tags", headers=server.authorization)[0] == 200
