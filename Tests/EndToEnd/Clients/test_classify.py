"""POST /classify in its three forms: the labels and probabilities of `q3 classify predict`, alone and beside other requests."""

import concurrent.futures
import json
import subprocess

import pytest

import q3process
from conftest import TEXTS

pytestmark = pytest.mark.client("HTTP")

LABELS = ["Geography", "science", "Grüße", "science", "Geography\x1b"]


def trained(folder, name, *options, model=q3process.EMBEDDER):
    path, texts = folder / name, folder / "train.jsonl"
    texts.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in zip(TEXTS, LABELS)))
    command = [q3process.tool(), "classify", "train", "-m", model, "-i", texts, "-o", path, *options]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return path


def predicted(head, folder):
    """{label: probability} of each text, as the program prints them."""
    texts = folder / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    command = [q3process.tool(), "classify", "predict", head, "-i", texts, "--all"]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return [json.loads(line)["probabilities"] for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    plain = trained(folder, "plain.json")
    asked = trained(folder, "asked.json", "--instruct", "Sort these", "--dimensions", "32", "--method", "neighbors")
    return {"plain": (plain, predicted(plain, folder)), "other name": (asked, predicted(asked, folder))}


@pytest.fixture(scope="module")
def server(heads):
    options = ["--classifier", str(heads["plain"][0]), "--classifier", f"other name={heads['other name'][0]}"]
    with q3process.Server(*options) as server:
        yield server


def ranked(probabilities):
    return sorted(probabilities.items(), key=lambda item: (-item[1], item[0].encode()))


@pytest.mark.parametrize("name", ["plain", "other name"])
def test_vllm(server, heads, name):
    status, headers, value = server.post("/classify", {"input": TEXTS, "model": name})
    assert status == 200 and value["object"] == "list" and value["model"] == name and "x-compute-tokens" in headers
    expected = heads[name][1]
    labels = sorted(set(LABELS), key=str.encode)
    assert [dict(zip(labels, item["probs"])) for item in value["data"]] == expected
    assert [item["label"] for item in value["data"]] == [ranked(one)[0][0] for one in expected]
    assert [(item["index"], item["num_classes"]) for item in value["data"]] == [(i, 4) for i in range(len(TEXTS))]
    assert value["usage"]["prompt_tokens"] > 0 and value["id"].startswith("classify-")
    # One text, and beside many other requests: the same bits.
    assert server.post("/classify", {"input": TEXTS[1], "model": name})[2]["data"][0]["probs"] == value["data"][1]["probs"]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        others = [pool.submit(server.post, "/v1/embeddings", {"input": TEXTS * 3}) for _ in range(6)]
        mine = [pool.submit(server.post, "/classify", {"input": TEXTS, "model": name}) for _ in range(6)]
        assert all(one.result()[2]["data"] == value["data"] for one in mine)
        assert all(one.result()[0] == 200 for one in others)


def test_tei(server, heads):
    expected = [ranked(one) for one in heads["plain"][1]]
    for path, inputs in [("/classify", TEXTS), ("/predict", [[text] for text in TEXTS])]:
        status, _, value = server.post(path, {"inputs": inputs})
        assert status == 200
        assert [[(item["label"], item["score"]) for item in one] for one in value] == expected
    for path in ("/classify", "/predict"):
        value = server.post(path, {"inputs": TEXTS[2]})[2]
        assert [(item["label"], item["score"]) for item in value] == expected[2]


def test_infinity_form(server, heads):
    value = server.post("/classify", {"input": TEXTS, "raw_scores": False})[2]
    assert value["object"] == "classify"
    assert [[(item["label"], item["score"]) for item in one] for one in value["data"]] == [
        ranked(one) for one in heads["plain"][1]
    ]


def test_huggingface_hub(server, heads):
    hub = pytest.importorskip("huggingface_hub")
    answer = hub.InferenceClient(model=server.url + "/classify").text_classification(TEXTS[0])
    best = ranked(heads["plain"][1][0])[0]
    # The client takes the first element of what it expects to be a list of lists.
    assert (answer.label, answer.score) == best


def test_infinity_client(server, heads):
    pytest.importorskip("infinity_client")
    from infinity_client import Client
    from infinity_client.api.default import classify
    from infinity_client.models import ClassifyInput

    client = Client(base_url=server.url, raise_on_unexpected_status=True)
    answer = classify.sync(client=client, body=ClassifyInput(input_=TEXTS, model="plain", raw_scores=False))
    assert [[(item.label, item.score) for item in one] for one in answer.data] == [ranked(one) for one in heads["plain"][1]]


def test_models_are_listed(server):
    listed = json.loads(server.get("/v1/models")[2])["data"]
    assert [model["id"] for model in listed if model["capabilities"] == ["classify"]] == ["plain", "other name"]


@pytest.mark.parametrize(
    "body, status",
    [
        ({"input": ""}, 400), ({"input": []}, 400), ({"input": 7}, 400), ({}, 400), ({"input": "x", "instruction": "y"}, 400),
        ({"inputs": ""}, 400), ({"inputs": {}}, 422), ({"inputs": "x", "truncation_direction": "up"}, 422),
        ({"inputs": ["x"] * 3000}, 422), ({"input": ["x"] * 3000}, 400),
    ],
)  # fmt: skip
def test_what_is_refused(server, body, status):
    answer = server.post("/classify", body)
    assert answer[0] == status
    assert "error_type" in answer[2] if "inputs" in body else answer[2]["error"]["message"]


def test_without_a_classifier():
    with q3process.Server() as server:
        assert server.post("/classify", {"input": "x"})[0] == 400
        status, _, value = server.post("/classify", {"inputs": "x"})
        assert status == 424 and "--classifier" in value["error"]


def start(*options, models=()):
    """Status and messages of a server that does not start."""
    server = q3process.Server(*map(str, options), models=models).start(wait=False)
    status = server.process.wait(60)
    return status, server.log_text()


def test_a_classifier_brings_its_model(heads):
    with q3process.Server("--classifier", str(heads["plain"][0]), models=()) as server:
        value = server.post("/classify", {"input": TEXTS})[2]
        assert [max(item["probs"]) for item in value["data"]] == [max(one.values()) for one in heads["plain"][1]]
        assert server.post("/v1/embeddings", {"input": "x"})[0] == 200


def test_what_keeps_the_server_from_starting(heads, tmp_path):
    plain = heads["plain"][0]
    status, said = start("--classifier", plain, models=[q3process.FIXTURES / "tiny-embed-F32.gguf"])
    assert status == 65 and "was made for" in said and "tiny-embed-F32" in said
    status, said = start("--classifier", plain, "--classifier", plain, models=[q3process.EMBEDDER])
    assert status == 64 and "named" in said
    (tmp_path / "bad.json").write_text('{"format": "q3-classifier", "version": 1}')
    for path, code, words in [
        (tmp_path / "bad.json", 65, "is damaged"), (tmp_path / "none.json", 66, "none.json"), (__file__, 65, "is not a classifier"),
    ]:  # fmt: skip
        status, said = start("--classifier", path, models=[q3process.EMBEDDER])
        assert status == code and words in said, said
