"""huggingface_hub's InferenceClient, versions 1 and 2: it posts to `/` whatever the task."""

import huggingface_hub
import numpy
import pytest

import q3process
from conftest import KEY, QUERY, TEXTS

pytestmark = pytest.mark.client("huggingface_hub")


@pytest.fixture(scope="module", params=["", "/v1", "/embed"])
def client(url, request):
    return huggingface_hub.InferenceClient(model=url + request.param, token=KEY)


@pytest.fixture(scope="module")
def root(url):
    return huggingface_hub.InferenceClient(model=url, token=KEY)


def test_feature_extraction(client, vectors):
    assert q3process.float32(client.feature_extraction(TEXTS[0]).tolist()) == vectors[:1]
    assert q3process.float32(client.feature_extraction(TEXTS).tolist()) == vectors


def test_feature_extraction_with_every_option(root, query_vector):
    answer = root.feature_extraction(
        QUERY, normalize=True, prompt_name="query", truncate=True, truncation_direction="right"
    )
    assert q3process.float32(answer.tolist()) == [query_vector]


def test_feature_extraction_with_dimensions(root):
    import inspect

    if "dimensions" not in inspect.signature(root.feature_extraction).parameters:
        answer = numpy.array(root.feature_extraction(TEXTS))
        assert answer.shape == (len(TEXTS), 64)
        return
    answer = root.feature_extraction(TEXTS, dimensions=32, encoding_format="float")
    assert q3process.float32(answer.tolist()) == q3process.embed(TEXTS, "--dimensions", "32")


def test_sentence_similarity(root, vectors):
    expected = [sum(a * b for a, b in zip(vectors[0], vector)) for vector in vectors[1:]]
    # A sum of 64 products, in any order.
    assert root.sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:]) == pytest.approx(expected, abs=1e-6)


def test_text_classification_on_a_reranker():
    with q3process.Server(models=[q3process.RERANKER]) as server:
        client = huggingface_hub.InferenceClient(model=server.url)
        expected = server.post("/predict", {"inputs": TEXTS[0]})[2]
        answer = client.text_classification(TEXTS[0])
    # The client takes the first element of what it expects to be a list of lists; TEI's list is flat.
    assert len(expected) == 1 and (answer.label, answer.score) == (expected[0]["label"], expected[0]["score"])
    assert 0 < answer.score < 1


def test_error_message(root):
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError) as raised:
        root.feature_extraction("")
    assert raised.value.response.status_code == 400
    assert "empty" in str(raised.value)


def test_wrong_key(url):
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError) as raised:
        huggingface_hub.InferenceClient(model=url, token="wrong").feature_extraction("x")
    assert raised.value.response.status_code == 401
