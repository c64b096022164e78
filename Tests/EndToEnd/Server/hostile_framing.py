"""What is no request, or two in one (S09 to S13)."""

import json
import pathlib
import random
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from q3process import Server  # noqa: E402
from wire import (  # noqa: E402
    BODY,
    Table,
    answers,
    assert_answers,
    chunked,
    connect,
    head,
    memory,
    receive,
    send,
    shared_server,
    statuses,
    talk,
)


def test_s09_headers():
    field = "x-a: 1\r\n"
    cases = {
        "1001 fields": head(extra=field * 1001),
        "100000 fields": head(extra=field * 100_000),
        "a value of 81 KB": head(extra="x: " + "a" * 81_000 + "\r\n"),
        "a URI of 1 MB": head(path="/" + "a" * 1_000_000),
        "a name of 81 KB": head(extra="x" * 81_000 + ": 1\r\n"),
        "100000 trailers": chunked(b"0\r\n" + b"x: 1\r\n" * 100_000 + b"\r\n"),
        "a pseudo header": head(extra=":path: x\r\n"),
        "a folded line": head(extra="x: 1\r\n  2\r\n"),
        "a bare line feed": b"POST /v1/embeddings HTTP/1.1\nHost: localhost\n\n",
        "NUL": head(extra="x: a\x00b\r\n"),
        "space before colon": head(extra="Content-Length : 3\r\n"),
        "no colon": head(extra="nonsense\r\n"),
        "a bare CR": head(extra="x: a\rb\r\n"),
        "a method of 10 KB": head(method="A" * 10_000),
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


def test_s10_smuggling():
    size = len(BODY)
    two = lambda *fields: (  # noqa: E731
        b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + b"".join(field + b"\r\n" for field in fields)
        + b"\r\n"
        + BODY
        + SMUGGLED
    )
    cases = {
        "length and chunks": two(b"Content-Length: %d" % size, b"Transfer-Encoding: chunked"),
        "two lengths": two(b"Content-Length: %d" % size, b"Content-Length: %d" % (size + len(SMUGGLED))),
        "two equal lengths in one": two(b"Content-Length: %d, %d" % (size, size)),
        "length with a sign": two(b"Content-Length: +%d" % size),
        "negative length": two(b"Content-Length: -1"),
        "length in hex": two(b"Content-Length: 0xd"),
        "length with an exponent": two(b"Content-Length: 1e1"),
        "length with a space inside": two(b"Content-Length: 1 3"),
        "length of 2^64": two(b"Content-Length: 18446744073709551616"),
        "chunked, identity": two(b"Transfer-Encoding: chunked, identity"),
        "xchunked": two(b"Transfer-Encoding: xchunked"),
        "encoding with a tab": two(b"Transfer-Encoding:\tchunked"),
        "twice chunked": two(b"Transfer-Encoding: chunked, chunked"),
        "chunk of 2^64": chunked(b"10000000000000000\r\n" + BODY + b"\r\n0\r\n\r\n", closing=False),
        "chunk in 0x": chunked(b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "chunk with a sign": chunked(b"+d\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "negative chunk": chunked(b"-1\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "chunk too short": chunked(b"5\r\n" + BODY + b"\r\n0\r\n\r\n" + SMUGGLED, closing=False),
        "chunk without CR": chunked(b"d\n" + BODY + b"\n0\n\n" + SMUGGLED, closing=False),
        "HTTP/1.0 with chunks": chunked(b"d\r\n" + BODY + b"\r\n0\r\n\r\n", closing=False).replace(
            b"HTTP/1.1", b"HTTP/1.0", 1
        )
        + SMUGGLED,
    }
    with shared_server() as server, Table() as table:
        for name, data in cases.items():
            found, closed = talk(server, data)
            # Refused and closed, or one exact reading, under which the rest is a request of its own (and then 404).
            refused = closed and all(status >= 400 for status in statuses(found)) and len(found) <= 1
            exact = statuses(found) in ([200], [200, 404], [200, 400]) and not name.startswith(
                ("length and", "two lengths", "length", "negative", "xchunked", "chunked,", "twice", "chunk")
            )
            table.check(refused or exact, name, closed, found)


def test_s10_chunk_extension_of_a_megabyte():
    with shared_server() as server:
        found, closed = talk(server, chunked(b"d;" + b"a" * 1_000_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"))
        assert statuses(found) in ([], [200], [400], [413], [431]), found
        found, _ = talk(server, chunked(b"d;name=value\r\n" + BODY + b"\r\n0\r\n\r\n"), quiet=5)
        assert statuses(found) == [200]


def test_s10_get_with_a_body_is_one_request():
    with shared_server() as server:
        found, _ = talk(
            server,
            head(path="/health", method="GET", body=b"GET /smuggled HTTP/1.1\r\n\r\n", closing=False)
            + head(path="/health", method="GET", body=None),
            quiet=3,
        )
        assert statuses(found) in ([200, 200], [400], [200]), found


def test_s11_other_protocols():
    hello = bytes.fromhex("16030100 85 010000 81 0303".replace(" ", "")) + bytes(129)
    generator = random.Random(11)
    for data in [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64),
        hello,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        generator.randbytes(1 << 20),
        b"\r\n" * 1000,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x00" * 4096,
    ]:
        with shared_server() as server, Table() as table:
            found, closed = (
                talk(server, data, quiet=3) if data[:4] != b"\r\n\r\n" else talk(server, data + b"GET\r\n\r\n")
            )
            table.check(
                not any(status == 200 for status in statuses(found)) or data.startswith(b"GET / "), data[:20], found
            )
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
            status, _, _ = server.request(
                "POST", "/v1/embeddings", bomb, {"Content-Type": "application/json", "Content-Encoding": encoding}
            )
            assert status == 415, (encoding, status)
        assert memory(server) < before + 40e6


def test_s13_expect_continue():
    with Server("--payload-limit", "100000") as server:
        for length, wanted in [(10**9, [413]), (None, [100, 200])]:
            with connect(server) as client:
                request = head(length=length, extra="Expect: 100-continue\r\n")
                send(client, request[: -len(BODY)])
                first = answers(receive(client)[0])
                if length is None:
                    if not first:
                        wanted = [200]  # a server need not say that it reads on
                    send(client, BODY)
                    first += answers(receive(client, quiet=5)[0])
            assert statuses(first) == wanted, (length, first)


def test_s54_other_transfer_codings():
    with shared_server() as server, Table() as table:
        for coding, wanted in [("chunked", 200), ("gzip, chunked", 501), ("deflate, chunked", 501), ("Chunked", 200)]:
            body = b"d\r\n" + BODY + b"\r\n0\r\n\r\n"
            request = chunked(body).replace(b"Transfer-Encoding: chunked", f"Transfer-Encoding: {coding}".encode())
            found, _ = talk(server, request)
            table.check(statuses(found) == [wanted], coding, found)
