"""q3 as the tests of the server use it: what the command line computes, and a server that is started and stopped.

Only the standard library. The binary is the one that Q3 names, or the package's release build.
"""

import functools
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "Tests" / "Fixtures"
EMBEDDER = FIXTURES / "tiny-embed-Q8_0.gguf"
RERANKER = FIXTURES / "tiny-causal-Q8_0.gguf"


@functools.cache
def tool():
    """The path of q3."""
    if "Q3" in os.environ:
        path = pathlib.Path(os.environ["Q3"]).resolve()
    else:
        shown = subprocess.run(
            ["swift", "build", "-c", "release", "--show-bin-path"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        path = pathlib.Path(shown.stdout.strip()) / "q3"
    if not os.access(path, os.X_OK):
        raise SystemExit(f"error: {path} cannot be run; `make build` first, or set Q3 to the path of q3")
    return str(path)


def float32(values):
    """The values rounded to float32, in a nested list of any depth: JSON numbers of one float32 become equal."""
    if isinstance(values, (list, tuple)):
        return [float32(value) for value in values]
    return struct.unpack("<f", struct.pack("<f", values))[0]


def _records(command, lines, options):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
        file.flush()
        run = subprocess.run(
            [tool(), command, *options, "--strict", "--format", "jsonl", "--input", file.name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return [json.loads(line) for line in run.stdout.splitlines()]


def embed(texts, *options, model=EMBEDDER):
    """What `q3 embed` prints for the texts: a vector each, rounded to float32."""
    records = _records("embed", [{"text": text} for text in texts], ["--model", str(model), *options])
    return float32([record["embedding"] for record in records])


def binary(texts, kind, model=EMBEDDER):
    """What `q3 embed --type binary` or `ubinary` prints: bytes of eight signs each."""
    return [
        record["embedding"]
        for record in _records("embed", [{"text": text} for text in texts], ["--model", str(model), "--type", kind])
    ]


def token_counts(texts, *options, model=EMBEDDER):
    """How many tokens `q3 embed` counts in each text."""
    return [
        record["tokens"]
        for record in _records("embed", [{"text": text} for text in texts], ["--model", str(model), *options])
    ]


def rerank(query, documents, *options, model=RERANKER):
    """What `q3 rerank` prints: (index, score) pairs, best first."""
    records = _records(
        "rerank", [{"text": text} for text in documents], ["--model", str(model), "--query", query, *options]
    )
    return [(record["index"], float32(record["score"])) for record in records]


def scores(query, documents, *options, model=RERANKER):
    """The scores of `q3 rerank` in the order of the documents."""
    return [score for _, score in sorted(rerank(query, documents, *options, model=model))]


def tokenize(texts, model=EMBEDDER):
    """What `q3 tokenize` prints: {"ids", "pieces", "offsets"} for each text."""
    return _records("tokenize", [{"text": text} for text in texts], ["--model", str(model)])


def free_port():
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ids_by_capability(listed):
    """{"embed": id, "rerank": id} from the body of GET /v1/models."""
    return {capability: model["id"] for model in json.loads(listed)["data"] for capability in model["capabilities"]}


class Server:
    """`q3 serve` on a free port, ready when the block begins, stopped when it ends.

    with Server() as server:
        status, headers, body = server.post("/v1/embeddings", {"input": "text"})
    """

    def __init__(self, *options, models=(EMBEDDER, RERANKER), environment=None, preexec=None, port=None, log=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        named = [word for model in models for word in ("--model", str(model))]
        self.command = [tool(), "serve", *named, "--port", str(self.port), *options]
        self.environment = {**os.environ, **(environment or {})}
        self.preexec = preexec
        self.log = log or tempfile.NamedTemporaryFile("w+", prefix="q3-serve-", suffix=".log")
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def start(self, wait=True):
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=self.environment,
            preexec_fn=self.preexec,
        )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"q3 serve ended with status {self.process.returncode}: {self.log_text()}")
            try:
                if self.get("/ready", timeout=2)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"q3 serve was not ready after {seconds} s: {self.log_text()}")

    def stop(self, seconds=30):
        """Sends SIGTERM and gives the exit status; a server that does not end is killed and -9 comes back."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self.process.poll() is None

    def log_text(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers by lower-case name, body bytes) of one request on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path, headers=None, timeout=60):
        return self.request("GET", path, None, headers, timeout)

    def post(self, path, value, headers=None, timeout=60):
        """Posts a value as JSON (bytes as they are) and reads JSON back: (status, headers, value)."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, received, body = self.request(
            "POST", path, data, {"Content-Type": "application/json", **(headers or {})}, timeout
        )
        try:
            return status, received, json.loads(body)
        except ValueError:
            return status, received, body
