#!/usr/bin/env python3
"""What a hostile or broken client, network or host can do to `q3 serve`, over raw sockets and signals, on loopback only.

    python3 Tests/Server/hostile.py [PART OF A NAME ...]        or        pytest Tests/Server/hostile.py

Q3 is the path of q3. Only the standard library; each test has a time limit. Nothing is asserted about speed: waits are
long enough for a busy machine.
"""
import atexit
import base64
import concurrent.futures
import contextlib
import http.client
import io
import itertools
import json
import os
import pathlib
import random
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server, float32  # noqa: E402

KEY = "correct-horse-battery-staple"
LONG = "gravity pulls bodies " * 200  # a text that takes a while


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
        while (line := stream.readline().strip()):
            name, _, value = line.partition(b":")
            headers[name.decode().lower()] = value.strip().decode()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while (size := int(stream.readline() or b"0", 16)):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        elif status == 100 or status == 204:
            body = b""
        else:
            body = stream.read(int(headers.get("content-length", 0)))
        found.append((status, headers, body))
    return found


def head(path="/v1/embeddings", body=b'{"input":"x"}', host="localhost", method="POST", length=None, extra="",
         closing=True):
    """A request; it asks the server to close, so that nobody has to wait for silence."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"] + ["Connection: close"] * closing
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n" + extra.encode() + b"\r\n" + (body or b"")


def chunked(chunks, closing=True):
    return ("POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + "Connection: close\r\n" * closing + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks


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
    run = subprocess.run([q3process.tool(), "serve", *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=seconds, env={**os.environ, **(environment or {})}, preexec_fn=preexec)
    assert run.returncode in statuses_allowed, (run.returncode, run.stderr)
    said = [line for line in run.stderr.splitlines() if line.strip()]
    assert said and any("error" in line.lower() for line in said), run.stderr
    assert "Fatal error" not in run.stderr and "at 0x" not in run.stderr
    return run.stderr


MODEL = ["--model", str(q3process.EMBEDDER)]


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


# MARK: - S01 to S08: who is let in


def test_s01_listens_on_loopback_only():
    with shared_server() as server:
        addresses = []
        for table in ("tcp", "tcp6"):
            for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                if state == "0A" and int(local.rpartition(":")[2], 16) == server.port:
                    addresses.append(local.rpartition(":")[0])
        assert addresses == ["0100007F"], addresses


def test_s01_open_address_needs_a_key():
    port = str(q3process.free_port())
    message = ends_with([*MODEL, "--hostname", "0.0.0.0", "--port", port], {64})
    assert "key" in message
    with Server("--hostname", "127.0.0.1") as server:
        assert_answers(server)


def test_s02_port_in_use_bad_host_bad_port():
    with shared_server() as server:
        message = ends_with([*MODEL, "--port", str(server.port)], {69, 71, 73, 74, 75, 77})
        assert str(server.port) in message
    ends_with([*MODEL, "--hostname", "no.such.host.invalid", "--port", "0", "--api-key", KEY], {64, 68, 69, 71, 74})
    for port in ["-1", "65536", "http"]:
        ends_with([*MODEL, "--port", port], {64})


HOSTS = [("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200), ("localhost:{port}", 200), ("LOCALHOST", 200),
         ("evil.com", 403), ("127.0.0.1.evil.com", 403), ("localhost.evil", 403), ("[::1]x", 403), ("notlocalhost", 403),
         ("evil.com:{port}", 403), ("localhost@evil.com", 403), ("localhost evil.com", 403)]


def test_s03_hosts():
    with shared_server() as server, Table() as table:
        for host, wanted in HOSTS:
            found, _ = talk(server, head(host=host.format(port=server.port)), quiet=5)
            table.check(statuses(found) in ([wanted], [400 if wanted == 403 else wanted]), host, found)


def test_s03_missing_empty_and_second_host():
    with shared_server() as server, Table() as table:
        body = b'{"input":"x"}'
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for hosts in [b"", b"Host:\r\n", b"Host: localhost\r\nHost: localhost\r\n", b"Host: localhost\r\nHost: evil\r\n"]:
            found, _ = talk(server, b"POST /v1/embeddings HTTP/1.1\r\n" + hosts + fields)
            table.check(statuses(found) in ([400], [403]), hosts, found)


def test_s03_absolute_form_with_another_host():
    with shared_server() as server:
        found, _ = talk(server, head(path="http://evil.com/v1/embeddings"))
        assert statuses(found) in ([400], [403], [404]), found
        found, _ = talk(server, head(path="http://localhost/v1/embeddings"), quiet=5)
        assert found[0][0] in (200, 400, 404), found


def test_s03_allowed_host():
    with Server("--allowed-host", "embeddings.example") as server:
        assert statuses(talk(server, head(host="embeddings.example"), quiet=5)[0]) == [200]
        assert statuses(talk(server, head(host="other.example"))[0]) == [403]


def test_s04_origins():
    with shared_server() as server:
        for origin in ["http://evil.com", "null", "http://localhost.evil.com", "http://notlocalhost", "file://",
                       "http://localhost:1", ""]:
            status, headers, _ = server.post("/embed", {"inputs": "x"}, {"Origin": origin})
            assert status == 403 and "access-control-allow-origin" not in headers, (origin, status, headers)
            status, headers, _ = server.request("OPTIONS", "/embed", headers={
                "Origin": origin, "Access-Control-Request-Method": "POST"})
            assert not [name for name in headers if name.startswith("access-control")], (origin, headers)
        own = {"Origin": server.url}
        assert server.post("/embed", {"inputs": "x"}, own)[0] == 200  # the page that the server itself hands out


def test_s04_allowed_origin():
    with Server("--cors-allow-origin", "https://app.example") as server:
        allowed = {"Origin": "https://app.example"}
        status, headers, _ = server.post("/embed", {"inputs": "x"}, allowed)
        assert status == 200 and headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in headers and "origin" in headers["vary"].lower()
        _, headers, _ = server.request("OPTIONS", "/embed", headers={**allowed, "Access-Control-Request-Method": "POST"})
        assert "authorization" in headers["access-control-allow-headers"].lower()
        assert server.post("/embed", {"inputs": "x"}, {"Origin": "https://app.example.evil"})[0] == 403


def test_s05_simple_requests_of_pages_are_refused():
    with shared_server() as server:
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html",
                     "application/jsonx", ""]:
            status, _, body = server.request("POST", "/v1/embeddings", b'{"input":"x"}', {"Content-Type": kind})
            assert status == 415, (kind, status, body)
        for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"]:
            assert server.request("POST", "/v1/embeddings", b'{"input":"x"}', {"Content-Type": kind})[0] == 200


BAD_KEYS = ["", KEY[:-1], KEY + "x", " ", "x" * 10_000, KEY.upper(), "é" * 8, KEY + ", " + KEY]


def test_s06_authentication():
    with Server("--api-key", KEY) as server:
        bodies = set()
        for key in BAD_KEYS:
            found, _ = talk(server, head(extra="Authorization: Bearer " + key + "\r\n"))
            assert statuses(found) in ([401], [431]), (key[:40], found)
            if found[0][0] == 401:
                assert found[0][1]["www-authenticate"].startswith("Bearer")
                bodies.add((found[0][2], found[0][1]["content-length"]))
        found, _ = talk(server, head())
        bodies.add((found[0][2], found[0][1]["content-length"]))
        assert len(bodies) == 1, bodies
        twice = f"Authorization: Bearer {KEY}\r\nAuthorization: Bearer wrong\r\n"
        assert statuses(talk(server, head(extra=twice))[0]) in ([401], [400])
        assert statuses(talk(server, head(extra=f"Authorization: Bearer\x00{KEY}\r\n"))[0]) in ([400], [401])
        for right in [f"Authorization: Bearer {KEY}", f"Authorization: {KEY}", f"X-Api-Key: {KEY}"]:
            assert statuses(talk(server, head(extra=right + "\r\n"), quiet=5)[0]) == [200], right
        assert_answers(server, {"Authorization": f"Bearer {KEY}"})


def test_s07_keys_leak_nowhere():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "key"
        file.write_text(KEY + "\n")
        file.chmod(0o600)
        for options, environment in [(["--api-key", KEY], {}), (["--api-key-file", str(file)], {}), ([], {"API_KEY": KEY})]:
            with Server(*options, environment=environment) as server:
                right = {"Authorization": f"Bearer {KEY}"}
                assert server.post("/embed", {"inputs": "x"})[0] == 401, options
                seen = b"".join([
                    server.request("POST", "/embed", b"{", {**right, "Content-Type": "application/json"})[2],
                    server.request("POST", "/" + KEY, b"{", right)[2], server.get("/metrics", right)[2],
                    server.get("/info", right)[2], server.post("/embed", {"inputs": "x"}, right)[0] == 200 and b""])
                assert KEY.encode() not in seen, options
            assert KEY not in server.log_text(), options
        file.chmod(0o644)
        ends_with([*MODEL, "--port", "0", "--api-key-file", str(file)], {64, 65, 77})
        ends_with([*MODEL, "--port", "0", "--api-key-file", str(file) + "-missing"], {64, 66})


def test_s08_strangers_learn_no_routes():
    with Server("--api-key", KEY) as server:
        for method, path in [("GET", "/v1/models"), ("POST", "/embed"), ("GET", "/no/such/route"), ("DELETE", "/embed"),
                             ("PATCH", "/v1/embeddings"), ("POST", "/v1/chat/completions"), ("GET", "/info")]:
            assert server.request(method, path)[0] == 401, (method, path)
        assert server.get("/health")[0] == 200


# MARK: - S09 to S13: what is no request


def test_s09_headers():
    field = "x-a: 1\r\n"
    cases = {
        "1001 fields": head(extra=field * 1001), "100000 fields": head(extra=field * 100_000),
        "a value of 81 KB": head(extra="x: " + "a" * 81_000 + "\r\n"), "a URI of 1 MB": head(path="/" + "a" * 1_000_000),
        "a name of 81 KB": head(extra="x" * 81_000 + ": 1\r\n"), "100000 trailers": chunked(b"0\r\n" + b"x: 1\r\n" * 100_000 + b"\r\n"),
        "a pseudo header": head(extra=":path: x\r\n"), "a folded line": head(extra="x: 1\r\n  2\r\n"),
        "a bare line feed": b"POST /v1/embeddings HTTP/1.1\nHost: localhost\n\n", "NUL": head(extra="x: a\x00b\r\n"),
        "space before colon": head(extra="Content-Length : 3\r\n"), "no colon": head(extra="nonsense\r\n"),
        "a bare CR": head(extra="x: a\rb\r\n"), "a method of 10 KB": head(method="A" * 10_000),
    }
    with shared_server() as server, Table() as table:
        for name, data in cases.items():
            found, closed = talk(server, data)
            allowed = {400, 401, 404, 405, 408, 413, 414, 431, 501}
            if name in ("1001 fields", "100000 trailers", "a folded line", "a bare line feed", "a bare CR"):
                allowed |= {200, 411, 415}  # either is an exact reading
            table.check(all(status in allowed for status in statuses(found)) and len(found) <= 1, name, found)
            table.check(found or closed, name)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b'{"input":"x"}'


def test_s10_smuggling():
    size = len(BODY)
    two = lambda *fields: (  # noqa: E731
        b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + BODY + SMUGGLED)
    cases = {
        "length and chunks": two(b"Content-Length: %d" % size, b"Transfer-Encoding: chunked"),
        "two lengths": two(b"Content-Length: %d" % size, b"Content-Length: %d" % (size + len(SMUGGLED))),
        "two equal lengths in one": two(b"Content-Length: %d, %d" % (size, size)),
        "length with a sign": two(b"Content-Length: +%d" % size), "negative length": two(b"Content-Length: -1"),
        "length in hex": two(b"Content-Length: 0xd"), "length with an exponent": two(b"Content-Length: 1e1"),
        "length with a space inside": two(b"Content-Length: 1 3"), "length of 2^64": two(b"Content-Length: 18446744073709551616"),
        "chunked, identity": two(b"Transfer-Encoding: chunked, identity"), "xchunked": two(b"Transfer-Encoding: xchunked"),
        "encoding with a tab": two(b"Transfer-Encoding:\tchunked"), "twice chunked": two(b"Transfer-Encoding: chunked, chunked"),
        "chunk of 2^64": chunked(b"10000000000000000\r\n" + BODY + b"\r\n0\r\n\r\n", closing=False),
        "chunk in 0x": chunked(b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "chunk with a sign": chunked(b"+d\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "negative chunk": chunked(b"-1\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "chunk too short": chunked(b"5\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "chunk without CR": chunked(b"d\n" + BODY + b"\n0\n\n" + SMUGGLED, closing=False),
        "HTTP/1.0 with chunks": chunked(b"d\r\n" + BODY + b"\r\n0\r\n\r\n", closing=False).replace(b"HTTP/1.1", b"HTTP/1.0", 1) + SMUGGLED,
    }
    with shared_server() as server, Table() as table:
        for name, data in cases.items():
            found, closed = talk(server, data)
            # Refused and closed, or one reading under which the rest is a request of its own in the open (and then 404).
            refused = closed and all(status >= 400 for status in statuses(found)) and len(found) <= 1
            exact = statuses(found) in ([200], [200, 404], [200, 400]) and not name.startswith(
                ("length and", "two lengths", "length", "negative", "xchunked", "chunked,", "twice", "chunk"))
            table.check(refused or exact, name, closed, found)


def test_s10_chunk_extension_of_a_megabyte():
    with shared_server() as server:
        found, closed = talk(server, chunked(b"d;" + b"a" * 1_000_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"))
        assert statuses(found) in ([], [200], [400], [413], [431]), found
        found, _ = talk(server, chunked(b"d;name=value\r\n" + BODY + b"\r\n0\r\n\r\n"), quiet=5)
        assert statuses(found) == [200]


def test_s10_get_with_a_body_is_one_request():
    with shared_server() as server:
        found, _ = talk(server, head(path="/health", method="GET", body=b"GET /smuggled HTTP/1.1\r\n\r\n", closing=False)
                        + head(path="/health", method="GET", body=None), quiet=3)
        assert statuses(found) in ([200, 200], [400], [200]), found


def test_s11_other_protocols():
    hello = bytes.fromhex("16030100 85 010000 81 0303".replace(" ", "")) + bytes(129)
    generator = random.Random(11)
    for data in [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64), hello, b"SSH-2.0-OpenSSH_9.2\r\n", generator.randbytes(1 << 20),
                 b"\r\n" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"\x00" * 4096]:
        with shared_server() as server, Table() as table:
            found, closed = talk(server, data, quiet=3) if data[:4] != b"\r\n\r\n" else talk(server, data + b"GET\r\n\r\n")
            table.check(not any(status == 200 for status in statuses(found)) or data.startswith(b"GET / "), data[:20], found)
            table.check(closed or found, data[:20])


def test_s12_body_over_the_limit():
    with Server("--payload-limit", "100000") as server:
        big = json.dumps({"input": "x " * 60_000}).encode()
        for data in [head(body=big), chunked(b"%x\r\n" % len(big) + big + b"\r\n0\r\n\r\n")]:
            found, _ = talk(server, data, quiet=5)
            assert statuses(found) == [413], found
        # After 413 the connection does not stay open for the rest of a body that never ends.
        with connect(server) as client:
            send(client, head(body=b"", length=10**9, closing=False))
            sent = 0
            while sent < 256 << 20 and send(client, b"x" * 65536):
                sent += 65536
            assert sent < 64 << 20, "the server kept reading a body that it had refused"
        with connect(server) as client:
            send(client, chunked(b"", closing=False))
            sent = 0
            while sent < 256 << 20 and send(client, b"10000\r\n" + b"x" * 65536 + b"\r\n"):
                sent += 65536
            assert sent < 64 << 20
        at_limit = json.dumps({"input": "x"}).encode()
        at_limit += b" " * (100_000 - len(at_limit))
        assert statuses(talk(server, head(body=at_limit), quiet=5)[0]) == [200]
        assert statuses(talk(server, head(body=at_limit + b" "), quiet=5)[0]) == [413]
        assert_answers(server)


def test_s12_lengths_that_lie():
    with shared_server() as server:
        found, _ = talk(server, head(length=len(BODY) - 1, closing=False) + SMUGGLED)
        assert statuses(found)[0] == 400, found
        with connect(server) as client:  # the rest never comes
            send(client, head(length=len(BODY) + 100))
            client.shutdown(socket.SHUT_WR)
            found = answers(receive(client)[0])
        assert all(status >= 400 for status in statuses(found)), found


def test_s12_compressed_bodies():
    import gzip

    with shared_server() as server:
        bomb = gzip.compress(b'{"input":"' + b"a" * 50_000_000 + b'"}')
        before = memory(server)
        for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip"]:
            status, _, _ = server.request("POST", "/v1/embeddings", bomb, {
                "Content-Type": "application/json", "Content-Encoding": encoding})
            assert status == 415, (encoding, status)
        assert memory(server) < before + 40e6


def memory(server):
    """Resident bytes of the server."""
    return int(pathlib.Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_s13_expect_continue():
    with Server("--payload-limit", "100000") as server:
        for length, wanted in [(10**9, [413]), (None, [100, 200])]:
            with connect(server) as client:
                request = head(length=length, extra="Expect: 100-continue\r\n")
                send(client, request[:-len(BODY)])
                first = answers(receive(client)[0])
                if length is None:
                    if not first:
                        wanted = [200]  # a server need not say that it reads on
                    send(client, BODY)
                    first += answers(receive(client, quiet=5)[0])
            assert statuses(first) == wanted, (length, first)


# MARK: - S14 to S16: slow clients


SHORT_TIMES = ["--header-timeout", "0.5"]  # three times as long for a body, six times for silence


def test_s14_slow_clients_are_closed():
    with Server(*SHORT_TIMES) as server:
        def trickle(data, every):
            with connect(server) as client:
                for byte in data:
                    if not send(client, bytes([byte])):
                        return True
                    if select.select([client], [], [], every)[0]:
                        received, closed = receive(client, quiet=3)
                        assert 200 not in statuses(answers(received)), received
                        return closed
                return False

        def silent():
            with connect(server) as client:
                return receive(client, quiet=20)[1]

        def idle():
            with connect(server) as client:
                send(client, head(closing=False))
                received, closed = receive(client, quiet=20)
                assert statuses(answers(received)) == [200]
                return closed

        def slow_body():
            with connect(server) as client:
                send(client, head()[:-len(BODY)])
                for byte in b" " * 200:
                    if not send(client, bytes([byte])) or select.select([client], [], [], 0.2)[0]:
                        return receive(client, quiet=3)[1]
                return False

        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            slow = [pool.submit(trickle, head(), 0.2) for _ in range(60)] + [pool.submit(slow_body) for _ in range(60)]
            slow += [pool.submit(silent) for _ in range(60)] + [pool.submit(idle) for _ in range(20)]
            for _ in range(5):
                assert_answers(server)  # while they hang on
            assert all(future.result() for future in slow)


def test_s15_slow_readers():
    with Server() as server:
        wanted = json.dumps({"inputs": ["x"] * 2000}).encode()
        clients = []
        for _ in range(50):
            client = connect(server, receive_buffer=2048)
            send(client, head(path="/embed", body=wanted))
            clients.append(client)
        eventually(lambda: metric(server, "te_embed_success") >= 50, 60, "fifty answers")
        peak = memory(server)
        assert_answers(server)
        for client in clients:
            client.close()
        # 2000 vectors of 64 values are about 1.5 MB of text; fifty of them and what it takes to make them.
        assert peak < 1.0e9, peak
        assert_answers(server)


def test_s16_more_connections_than_files():
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # noqa: E731
    with Server(preexec=few) as server:
        clients = []
        for _ in range(200):
            client = socket.socket()
            client.settimeout(5)
            try:
                client.connect(("127.0.0.1", server.port))
                clients.append(client)
            except OSError:
                client.close()
        assert server.alive()
        before, start = busy(server), time.monotonic()
        time.sleep(3)
        share = (busy(server) - before) / (time.monotonic() - start)
        for client in clients:
            client.close()
        assert share < 0.5, f"the server used {share:.0%} of a core to accept nothing"
        eventually(lambda: answers_now(server), 20, "recovery")
        assert_answers(server)


def busy(server):
    """Seconds of processor time."""
    fields = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers_now(server):
    try:
        return server.get("/health", timeout=2)[0] == 200
    except OSError:
        return False


# MARK: - S17 to S22: load and those who leave


def test_s17_more_than_the_queue_takes():
    texts = tuple(f"{index} " + LONG[:2000] for index in range(32))
    wanted = expected(texts)
    with Server("--max-concurrent-requests", "4") as server, concurrent.futures.ThreadPoolExecutor(32) as pool:
        futures = [pool.submit(server.post, "/embed", {"inputs": text}) for text in texts]
        outcomes = [future.result() for future in futures]
        accepted = [index for index, (status, _, _) in enumerate(outcomes) if status == 200]
        refused = [index for index, (status, _, _) in enumerate(outcomes) if status == 429]
        assert len(accepted) + len(refused) == len(texts), [status for status, _, _ in outcomes]
        assert accepted and refused
        assert all(float32(outcomes[index][2]) == [wanted[index]] for index in accepted)
        assert all(int(outcomes[index][1]["retry-after"]) >= 1 for index in refused)
        assert all(outcomes[index][2]["error_type"] == "Overloaded" for index in refused)
        assert_answers(server)


def test_s18_small_requests_pass_a_huge_one():
    huge = [f"{index} " + LONG for index in range(60)]
    with Server() as server, concurrent.futures.ThreadPoolExecutor(16) as pool:
        big = pool.submit(server.post, "/embed", {"inputs": huge})
        eventually(lambda: metric(server, "te_queue_size") >= 1, what="the huge request in the queue")
        small = [pool.submit(server.post, "/embed", {"inputs": "still here"}) for _ in range(8)]
        for future in small:
            assert float32(future.result()[2]) == expected(("still here",))
            assert server.get("/health")[0] == 200
        assert not big.done(), "the small requests waited for the whole of the huge one"
        assert float32(big.result()[2]) == q3process.embed(huge)


def abandoned(server, body):
    """A connection on which a request has been sent and no answer read."""
    client = connect(server)
    send(client, head(path="/embed", body=json.dumps({"inputs": body}).encode()))
    return client


def test_s19_client_leaves_while_its_texts_are_computed():
    with Server() as server:
        client = abandoned(server, [f"{index} " + LONG for index in range(40)])
        eventually(lambda: metric(server, "q3_tokens_computed_total") > 0, what="computing")
        client.close()
        eventually(lambda: metric(server, "q3_requests_cancelled_total") >= 1, what="the cancelled request in the metrics")
        eventually(lambda: metric(server, "te_queue_size") == 0, what="an empty queue")
        time.sleep(1)
        done = metric(server, "q3_tokens_computed_total")
        time.sleep(1)
        assert metric(server, "q3_tokens_computed_total") == done, "computing went on for nobody"
        assert done < 40 * q3process.token_counts([LONG])[0], done
        assert_answers(server)


def test_s20_client_leaves_while_it_waits():
    with Server() as server:
        first = abandoned(server, [f"first {index} " + LONG for index in range(30)])
        eventually(lambda: metric(server, "te_queue_size") >= 1, what="the first request")
        second = abandoned(server, [f"second {index} " + LONG for index in range(100)])
        eventually(lambda: metric(server, "te_queue_size") >= 2, what="the second request")
        second.close()
        eventually(lambda: metric(server, "q3_requests_cancelled_total") >= 1, what="the cancelled request")
        received, _ = receive(first, quiet=60, limit=120)
        assert float32(json.loads(answers(received)[0][2])) == q3process.embed(
            [f"first {index} " + LONG for index in range(30)])
        assert metric(server, "q3_tokens_computed_total") < 100 * q3process.token_counts([LONG])[0]
        assert_answers(server)


def test_s21_half_closed_connection():
    with shared_server() as server:
        with connect(server) as client:
            send(client, head(path="/embed", body=b'{"inputs":"still here"}'))
            client.shutdown(socket.SHUT_WR)
            received, closed = receive(client, quiet=10)
        # Answered, or taken for a client that has left.
        found = answers(received)
        assert closed and (statuses(found) in ([], [503]) or float32(json.loads(found[0][2])) == expected(("still here",)))


def test_s22_pipelining():
    texts = tuple(f"pipelined {index}" for index in range(100))
    wanted = expected(texts)
    with shared_server() as server:
        requests = [head(path="/embed", body=json.dumps({"inputs": text}).encode(), closing=text == texts[-1])
                    for text in texts]
        with connect(server) as client:
            send(client, b"".join(requests))
            received, _ = receive(client, quiet=5, limit=60)
        found = answers(received)
        assert statuses(found) == [200] * 100
        assert [float32(json.loads(body))[0] for _, _, body in found] == wanted
        found, _ = talk(server, head(path="/embed", body=b"{", closing=False) + requests[0], quiet=5)
        assert statuses(found)[0] in (400, 422) and statuses(found)[1:] in ([200], []), found


# MARK: - S23 to S31: bodies


def status_of(server, body, path="/v1/embeddings"):
    return server.post(path, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_s23_depth():
    with shared_server() as server:
        for depth, wanted in [(8, {200}), (40, {200}), (513, {200, 400}), (100_000, {400}), (2_000_000, {400})]:
            for body in [b'{"input":"x","ignored":' + b"[" * depth + b"]" * depth + b"}",
                         b'{"input":"x","ignored":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"]:
                assert status_of(server, body)[0] in wanted, depth
        assert status_of(server, b"[" * 2_000_000)[0] == 400
        assert status_of(server, b'{"input":' + b"[" * 100_000)[0] == 400


def test_s24_json():
    bad = [b'{"input":"x",}', b'{"input":"x"}{"input":"y"}', b'\xef\xbb\xbf{"input":"x"}', '{"input":"x"}'.encode("utf-16"),
           b'{"input":NaN}', b'{"input":"x","dimensions":Infinity}', b'{"input":"x","dimensions":1e999}',
           b'{"input":"\\ud800"}', b"{'input':'x'}", b'{"input":"x"/* */}', b"", b"null", b"[]", b"7", b'"x"', b"{",
           b'{"input":"a\nb"}', b'{"input":"\xff"}', b'{"input":"\\x41"}', b'{input:"x"}', b'{"input":"x"} x', b"\x00",
           b'{"input":01}', b'{"input":["x",]}']
    with shared_server() as server, Table() as table:
        for body in bad:
            status, _, value = status_of(server, body)
            table.check(status == 400 and value["error"]["message"], body, status, value)
        for body in [b'{"input":"a\\u0000b"}', b' \r\n\t{"input":"x"}\n', b'{"input":"\\ud83d\\ude00"}']:
            table.check(status_of(server, body)[0] == 200, body)
        # A name that comes twice is refused or has one meaning, that of its last value or its first.
        status, _, value = status_of(server, b'{"input":"still here","input":"still here"}')
        assert status == 400 or float32(value["data"][0]["embedding"]) == expected(("still here",))[0]
        answer = status_of(server, b'{"input":"\\ud83d\\ude00"}')[2]["data"][0]["embedding"]
        assert float32(answer) == expected(("\U0001f600",))[0]


def test_s25_types():
    bad = [({"input": value}, "input") for value in
           [7, True, {}, None, 1.5, [["a"]], [1, "a"], ["a", 1], [[1], 2], [None], [""], [], "", [[]], [1.5], [True]]]
    bad += [({"input": "x", "dimensions": value}, "dimensions") for value in [-1, 1.5, "64", 2**63, 65, True, [32]]]
    bad += [({"input": "x", "encoding_format": value}, "encoding_format") for value in ["hex", 7, ""]]
    bad += [({}, "input"), ({"input": "x", "model": 7}, "model")]
    with shared_server() as server, Table() as table:
        for body, param in bad:
            status, _, value = status_of(server, body)
            table.check(status == 400 and (value["error"]["param"] or "").startswith(param), body, status, value)
        assert status_of(server, b'{"input":"x","dimensions":' + b"9" * 400 + b"}")[0] == 400
        assert status_of(server, {"input": "x", "no_such_field": {"a": [1]}, "user": None, "dimensions": None})[0] == 200
        assert status_of(server, {"input": ["x"] * 2049})[0] in (400, 413)
        assert status_of(server, {"input": [0] * 1_000_000})[0] in (400, 413)
        for body, wanted in [({"top_n": -1}, 400), ({"top_n": 1.5}, 400), ({"top_n": 10**9}, 200), ({"top_n": None}, 200)]:
            status, _, value = status_of(server, {"query": "q", "documents": ["a", "b"], **body}, "/rerank")
            table.check(status == wanted and (status != 200 or len(value["results"]) == 2), body, status, value)


def test_s26_rerank():
    with shared_server() as server, Table() as table:
        for documents, param in [([], "documents"), (["a", 7, "b"], "documents[1]"), (["a", {"no": "text"}], "documents[1]"),
                                 ("text", "documents"), (None, "documents"), ([None], "documents[0]")]:
            status, _, value = status_of(server, {"query": "q", "documents": documents}, "/rerank")
            table.check(status == 400 and (value["error"]["param"] or "").startswith(param), documents, status, value)
        assert status_of(server, {"query": "q", "documents": ["x"] * 100_000}, "/rerank")[0] in (400, 413)
        assert status_of(server, {"query": 7, "documents": ["x"]}, "/rerank")[2]["error"]["param"] == "query"
        status, _, value = status_of(server, {"query": "q", "documents": [{"text": "a"}, "b"]}, "/rerank")
        ranked = q3process.rerank("q", ["a", "b"])
        assert [(hit["index"], float32(hit["relevance_score"])) for hit in value["results"]] == ranked


def test_s27_too_long():
    words = "word " * 40_000
    with shared_server() as server:
        status, _, value = server.post("/v1/embeddings", {"input": ["a", words], "truncate": False})
        assert status == 400 and value["error"]["code"] == "context_length_exceeded", value
        assert "32768" in value["error"]["message"].replace(",", "") and value["error"]["param"] == "input[1]"


def test_s28_models_are_names_and_no_paths():
    names = ["../../etc/passwd", "/etc/passwd", "%2e%2e/etc/passwd", "a\x00b", "x" * 1_000_000, "unknown", "TINY-EMBED-Q8_0",
             str(q3process.EMBEDDER), str(q3process.EMBEDDER) + "-missing"]
    with Server("--strict-model") as server:
        messages = set()
        for name in names:
            status, _, value = server.post("/v1/embeddings", {"input": "x", "model": name})
            assert status == 404 and value["error"]["code"] == "model_not_found", (name[:50], status)
            messages.add(value["error"]["message"].replace(json.dumps(name)[1:-1][:60], "").replace(name[:60], "")[:30])
        for name in names[:3]:
            path = "/v1/models/" + name.replace("/", "%2F")
            assert server.get(path)[0] in (400, 404)
        for path in ["/../../etc/passwd", "/ui/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs/%2e%2e%2fetc"]:
            status, _, body = server.get(path)
            assert status in (400, 404) and b"root:" not in body, (path, status)
        assert_answers(server)


def test_s29_no_field_makes_the_server_call_out():
    with socket.socket() as trap, shared_server() as server:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        target = f"http://127.0.0.1:{trap.getsockname()[1]}/x"
        for path, body in [("/v1/embeddings", {"input": target, "model": target, "instruction": target, "user": target}),
                           ("/embed", {"inputs": target, "model": target, "prompt_name": target}),
                           ("/v2/embed", {"texts": [target], "images": [target], "model": target}),
                           ("/rerank", {"query": target, "documents": [{"text": target, "image": target}], "model": target}),
                           ("/api/show", {"model": target}), ("/api/pull", {"model": target}),
                           ("/v1/embeddings", {"input": "x", "image_url": target, "callback": target})]:
            server.post(path, body, {"X-Forwarded-For": target, "Referer": target, "traceparent": target})
        time.sleep(0.5)
        try:
            trap.accept()
        except BlockingIOError:
            return
        raise AssertionError("the server connected to an address in a request")


def tensor_offset(data, wanted):
    """Where a tensor of a GGUF file begins: (byte offset, shape)."""
    scalar = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    tensors, pairs = struct.unpack_from("<QQ", data, 8)
    place, alignment = 24, 32

    def text():
        nonlocal place
        size = struct.unpack_from("<Q", data, place)[0]
        place += 8 + size
        return data[place - size:place].decode()

    def skip(kind):
        nonlocal place
        if kind == 8:
            text()
        elif kind == 9:
            inner, count = struct.unpack_from("<IQ", data, place)
            place += 12
            for _ in range(count):
                skip(inner)
        else:
            place += scalar[kind]

    for _ in range(pairs):
        text()
        kind = struct.unpack_from("<I", data, place)[0]
        place += 4
        skip(kind)
    found = {}
    for _ in range(tensors):
        name = text()
        dimensions = struct.unpack_from("<I", data, place)[0]
        shape = struct.unpack_from(f"<{dimensions}Q", data, place + 4)
        found[name] = (struct.unpack_from("<Q", data, place + 8 + 8 * dimensions)[0], shape)
        place += 16 + 8 * dimensions
    start = -(-place // alignment) * alignment
    offset, shape = found[wanted]
    return start + offset, shape


def test_s30_model_that_computes_no_numbers():
    source = q3process.FIXTURES / "tiny-embed-F32.gguf"
    data = bytearray(source.read_bytes())
    offset, (width, _) = tensor_offset(data, "token_embd.weight")
    poisoned = q3process.tokenize(["Z"], model=source)[0]["ids"][-1]
    for column in range(width):
        struct.pack_into("<f", data, offset + 4 * (poisoned * width + column), float("nan"))
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "nan.gguf"
        model.write_bytes(data)
        with Server(models=[model]) as server:
            for _ in range(2):
                status, _, value = server.post("/v1/embeddings", {"input": ["a", "Z"]})
                assert status == 500 and value["error"]["message"] and "NaN" not in json.dumps(value["error"]["type"]), value
                status, _, value = server.post("/embed", {"inputs": "still here"})
                assert status == 200 and float32(value) == q3process.embed(["still here"], model=source)


def test_s31_numbers():
    texts = ["a", "Grüße", "still here"]
    with shared_server() as server:
        status, _, body = server.request("POST", "/embed", json.dumps({"inputs": texts}).encode(),
                                         {"Content-Type": "application/json"})
        assert b"null" not in body and b"nan" not in body.lower() and b"inf" not in body.lower()
        vectors = float32(json.loads(body))
        coded = server.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"})[2]["data"]
        for vector, item, wanted in zip(vectors, coded, q3process.embed(texts), strict=True):
            assert struct.pack(f"<{len(vector)}f", *vector) == base64.b64decode(item["embedding"])
            assert vector == wanted


# MARK: - S32 to S38: many clients, logs, signals


def test_s32_everyone_gets_their_own_vector():
    texts = tuple(f"text number {index} " + "and more words " * (index % 13) for index in range(1000))
    wanted = expected(texts)
    with Server() as server, concurrent.futures.ThreadPoolExecutor(64) as pool:
        futures = [pool.submit(server.post, "/embed", {"inputs": text}) for text in texts]
        wrong = [index for index, future in enumerate(futures)
                 if future.result()[0] != 200 or float32(future.result()[2]) != [wanted[index]]]
        assert wrong == []


def test_s33_log_tells_no_texts():
    secret = "the-secret-text-of-a-client"
    with Server() as server:
        server.post("/embed", {"inputs": secret})
        server.post("/embed", {"inputs": [secret, 7]})
        server.post("/rerank", {"query": secret, "documents": [secret]})
        talk(server, head(path="/a%0d%0aINJECTED%1b[31m?q=" + secret, extra="X-Request-Id: a\x1b[31mb\r\n"))
        talk(server, head(extra="User-Agent: \x1b[31mINJECTED\r\n"))
    log = server.log_text()
    assert secret not in log, log
    assert "\x1b" not in log and "\nINJECTED" not in log and "\r" not in log, log


def test_s34_metrics_stay_bounded():
    with Server() as server:
        server.post("/embed", {"inputs": "x"})
        before = len(server.get("/metrics")[2].splitlines())
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            def probe(index):
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
                for step in range(250):
                    connection.request("GET" if step % 2 else f"METHOD{index}{step}", f"/random/{index}/{step}")
                    connection.getresponse().read()
                    body = json.dumps({"input": "x", "model": f"model-{index}-{step}"}).encode()
                    if step % 25 == 0:
                        connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
                        connection.getresponse().read()
                connection.close()
            list(pool.map(probe, range(8)))
        text = server.get("/metrics")[2]
        assert b"random" not in text and b"model-3" not in text and b"METHOD" not in text
        assert len(text.splitlines()) < before + 300


def test_s35_terminates_after_what_it_has_begun():
    texts = tuple(f"draining {index} " + LONG[:4000] for index in range(16))
    wanted = expected(texts)
    server = Server().start()
    idle = [connect(server) for _ in range(50)]
    for client in idle:
        send(client, head(path="/health", method="GET", body=None, closing=False))
        assert client.recv(12) == b"HTTP/1.1 200"
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(server.post, "/embed", {"inputs": text}) for text in texts]
        eventually(lambda: metric(server, "te_queue_size") >= 8, what="a queue")
        server.process.send_signal(signal.SIGTERM)
        lost = 0
        for future, vector in zip(futures, wanted):
            try:
                status, _, value = future.result()
            except (OSError, http.client.HTTPException):
                lost += 1
                continue
            assert status == 503 or (status == 200 and float32(value) == [vector]), (status, value)
        assert lost == 0, f"{lost} requests that had been sent got no answer"
    assert server.process.wait(30) == 0, server.process.returncode
    for client in idle:
        assert receive(client, quiet=5)[1]
        client.close()


def test_s35_second_signal_ends_at_once():
    server = Server().start()
    with abandoned(server, [f"{index} " + LONG for index in range(150)]):
        eventually(lambda: metric(server, "te_queue_size") >= 1, what="a queue")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert server.alive(), "the first signal did not wait for the request"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) in (143, -15, 130, 1), server.process.returncode


def test_s36_a_trickling_body_does_not_keep_the_server():
    server = Server("--shutdown-timeout", "3").start()
    with connect(server) as client:
        send(client, head(length=10_000, closing=False)[:-len(BODY)])
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 40
        while server.alive() and time.monotonic() < end:
            send(client, b" ")
            time.sleep(0.2)
    assert not server.alive(), "still running"
    server.process.wait()


def test_s37_signals_that_mean_nothing():
    texts = tuple(f"signals {index} " + "words " * 50 for index in range(100))
    wanted = expected(texts)
    with Server() as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        over = threading.Event()

        def storm():
            for number in itertools.cycle([signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGPIPE]):
                if over.wait(0.005):
                    return
                server.process.send_signal(number)

        thread = threading.Thread(target=storm)
        thread.start()
        try:
            futures = [pool.submit(server.post, "/embed", {"inputs": text}) for text in texts]
            assert all(float32(future.result()[2]) == [vector] for future, vector in zip(futures, wanted))
        finally:
            over.set()
            thread.join()
        assert_answers(server)


def test_s38_stopped_and_continued():
    with Server() as server, concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(server.post, "/embed", {"inputs": "still here"}) for _ in range(4)]
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        server.process.send_signal(signal.SIGCONT)
        assert all(float32(future.result()[2]) == expected(("still here",)) for future in futures)
        assert_answers(server)


# MARK: - S42 to S46: limits and surroundings


def test_s42_little_memory():
    # Refused at the start, or enough for what is let in: never killed by what it took on. With less than these, libdispatch
    # finds no room for a thread and waits for it without end.
    for megabytes in [120, 200, 400]:
        limited = lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))  # noqa: B023, E731
        server = Server(preexec=limited).start(wait=False)
        try:
            try:
                server.wait_until_ready(20)
            except RuntimeError:
                status = server.process.poll()
                assert status is not None and status > 0, (megabytes, status)
                continue
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                outcomes = list(pool.map(lambda index: server.post("/embed", {"inputs": f"{index} " + LONG})[0], range(16)))
            assert set(outcomes) <= {200, 429, 503}, (megabytes, outcomes)
            assert_answers(server)
        finally:
            server.stop(5)


def test_s44_unix_socket():
    def ask(path):
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(path)
        connection.request("POST", "/embed", b'{"inputs":"still here"}', {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "q3.sock")
        with socket.socket(socket.AF_UNIX) as stale:  # bound and left behind
            stale.bind(path)
        server = Server()
        server.command = [q3process.tool(), "serve", *MODEL, "--unix-socket", path]
        server.start(wait=False)

        def ready():
            try:
                return ask(path)[0] == 200
            except OSError:
                assert server.alive(), server.log_text()
                return False

        try:
            eventually(ready, what="the socket")
            assert float32(ask(path)[1]) == expected(("still here",))
            assert os.stat(path).st_mode & 0o777 == 0o600, oct(os.stat(path).st_mode)
            ends_with([*MODEL, "--unix-socket", path], {69, 71, 73, 74, 75, 77})  # in use
            assert float32(ask(path)[1]) == expected(("still here",))
        finally:
            assert server.stop() == 0
        assert not os.path.exists(path)
        file = os.path.join(folder, "file")
        pathlib.Path(file).write_text("precious")
        ends_with([*MODEL, "--unix-socket", file], {64, 69, 71, 73, 74, 77})
        assert pathlib.Path(file).read_text() == "precious"
        ends_with([*MODEL, "--unix-socket", os.path.join(folder, "x" * 120)], {64, 73})
        ends_with([*MODEL, "--unix-socket", os.path.join(folder, "no", "such", "folder.sock")], {64, 66, 69, 71, 73, 74})


def test_s45_bare_surroundings():
    def close_all():
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    for name, environment, preexec in [
            ("empty environment", {"PATH": "", "HOME": "", "LC_ALL": "C", "TZ": "Nowhere/Invalid", "TMPDIR": "/nonexistent"}, None),
            ("no files open", {}, close_all), ("a folder that cannot be written", {}, lambda: os.chdir("/proc"))]:
        with tempfile.TemporaryDirectory() as folder:
            models = []
            for source in (q3process.EMBEDDER, q3process.RERANKER):
                models.append(pathlib.Path(shutil.copy(source, folder)))
            before = [model.read_bytes() for model in models]
            with Server(models=models, environment=environment, preexec=preexec) as server:
                assert_answers(server)
                status_of(server, b"{")
            assert [model.read_bytes() for model in models] == before, name


def test_s46_headers_of_every_answer():
    with shared_server() as server:
        for status, headers, _ in [server.get("/health"), server.get("/no/such/route"), server.get("/metrics"),
                                   server.post("/embed", {"inputs": "x"}), server.post("/embed", {"inputs": 7}),
                                   server.get("/ui"), server.get("/docs"), server.request("DELETE", "/embed")]:
            assert headers["x-content-type-options"] == "nosniff", (status, headers)
            assert headers["cache-control"] == "no-store", (status, headers)
            assert not re.search(r"\d", headers.get("server", "")), headers
            assert "x-powered-by" not in headers
        for page in ["/ui", "/docs"]:
            policy = server.get(page)[1].get("content-security-policy", "")
            assert "default-src 'none'" in policy or "default-src 'self'" in policy, policy
            assert "frame-ancestors 'none'" in policy, policy


# MARK: - Without pytest


class TooLong(Exception):
    pass


def main():
    wanted = sys.argv[1:]
    tests = [(name, function) for name, function in globals().items() if name.startswith("test_")]
    chosen = [(name, function) for name, function in tests if not wanted or any(part in name for part in wanted)]

    def alarm(*_):
        raise TooLong("ran for more than 240 s")

    signal.signal(signal.SIGALRM, alarm)
    failed = 0
    for name, function in chosen:
        signal.alarm(240)
        start = time.monotonic()
        try:
            function()
            outcome = "passed"
        except Exception:
            failed += 1
            outcome = "FAILED\n" + "".join("    " + line for line in traceback.format_exc()[-3000:].splitlines(True))
        finally:
            signal.alarm(0)
        print(f"{name} ({time.monotonic() - start:.1f} s) {outcome}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
