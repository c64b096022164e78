"""Bodies: JSON, types, texts and models (S23 to S31)."""

import base64
import concurrent.futures
import json
import pathlib
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server, float32  # noqa: E402
from wire import (  # noqa: E402
    Table,
    assert_answers,
    expected,
    shared_server,
    status_of,
)


def test_s23_depth():
    with shared_server() as server:
        for depth, wanted in [(8, {200}), (40, {200}), (513, {200, 400}), (100_000, {400}), (2_000_000, {400})]:
            for body in [
                b'{"input":"x","ignored":' + b"[" * depth + b"]" * depth + b"}",
                b'{"input":"x","ignored":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",
            ]:
                assert status_of(server, body)[0] in wanted, depth
        assert status_of(server, b"[" * 2_000_000)[0] == 400
        assert status_of(server, b'{"input":' + b"[" * 100_000)[0] == 400


def test_s24_json():
    bad = [
        b'{"input":"x",}',
        b'{"input":"x"}{"input":"y"}',
        b'\xef\xbb\xbf{"input":"x"}',
        '{"input":"x"}'.encode("utf-16"),
        b'{"input":NaN}',
        b'{"input":"x","dimensions":Infinity}',
        b'{"input":"x","dimensions":1e999}',
        b"{'input':'x'}",
        b'{"input":"x"/* */}',
        b"",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{",
        b'{"input":"a\nb"}',
        b'{"input":"\xff"}',
        b'{"input":"\\x41"}',
        b'{input:"x"}',
        b'{"input":"x"} x',
        b"\x00",
        b'{"input":01}',
        b'{"input":["x",]}',
    ]
    with shared_server() as server, Table() as table:
        for body in bad:
            status, _, value = status_of(server, body)
            table.check(status == 400 and value["error"]["message"], body, status, value)
        for body in [b'{"input":"a\\u0000b"}', b'{"input":"\\ud800"}', b'{"input":"x","dimensions":"64"}', b' \r\n\t{"input":"x"}\n', b'{"input":"\\ud83d\\ude00"}']:
            table.check(status_of(server, body)[0] == 200, body)
        # A name that comes twice is refused or has one meaning, that of its last value or its first.
        status, _, value = status_of(server, b'{"input":"still here","input":"still here"}')
        assert status == 400 or float32(value["data"][0]["embedding"]) == expected(("still here",))[0]
        answer = status_of(server, b'{"input":"\\ud83d\\ude00"}')[2]["data"][0]["embedding"]
        assert float32(answer) == expected(("\U0001f600",))[0]


def test_s25_types():
    bad = [
        ({"input": value}, "input")
        for value in [
            7,
            True,
            {},
            None,
            1.5,
            [["a"]],
            [1, "a"],
            ["a", 1],
            [[1], 2],
            [None],
            [""],
            [],
            "",
            [[]],
            [1.5],
            [True],
        ]
    ]
    bad += [({"input": "x", "dimensions": value}, "dimensions") for value in [-1, 1.5, "many", 2**63, 65, True, [32]]]
    bad += [({"input": "x", "encoding_format": value}, "encoding_format") for value in ["hex", 7, ""]]
    bad += [({}, "input"), ({"input": "x", "model": 7}, "model")]
    with shared_server() as server, Table() as table:
        for body, param in bad:
            status, _, value = status_of(server, body)
            table.check(status == 400 and (value["error"]["param"] or "").startswith(param), body, status, value)
        assert status_of(server, b'{"input":"x","dimensions":' + b"9" * 400 + b"}")[0] == 400
        assert (
            status_of(server, {"input": "x", "no_such_field": {"a": [1]}, "user": None, "dimensions": None})[0] == 200
        )
        assert status_of(server, {"input": ["x"] * 2049})[0] in (400, 413)
        assert status_of(server, {"input": [0] * 1_000_000})[0] in (400, 413)
        for body, wanted in [
            ({"top_n": -1}, 400),
            ({"top_n": 1.5}, 400),
            ({"top_n": 10**9}, 200),
            ({"top_n": None}, 200),
        ]:
            status, _, value = status_of(server, {"query": "q", "documents": ["a", "b"], **body}, "/rerank")
            table.check(status == wanted and (status != 200 or len(value["results"]) == 2), body, status, value)


def test_s26_rerank():
    with shared_server() as server, Table() as table:
        for documents, param in [
            ([], "documents"),
            (["a", 7, "b"], "documents[1]"),
            (["a", {"no": "text"}], "documents[1]"),
            ("text", "documents"),
            (None, "documents"),
            ([None], "documents[0]"),
        ]:
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
    names = [
        "../../etc/passwd",
        "/etc/passwd",
        "%2e%2e/etc/passwd",
        "a\x00b",
        "x" * 1_000_000,
        "unknown",
        "TINY-EMBED-Q8_0",
        str(q3process.EMBEDDER),
        str(q3process.EMBEDDER) + "-missing",
    ]
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
        for path, body in [
            ("/v1/embeddings", {"input": target, "model": target, "instruction": target, "user": target}),
            ("/embed", {"inputs": target, "model": target, "prompt_name": target}),
            ("/v2/embed", {"texts": [target], "images": [target], "model": target}),
            ("/rerank", {"query": target, "documents": [{"text": target, "image": target}], "model": target}),
            ("/api/show", {"model": target}),
            ("/api/pull", {"model": target}),
            ("/v1/embeddings", {"input": "x", "image_url": target, "callback": target}),
        ]:
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
        return data[place - size : place].decode()

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
                assert (
                    status == 500 and value["error"]["message"] and "NaN" not in json.dumps(value["error"]["type"])
                ), value
                status, _, value = server.post("/embed", {"inputs": "still here"})
                assert status == 200 and float32(value) == q3process.embed(["still here"], model=source)


def test_s31_numbers():
    texts = ["a", "Grüße", "still here"]
    with shared_server() as server:
        status, _, body = server.request(
            "POST", "/embed", json.dumps({"inputs": texts}).encode(), {"Content-Type": "application/json"}
        )
        assert b"null" not in body and b"nan" not in body.lower() and b"inf" not in body.lower()
        vectors = float32(json.loads(body))
        coded = server.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"})[2]["data"]
        for vector, item, wanted in zip(vectors, coded, q3process.embed(texts), strict=True):
            assert struct.pack(f"<{len(vector)}f", *vector) == base64.b64decode(item["embedding"])
            assert vector == wanted


def peak(server):
    """The most resident bytes that the server had so far."""
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_s47_large_bodies_cost_little_and_others_pass():
    words = "".join(chr(97 + index % 26) + " " for index in range(1 << 19))
    for path, field in [("/tokenize", "inputs"), ("/tokenize", "content"), ("/embed", "inputs"), ("/rerank", "texts")]:
        with Server() as server:
            assert_answers(server)
            before = peak(server)
            for megabytes in (1, 8, 30):
                value = [words * megabytes] if field == "texts" else words * megabytes
                body = json.dumps({"query": "q", field: value}).encode()
                start = time.monotonic()
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    large = pool.submit(status_of, server, body, path)
                    slowest = 0
                    while not large.done():
                        moment = time.monotonic()
                        assert_answers(server)
                        slowest = max(slowest, time.monotonic() - moment)
                status, _, value = large.result()
                took = time.monotonic() - start
                print(f"    {path} {field} {megabytes} MB: {status}, {took:.1f} s, others {slowest:.1f} s,", end=" ")
                print(f"{(peak(server) - before) >> 20} MB", flush=True)
                assert status in (200, 413, 422), (status, value)
                assert slowest < 10, (path, megabytes, slowest)
            # The body itself, its text, and what comes of a million tokens at most.
            assert peak(server) - before < 420 << 20, (path, peak(server) - before)


def test_s48_a_request_of_too_many_tokens():
    with Server("--max-queue-tokens", "1000") as server, Table() as table:
        for path, body, wanted in [
            ("/v1/embeddings", {"input": ["word " * 100] * 50}, 413),
            ("/embed", {"inputs": ["word " * 100] * 50}, 422),
            ("/tokenize", {"inputs": "word " * 5000}, 422),
            ("/tokenize", {"content": "word " * 5000}, 413),
            ("/v2/embed", {"texts": ["word " * 100] * 50}, 413),
            ("/rerank", {"query": "q", "documents": ["word " * 100] * 50}, 413),
        ]:
            status, _, value = status_of(server, body, path)
            table.check(status == wanted and "1000" in json.dumps(value), path, status, value)
        assert_answers(server)


def test_s49_half_an_emoji():
    with shared_server() as server, Table() as table:
        for path, body in [
            ("/v1/embeddings", b'{"input":["a \\ud83d b","fine"]}'),
            ("/embed", b'{"inputs":"a \\ud83d b"}'),
            ("/v2/embed", b'{"texts":["a \\ude00 b"]}'),
            ("/api/embed", b'{"input":"\\ud83d"}'),
            ("/rerank", b'{"query":"\\ud83d\\ud83d","documents":["\\ud83d\\ude00\\ud83d"]}'),
            ("/tokenize", b'{"inputs":"\\ud83d"}'),
        ]:
            status, _, value = status_of(server, body, path)
            table.check(status == 200, path, status, value)
        broken = status_of(server, b'{"inputs":"a \\ud83d b \\ud83d\\ude00 \\\\ud83d"}', "/embed")[2]
        table.check(float32(broken) == expected(("a \ufffd b \U0001f600 \\ud83d",)), broken)
