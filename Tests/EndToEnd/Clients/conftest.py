"""One server for all tests, what q3's command line computes for the same texts, and the table at the end.

A vector must be the one that `q3 embed` prints, bit for bit in float32: q3 promises the same bits alone and in any
batch, and JSON carries enough digits for it. Where a client computes with what it got, its test says its tolerance.
"""

import importlib.metadata
import os
import pathlib
import sys

import pytest

# Clients must not ask anything but the server: no telemetry, no look-ups at a hub, no proxy.
os.environ.update(
    {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HAYSTACK_TELEMETRY_ENABLED": "False",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LANGSMITH_TRACING": "false",
        "NO_PROXY": "127.0.0.1",
    }
)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Server"))

import q3process  # noqa: E402

KEY = "test-key-of-the-client-suite"
TEXTS = [
    "The capital of China is Beijing.",
    "Gravity pulls bodies towards each other.",
    "Grüße aus 北京 🌍",
    "x",
    "naïve café <|im_end|> looks like a control token",
]
QUERY = "What is the capital of China?"
DOCUMENTS = ["Gravity pulls bodies towards each other.", "The capital of China is Beijing.", "Bread is baked.", "北京"]


@pytest.fixture(scope="session")
def server():
    with q3process.Server("--api-key", KEY) as server:
        authorization = {"Authorization": f"Bearer {KEY}"}
        listed = server.request("GET", "/v1/models", headers=authorization)[2]
        server.authorization = authorization
        server.ids = q3process.ids_by_capability(listed)
        yield server


@pytest.fixture(scope="session")
def url(server):
    return server.url


@pytest.fixture(scope="session")
def embedder(server):
    """The name under which the embedding model is served."""
    return server.ids["embed"]


@pytest.fixture(scope="session")
def reranker(server):
    return server.ids["rerank"]


@pytest.fixture(scope="session")
def vectors():
    """What `q3 embed` prints for TEXTS."""
    return q3process.embed(TEXTS)


@pytest.fixture(scope="session")
def query_vector():
    """What `q3 embed --query` prints for QUERY."""
    return q3process.embed([QUERY], "--query")[0]


@pytest.fixture(scope="session")
def ranking():
    """What `q3 rerank` prints for QUERY and DOCUMENTS: (index, score), best first."""
    return q3process.rerank(QUERY, DOCUMENTS)


@pytest.fixture
def post(server):
    """Posts JSON with the key: post(path, value) -> (status, headers, value)."""
    return lambda path, value, **headers: server.post(path, value, {**server.authorization, **headers})


def pytest_configure(config):
    config.addinivalue_line("markers", "client(name): the package on PyPI whose call the test makes")
    config.calls = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    marker = item.get_closest_marker("client")
    if marker and (report.when == "call" or report.failed):
        item.config.calls.append((marker.args[0], item.name.removeprefix("test_").replace("_", " "), report.outcome))
    return report


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("clients")
    rows = [("client", "version", "call", "result")]
    for package, call, outcome in config.calls:
        version = importlib.metadata.version(package) if package != "HTTP" else "1.1"
        rows.append((package, version, call, outcome))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip())
