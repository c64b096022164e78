"""The openai package, versions 2 and 3."""

import base64
import struct

import numpy
import openai
import pytest

import q3process
from conftest import KEY, QUERY, TEXTS

pytestmark = pytest.mark.client("openai")


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=url + "/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        yield client


def embeddings(answer):
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    return q3process.float32([item.embedding for item in answer.data])


def test_embeddings_of_a_string(client, embedder, vectors):
    answer = client.embeddings.create(model=embedder, input=TEXTS[0])
    assert embeddings(answer) == vectors[:1]
    assert answer.model == embedder
    assert answer.object == "list" and answer.data[0].object == "embedding"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == q3process.token_counts(TEXTS[:1])[0]


def test_embeddings_of_a_list(client, embedder, vectors):
    answer = client.embeddings.create(model=embedder, input=TEXTS)
    assert embeddings(answer) == vectors
    assert answer.usage.total_tokens == sum(q3process.token_counts(TEXTS))


def test_embeddings_as_float_equal_base64(client, embedder, vectors):
    answer = client.embeddings.create(model=embedder, input=TEXTS, encoding_format="float")
    assert embeddings(answer) == vectors


def test_embeddings_raw_base64(client, embedder, vectors):
    raw = client.embeddings.with_raw_response.create(model=embedder, input=TEXTS[0], encoding_format="base64")
    encoded = raw.http_response.json()["data"][0]["embedding"]
    data = base64.b64decode(encoded, validate=True)
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == vectors[0]


def test_embeddings_of_token_ids(client, embedder, vectors):
    ids = q3process.tokenize(TEXTS[:1])[0]["ids"]
    assert embeddings(client.embeddings.create(model=embedder, input=ids)) == vectors[:1]


def test_embeddings_of_lists_of_token_ids(client, embedder, vectors):
    ids = [record["ids"] for record in q3process.tokenize(TEXTS)]
    answer = client.embeddings.create(model=embedder, input=ids)
    assert embeddings(answer) == vectors
    assert answer.usage.total_tokens == sum(q3process.token_counts(TEXTS))


def test_token_ids_of_another_vocabulary_are_refused(client, embedder):
    # LangChain sends cl100k_base ids by default.
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=embedder, input=[[9906, 100_256], [99_999]])
    assert "9906" in raised.value.message


def test_embeddings_with_dimensions(client, embedder):
    expected = q3process.embed(TEXTS, "--dimensions", "32")
    answer = client.embeddings.create(model=embedder, input=TEXTS, dimensions=32)
    assert embeddings(answer) == expected
    assert numpy.linalg.norm(answer.data[0].embedding) == pytest.approx(1, abs=1e-6)


def test_embeddings_with_prompt_name(client, embedder, query_vector):
    answer = client.embeddings.create(model=embedder, input=QUERY, extra_body={"prompt_name": "query"})
    assert embeddings(answer) == [query_vector]


def test_embeddings_with_input_type(client, embedder, query_vector):
    answer = client.embeddings.create(model=embedder, input=QUERY, extra_body={"input_type": "search_query"})
    assert embeddings(answer) == [query_vector]


def test_embeddings_with_instruction(client, embedder):
    task = "Given a question about code, retrieve code that answers it"
    answer = client.embeddings.create(model=embedder, input=QUERY, extra_body={"instruction": task})
    assert embeddings(answer) == q3process.embed([QUERY], "--instruct", task)


def test_user_and_unknown_fields_are_ignored(client, embedder, vectors):
    answer = client.embeddings.create(
        model=embedder,
        input=TEXTS[0],
        user="someone",
        extra_body={"no_such_field": [1, {}], "dimensions": None, "truncate": None},
    )
    assert embeddings(answer) == vectors[:1]


def test_thousand_texts_in_one_request(client, embedder):
    texts = [f"text {index} of a thousand" for index in range(1000)]
    assert embeddings(client.embeddings.create(model=embedder, input=texts)) == q3process.embed(texts)


def test_models_list(client, embedder, reranker):
    listed = client.models.list().data
    assert {embedder, reranker} <= {model.id for model in listed}
    assert all(model.object == "model" and isinstance(model.created, int) for model in listed)


def test_models_retrieve(client, embedder):
    assert client.models.retrieve(embedder).id == embedder


def test_models_retrieve_an_unknown_one(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("no/such model")
    assert raised.value.body["code"] == "model_not_found"


def test_request_id(client, embedder):
    first = client.embeddings.create(model=embedder, input="x")
    second = client.embeddings.create(model=embedder, input="x")
    assert first._request_id and second._request_id and first._request_id != second._request_id


@pytest.mark.parametrize(
    "arguments, param",
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [["a"]]}, "input[0]"),
        ({"input": "x", "dimensions": -1}, "dimensions"),
        ({"input": "x", "dimensions": 10_000}, "dimensions"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": [3, -1]}, "input"),
    ],
)
def test_bad_request(client, embedder, arguments, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=embedder, **arguments)
    assert raised.value.body["message"] and raised.value.body["type"] == "invalid_request_error"
    assert (raised.value.body["param"] or "").startswith(param)


def test_too_many_texts(client, embedder):
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=embedder, input=["x"] * 2049)
    assert "2048" in raised.value.message


def test_wrong_key(url, embedder):
    with openai.OpenAI(base_url=url + "/v1", api_key=KEY + "x", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.embeddings.create(model=embedder, input="x")


@pytest.mark.parametrize("path", ["", "/v1"])
def test_base_url_without_and_with_version(url, embedder, vectors, path):
    with openai.OpenAI(base_url=url + path, api_key=KEY) as client:
        assert embeddings(client.embeddings.create(model=embedder, input=TEXTS)) == vectors


def test_streams_of_async_requests(url, embedder, vectors):
    import asyncio

    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key=KEY) as client:
            return await asyncio.gather(
                *(client.embeddings.create(model=embedder, input=TEXTS[index % len(TEXTS)]) for index in range(64))
            )

    for index, answer in enumerate(asyncio.run(all_at_once())):
        assert embeddings(answer) == [vectors[index % len(TEXTS)]]


def test_overload_is_retried_after_the_time_the_server_says(embedder):
    # One request at a time is let in: of many sent at once some hear 429 with Retry-After, and the client's own
    # retries bring every one of them home.
    import concurrent.futures

    texts = [f"{index} " + "overload " * 400 for index in range(8)]
    expected = q3process.embed(texts)
    with q3process.Server("--max-concurrent-requests", "1") as server:
        statuses = []

        with (
            openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=50) as client,
            concurrent.futures.ThreadPoolExecutor(8) as pool,
        ):
            client._client.event_hooks["response"].append(
                lambda response: statuses.append((response.status_code, response.headers.get("retry-after")))
            )
            answers = list(pool.map(lambda text: client.embeddings.create(model=embedder, input=text), texts))
        assert [embeddings(answer)[0] for answer in answers] == expected
        refused = [after for status, after in statuses if status == 429]
        assert refused and all(int(after) >= 1 for after in refused)
        with (
            openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0) as client,
            concurrent.futures.ThreadPoolExecutor(8) as pool,
        ):
            outcomes = [pool.submit(client.embeddings.create, model=embedder, input=text) for text in texts * 4]
            failures = [outcome.exception() for outcome in outcomes if outcome.exception()]
        assert failures and all(isinstance(failure, openai.RateLimitError) for failure in failures)
