"""Who is let in, and what others learn: hosts, origins, keys, the log, metrics and headers (S01 to S08, S33, S34, S46)."""

import concurrent.futures
import http.client
import json
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server  # noqa: E402
from wire import (  # noqa: E402
    MODEL,
    Table,
    assert_answers,
    ends_with,
    head,
    shared_server,
    statuses,
    talk,
)

KEY = "correct-horse-battery-staple"


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


HOSTS = [
    ("localhost", 200),
    ("127.0.0.1", 200),
    ("[::1]", 200),
    ("localhost:{port}", 200),
    ("LOCALHOST", 200),
    ("evil.com", 403),
    ("127.0.0.1.evil.com", 403),
    ("localhost.evil", 403),
    ("[::1]x", 403),
    ("notlocalhost", 403),
    ("evil.com:{port}", 403),
    ("localhost@evil.com", 403),
    ("localhost evil.com", 403),
]


def test_s03_hosts():
    with shared_server() as server, Table() as table:
        for host, wanted in HOSTS:
            found, _ = talk(server, head(host=host.format(port=server.port)), quiet=5)
            table.check(statuses(found) in ([wanted], [400 if wanted == 403 else wanted]), host, found)


def test_s03_missing_empty_and_second_host():
    with shared_server() as server, Table() as table:
        body = b'{"input":"x"}'
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for hosts in [
            b"",
            b"Host:\r\n",
            b"Host: localhost\r\nHost: localhost\r\n",
            b"Host: localhost\r\nHost: evil\r\n",
        ]:
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
        for origin in [
            "http://evil.com",
            "null",
            "http://localhost.evil.com",
            "http://notlocalhost",
            "file://",
            "http://localhost:1",
            "",
        ]:
            status, headers, _ = server.post("/embed", {"inputs": "x"}, {"Origin": origin})
            assert status == 403 and "access-control-allow-origin" not in headers, (origin, status, headers)
            status, headers, _ = server.request(
                "OPTIONS", "/embed", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
            )
            assert not [name for name in headers if name.startswith("access-control")], (origin, headers)
        own = {"Origin": server.url}
        assert server.post("/embed", {"inputs": "x"}, own)[0] == 200  # the page that the server itself hands out


def test_s04_allowed_origin():
    with Server("--cors-allow-origin", "https://app.example") as server:
        allowed = {"Origin": "https://app.example"}
        status, headers, _ = server.post("/embed", {"inputs": "x"}, allowed)
        assert status == 200 and headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in headers and "origin" in headers["vary"].lower()
        _, headers, _ = server.request(
            "OPTIONS", "/embed", headers={**allowed, "Access-Control-Request-Method": "POST"}
        )
        assert "authorization" in headers["access-control-allow-headers"].lower()
        assert server.post("/embed", {"inputs": "x"}, {"Origin": "https://app.example.evil"})[0] == 403


def test_s05_simple_requests_of_pages_are_refused():
    with shared_server() as server:
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/html",
            "application/jsonx",
            "",
        ]:
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
        for options, environment in [
            (["--api-key", KEY], {}),
            (["--api-key-file", str(file)], {}),
            ([], {"API_KEY": KEY}),
        ]:
            with Server(*options, environment=environment) as server:
                right = {"Authorization": f"Bearer {KEY}"}
                assert server.post("/embed", {"inputs": "x"})[0] == 401, options
                seen = b"".join(
                    [
                        server.request("POST", "/embed", b"{", {**right, "Content-Type": "application/json"})[2],
                        server.request("POST", "/" + KEY, b"{", right)[2],
                        server.get("/metrics", right)[2],
                        server.get("/info", right)[2],
                        server.post("/embed", {"inputs": "x"}, right)[0] == 200 and b"",
                    ]
                )
                assert KEY.encode() not in seen, options
            assert KEY not in server.log_text(), options
        file.chmod(0o644)
        ends_with([*MODEL, "--port", "0", "--api-key-file", str(file)], {64, 65, 77})
        ends_with([*MODEL, "--port", "0", "--api-key-file", str(file) + "-missing"], {64, 66})


def test_s08_strangers_learn_no_routes():
    with Server("--api-key", KEY) as server:
        for method, path in [
            ("GET", "/v1/models"),
            ("POST", "/embed"),
            ("GET", "/no/such/route"),
            ("DELETE", "/embed"),
            ("PATCH", "/v1/embeddings"),
            ("POST", "/v1/chat/completions"),
            ("GET", "/info"),
        ]:
            assert server.request(method, path)[0] == 401, (method, path)
        assert server.get("/health")[0] == 200


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


def test_s46_headers_of_every_answer():
    with shared_server() as server:
        for status, headers, _ in [
            server.get("/health"),
            server.get("/no/such/route"),
            server.get("/metrics"),
            server.post("/embed", {"inputs": "x"}),
            server.post("/embed", {"inputs": 7}),
            server.get("/ui"),
            server.get("/docs"),
            server.request("DELETE", "/embed"),
        ]:
            assert headers["x-content-type-options"] == "nosniff", (status, headers)
            assert headers["cache-control"] == "no-store", (status, headers)
            assert not re.search(r"\d", headers.get("server", "")), headers
            assert "x-powered-by" not in headers
        for page in ["/ui", "/docs"]:
            policy = server.get(page)[1].get("content-security-policy", "")
            assert "default-src 'none'" in policy or "default-src 'self'" in policy, policy
            assert "frame-ancestors 'none'" in policy, policy


def test_s53_wrong_keys_do_not_fill_the_log():
    with Server("--insecure-no-auth", environment={"API_KEY": "right"}) as server:
        for index in range(2000):
            assert server.post("/embed", {"inputs": "x"}, {"Authorization": f"Bearer wrong{index}"})[0] == 401
        assert len(server.log_text()) < 20_000, len(server.log_text())
        assert server.post("/embed", {"inputs": "x"}, {"Authorization": "Bearer right"})[0] == 200
        assert '"/embed"' in server.log_text() or "/embed" in server.log_text()
