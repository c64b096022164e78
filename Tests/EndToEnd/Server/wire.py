"""Raw sockets to `q3 serve` and what the attacks of hostile.py have in common."""

import atexit
import contextlib
import io
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import time

import q3process
from q3process import Server, float32

LONG = "gravity pulls bodies " * 200  # a text that takes a while
MODEL = ["--model", str(q3process.EMBEDDER)]
BODY = b'{"input":"x"}'


@contextlib.contextmanager
def shared_server():
    """The server of all tests that leave it as it was; each is followed by a look whether it still answers right."""
    if not hasattr(shared_server, "server"):
        shared_server.server = Server().start()
        atexit.register(shared_server.server.stop)
    server = shared_server.server
    yield server
    assert_answers(server)


def assert_answers(server, headers=None):
    assert server.alive(), f"the server ended: {server.log_text()[-2000:]}"
    status, _, value = server.post("/embed", {"inputs": "still here"}, headers)
    assert status == 200 and float32(value) == expected(("still here",)), (status, value)


EXPECTED = {}


def expected(texts):
    """What `q3 embed` prints for a tuple of texts."""
    if texts not in EXPECTED:
        EXPECTED[texts] = q3process.embed(list(texts))
    return EXPECTED[texts]


# MARK: - Raw sockets


def connect(server, receive_buffer=None):
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(20)
    client.connect(("127.0.0.1", server.port))
    return client


def send(client, data):
    """Sends what the server takes; a server that has had enough may close in the middle."""
    try:
        client.sendall(data)
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False


def receive(client, quiet=1.5, limit=30):
    """(bytes, whether the server closed): reads until it closes or says nothing for `quiet` seconds."""
    data, end = b"", time.monotonic() + limit
    while time.monotonic() < end:
        client.settimeout(quiet)
        try:
            piece = client.recv(1 << 16)
        except TimeoutError:
            return data, False
        except ConnectionResetError:
            return data, True
        if not piece:
            return data, True
        data += piece
    return data, False


def talk(server, data, quiet=1.5):
    """Sends bytes on a connection of its own and gives (answers, whether the server closed)."""
    with connect(server) as client:
        send(client, data)
        received, closed = receive(client, quiet)
    return answers(received), closed


def answers(data):
    """(status, headers, body) of each answer in the bytes."""
    stream, found = io.BytesIO(data), []
    while line := stream.readline():
        status = int(line.split()[1])
        headers = {}
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            headers[name.decode().lower()] = value.strip().decode()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(stream.readline() or b"0", 16):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        elif status == 100 or status == 204:
            body = b""
        else:
            body = stream.read(int(headers.get("content-length", 0)))
        found.append((status, headers, body))
    return found


def head(
    path="/v1/embeddings", body=b'{"input":"x"}', host="localhost", method="POST", length=None, extra="", closing=True
):
    """A request; it asks the server to close, so that nobody has to wait for silence."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"] + ["Connection: close"] * closing
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n" + extra.encode() + b"\r\n" + (body or b"")


def chunked(chunks, closing=True):
    return (
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Connection: close\r\n" * closing
        + "Transfer-Encoding: chunked\r\n\r\n"
    ).encode() + chunks


def statuses(found):
    return [status for status, _, _ in found]


def metric(server, name, headers=None):
    """The sum of a metric over its labels."""
    text = server.get("/metrics", headers)[2].decode()
    rows = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, rows))


def eventually(condition, seconds=30, what="the condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {seconds} s")


def ends_with(command, statuses_allowed, environment=None, preexec=None, seconds=30):
    """Runs `q3 serve` that has to refuse to start, and gives what it says."""
    run = subprocess.run(
        [q3process.tool(), "serve", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **(environment or {})},
        preexec_fn=preexec,
    )
    assert run.returncode in statuses_allowed, (run.returncode, run.stderr)
    said = [line for line in run.stderr.splitlines() if line.strip()]
    assert said and any("error" in line.lower() for line in said), run.stderr
    assert "Fatal error" not in run.stderr and "at 0x" not in run.stderr
    return run.stderr


class Table:
    """Collects what is wrong with the rows of a table, so that one failure does not hide the others."""

    def __init__(self):
        self.wrong = []

    def check(self, right, *row):
        if not right:
            self.wrong.append(repr(row)[:600])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.wrong:
            raise AssertionError("\n".join(self.wrong))


def memory(server):
    """Resident bytes of the server."""
    return int(pathlib.Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def busy(server):
    """Seconds of processor time."""
    fields = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def abandoned(server, body):
    """A connection on which a request has been sent and no answer read."""
    client = connect(server)
    send(client, head(path="/embed", body=json.dumps({"inputs": body}).encode()))
    return client


def status_of(server, body, path="/v1/embeddings"):
    return server.post(path, body if isinstance(body, bytes) else json.dumps(body).encode())
