#!/usr/bin/env python3
"""What a hostile or broken hub, network, folder or neighbour can do to `q3 pull` (D01 to D15), on loopback only.

    python3 Tests/EndToEnd/Pull/hostile_test.py [PART OF A NAME ...]

Q3 is the path of q3. Only the standard library; certificates are made by openssl.
"""

import concurrent.futures
import gzip
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from hub import COMMIT, FILE, MODEL, RESOLVE, SHA256, TAG, TOKEN, Place, Server, proper  # noqa: E402

PART, ORIGIN = f"{FILE}.part", f"{FILE}.part.json"
WRONG = bytes([*MODEL[:-1], MODEL[-1] ^ 1])
SIZE = len(MODEL)


def eventually(condition, what):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)


def test_d01_as_the_hub_does_it():
    with Server(lambda request: request.file()) as cdn, Place() as place:
        with Server(lambda request: request.redirect(f"{cdn.url}/blob?Signature=secret")) as hub:
            place.succeeds(place.pull(hub))
            assert hub.paths() == [RESOLVE], hub.paths()
            assert cdn.paths() == ["/blob?Signature=secret"], cdn.paths()
            record = place.record()
            assert (record["sha256"], record["bytes"], record["revision"]) == (SHA256, SIZE, COMMIT), record
            assert (record["repository"], record["file"], record["source"]) == ("o/r", FILE, "catalog"), record
            place.succeeds(place.pull(hub))  # what is there is only checked
            assert len(hub.requests) == 1
            place.succeeds(place.pull(hub, "--force"))
            assert len(hub.requests) == 2


def test_d01_order_on_the_way_to_disk():
    if not shutil.which("strace"):
        print("    (no strace: not looked at)")
        return
    with Server(proper) as hub, Place() as place:
        log = place.folder / "trace"
        calls = "trace=openat,fsync,fdatasync,renameat,renameat2,rename"
        place.succeeds(place.pull(hub, wrapper=("strace", "-f", "-y", "-o", str(log), "-e", calls)))
        lines = [line for line in log.read_text().splitlines() if str(place.models) in line]

        def index(*words):
            return next(i for i, line in enumerate(lines) if all(word in line for word in words))

        assert index("openat", f'"{PART}"', "O_EXCL", "O_NOFOLLOW") < index("fsync", PART) < index("rename", f'"{FILE}"')
        after = lines[index("rename", f'"{FILE}"') :]
        assert any("fsync" in line and f"{place.models}>" in line for line in after), after


def test_d02_one_bit():
    with Server(lambda request: request.file(WRONG)) as hub, Place() as place:
        place.fails(place.pull(hub), 65, SHA256)
    with Server(proper) as hub, Place(size="-", digest="-") as place:
        place.fails(place.pull(hub, "--sha256", "0" * 64), 65, "0" * 64)


def broken_at(count, kind):
    """Sends so many bytes of each answer, then breaks in that way; whoever asks for what comes behind gets it."""

    def answer(request):
        if request.start():
            return request.file()
        request.head(200, {"Content-Length": SIZE, "ETag": TAG})
        request.raw(MODEL[:count])
        if kind == "reset":
            time.sleep(0.1)  # an RST may overtake what was sent
            request.reset()
        if kind == "stall":
            time.sleep(2.5)

    return answer


def test_d03_broken_and_gone_on():
    for count in (0, SIZE // 2, SIZE * 99 // 100):
        for kind in ("end", "reset", "stall"):
            with Server(broken_at(count, kind)) as hub, Place() as place:
                run = place.pull(hub, "--stall-timeout", "1")
                if count:
                    place.succeeds(run, "trying again in 1 s (1 of 1)")
                    assert int(hub.requests[-1].headers["range"].removeprefix("bytes=").removesuffix("-")) > 0
                    assert hub.requests[-1].headers["if-range"] == TAG
                else:  # never a byte, twice
                    place.fails(run, 69)


def test_d03_never_whole():
    def answer(request):
        request.head(200, {"Content-Length": SIZE})
        request.raw(MODEL[: SIZE // 2])

    with Server(answer) as hub, Place() as place:
        place.fails(place.pull(hub), 69, leaves=[PART, ORIGIN])
        assert MODEL.startswith(place.part.read_bytes()) and place.part.stat().st_size > 0
        assert len(hub.requests) == 2


def test_d03_a_byte_a_second():
    def answer(request):
        request.head(200, {"Content-Length": SIZE, "ETag": TAG})
        for index in range(100):
            request.raw(MODEL[index : index + 1])
            time.sleep(0.3)

    with Server(answer) as hub, Place() as place:
        place.fails(place.pull(hub, "--retries", "0", "--stall-timeout", "1"), 69, "bytes/s", leaves=[PART, ORIGIN])


def test_d03_statuses():
    for status, expected, requests in [(500, 69, 2), (503, 69, 2), (429, 69, 2), (404, 66, 1), (401, 77, 1), (403, 77, 1), (400, 69, 1)]:
        with Server(lambda request: request.send(status)) as hub, Place() as place:  # noqa: B023
            place.ended(place.pull(hub), expected)
            assert len(hub.requests) == requests, (status, len(hub.requests))
    with Server(lambda request: request.send(503) if len(hub.requests) == 1 else proper(request)) as hub, Place() as place:
        place.succeeds(place.pull(hub))
    with Place() as place:
        place.fails(place.pull("http://127.0.0.1:9"), 69, "no connection")


def test_d04_resumed():
    with Server(proper) as hub, Place() as place:
        place.leave_part(1000, hub)
        place.succeeds(place.pull(hub), "resuming after 1000 of")
        assert [request.start() for request in hub.requests] == [1000]
        assert hub.requests[0].headers["if-range"] == TAG
    with Server(proper) as hub, Place() as place:  # all there but the name
        place.leave_part(SIZE, hub)
        place.succeeds(place.pull(hub))
        assert hub.requests == []


def test_d04_started_anew():
    cases = {
        "another range": lambda request: request.send(206, MODEL[999:], ETag=TAG, Content_Range=f"bytes 999-{SIZE - 1}/{SIZE}"),
        "a shorter range": lambda request: request.send(206, MODEL[1000:-1], ETag=TAG, Content_Range=f"bytes 1000-{SIZE - 2}/{SIZE}"),
        "another size": lambda request: request.send(206, MODEL[1000:], ETag=TAG, Content_Range=f"bytes 1000-{SIZE - 1}/{SIZE + 1}"),
        "no range": lambda request: request.send(206, MODEL[1000:], ETag=TAG),
        "another tag": lambda request: request.send(206, MODEL[1000:], ETag='"2"', Content_Range=f"bytes 1000-{SIZE - 1}/{SIZE}"),
        "no tag": lambda request: request.send(206, MODEL[1000:], Content_Range=f"bytes 1000-{SIZE - 1}/{SIZE}"),
        "416": lambda request: request.send(416, Content_Range=f"bytes */{SIZE}"),
        "200": lambda request: request.send(200, MODEL, ETag=TAG),
        "a file that changed": lambda request: request.file(tag='"tag-2"'),
    }
    for name, answer in cases.items():
        with Server(lambda request: answer(request) if request.start() else proper(request)) as hub, Place() as place:  # noqa: B023
            place.leave_part(1000, hub)
            place.succeeds(place.pull(hub))
            assert hub.requests[0].start() == 1000, name


def test_d04_parts_of_something_else():
    for name, part in {
        "of another address": {"url": "https://elsewhere/o/r/resolve/main/tiny.gguf"},
        "of another size": {"total": SIZE + 1},
        "longer than the file": {"size": SIZE + 1, "body": MODEL + b"x", "total": SIZE},
        "with a weak tag": {"tag": ""},
    }.items():
        with Server(proper) as hub, Place() as place:
            place.leave_part(hub=hub, **{"size": 1000, **part})
            place.succeeds(place.pull(hub))
            assert hub.requests[0].start() is None, name
    for origin in ["", "{", "[1]", None]:
        with Server(proper) as hub, Place() as place:
            place.leave_part(1000, hub)
            path = place.models / ORIGIN
            path.unlink() if origin is None else path.write_text(origin)
            place.succeeds(place.pull(hub))
            assert hub.requests[0].start() is None, origin
    with Server(proper) as hub, Place() as place:  # the hash is of the whole file, not of what came now
        place.leave_part(1000, hub, body=b"x" * SIZE)
        place.fails(place.pull(hub), 65, SHA256)


def test_d05_lengths():
    def lying(length, body=MODEL, tail=b""):
        def answer(request):
            request.head(200, {"Content-Length": length, "ETag": TAG})
            request.raw(body + tail)

        return answer

    for length in (SIZE - 1, SIZE + 1, 0, 2**40):
        with Server(lying(length)) as hub, Place() as place:
            place.fails(place.pull(hub), 65, "another file")
    for length in (2**63, 2**64 + 5, -1, "x"):
        with Server(lying(length)) as hub, Place() as place:
            run = place.pull(hub, "--retries", "0")
            assert run.returncode in (65, 69) and run.stderr.startswith("q3: error: "), (length, run.stderr)
            assert not place.model.exists()

    def chunked(body, end=True):
        def answer(request):
            request.head(200, {"Transfer-Encoding": "chunked"})
            for start in range(0, len(body), 50_000):
                piece = body[start : start + 50_000]
                request.raw(b"%x\r\n%s\r\n" % (len(piece), piece))
            if end:
                request.raw(b"0\r\n\r\n")

        return answer

    with Server(chunked(MODEL)) as hub, Place() as place:
        place.succeeds(place.pull(hub))
    with Server(chunked(MODEL + b"x" * 10_000_000)) as hub, Place() as place:
        place.fails(place.pull(hub), 65, "another file")
    for answer in (chunked(MODEL[:-1]), chunked(MODEL, end=False)):
        with Server(answer) as hub, Place() as place:
            place.ended(place.pull(hub, "--retries", "0"), 69)
            assert not place.model.exists()
    with Server(chunked(MODEL)) as hub, Place(size="-", digest="-") as place:
        place.ended(place.pull(hub, "--sha256", SHA256), 69, "how large")


def test_d06_no_space():
    with Server(proper) as hub, Place(size=10**17) as place:
        place.fails(place.pull(hub), 74, "free there")
        assert hub.requests == []
    with Server(proper) as hub, Place() as place:

        def limited():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        place.fails(place.pull(hub, preexec_fn=limited, restore_signals=False), 74, PART, leaves=[PART, ORIGIN])
        assert 0 < place.part.stat().st_size <= 100_000
        place.succeeds(place.pull(hub), "resuming after")


def test_d07_redirects():
    def chain(length):
        def answer(request):
            step = 0 if request.path == RESOLVE else int(request.path[1:])
            request.file() if step == length else request.redirect(f"/{step + 1}")

        return answer

    for length, status in [(1, 0), (5, 0), (6, 69), (11, 69)]:
        with Server(chain(length)) as hub, Place() as place:
            place.ended(place.pull(hub), status, "" if status == 0 else "redirects more than 5 times")
            assert len(hub.requests) == min(length, 5) + 1
    with Server(lambda request: request.redirect(RESOLVE)) as hub, Place() as place:
        place.ended(place.pull(hub), 69, "redirects more than 5 times")

    with Server(lambda request: request.file()) as other, socket.socket() as silent:
        silent.bind(("127.0.0.2", 0))
        silent.listen()
        silent.settimeout(0)
        port = other.server_address[1]
        for location in [
            f"http://localhost:{port}/x",
            f"https://localhost:{port}/x",
            f"https://127.0.0.2:{silent.getsockname()[1]}/x",
            f"https://2130706434:{silent.getsockname()[1]}/x",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/x",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "http://example.com/x",
            "file:///etc/passwd",
            "data:text/plain,GGUF",
            f"http://user:pass1234@127.0.0.1:{port}/x",
            "https://127.0.0.1\\@elsewhere/x",
            "x",
            "",
        ]:
            with Server(lambda request: request.redirect(location)) as hub, Place() as place:  # noqa: B023
                run = place.pull(hub)
                place.ended(run, 69)
                assert len(hub.requests) == 1, "a redirect that is refused is not tried again"
                assert "pass1234" not in run.stderr
        assert other.requests == []
        try:
            silent.accept()
            raise AssertionError("127.0.0.2 was talked to")
        except BlockingIOError:
            pass
    with Server(lambda request: request.raw(b"HTTP/1.1 302 Found\r\nLocation: /a\r b\r\nContent-Length: 0\r\n\r\n")) as hub:
        with Place() as place:
            place.ended(place.pull(hub, "--retries", "0"), 69)
    with Server(proper) as hub, Place() as place:
        place.fails(place.pull(hub, hosts=()), 69, "--allow-http-host 127.0.0.1")
        assert hub.requests == []


def test_d08_names():
    names = ["../x", "/abs", "a/../../b", "o/r/../x.gguf", "o/r/%2e%2e.gguf", "o/r/" + "x" * 300 + ".gguf", "o/r/CON.gguf"]
    with Server(proper) as hub, Place() as place:
        for name in [*names, "o/r/.x.gguf", "unknown"]:
            place.fails(place.pull(hub, name=name), 64)
        for name in ["-x", "--", "-"]:
            place.ended(place.pull(hub, name=name), 64)
        assert place.names() == [] and hub.requests == []
        (place.folder / "list").write_text(f"tiny embed o/r ../../{FILE} - {SHA256}\n")
        place.ended(place.pull(hub), 65, "list, line 1: ")
    with Place() as place:
        with Server(lambda request: request.file(Content_Disposition='attachment; filename="../../evil.gguf"')) as hub:
            place.succeeds(place.pull(hub))
            assert sorted(os.listdir(place.folder)) == ["list", "models"]
            place.succeeds(place.pull(hub, name=f"o/r/{FILE}"))


def test_d09_links():
    with Server(proper) as hub:
        for name in (FILE, PART, f".{FILE}.lock"):
            with Place() as place:
                place.models.mkdir()
                victim = place.folder / "victim"
                victim.write_bytes(b"precious")
                (place.models / name).symlink_to(victim)
                place.ended(place.pull(hub), 73, "symbolic link")
                place.ended(place.pull(hub, "--force"), 73, "symbolic link")
                assert victim.read_bytes() == b"precious"
        with Place() as place:
            place.models.mkdir()
            victim = place.folder / "victim"
            victim.write_bytes(b"precious")
            os.link(victim, place.part)
            place.ended(place.pull(hub), 73, "two names")
            os.unlink(place.part)
            (place.models / ORIGIN).symlink_to(victim)
            place.succeeds(place.pull(hub))
            assert victim.read_bytes() == b"precious"
        with Place() as place:
            place.models.mkdir()
            os.mkfifo(place.part)
            place.ended(place.pull(hub), 73)
            os.unlink(place.part)
            place.model.mkdir()
            place.ended(place.pull(hub), 73)


def test_d09_folder():
    with Server(proper) as hub:
        with Place() as place:
            place.models.mkdir()
            place.models.chmod(0o777)
            place.succeeds(place.pull(hub), "anybody on this machine may replace files")
        with Place() as place:
            place.models.write_text("a file")
            place.ended(place.pull(hub), 73)
        with Place() as place:  # a link to another disk is the owner's own affair
            (place.folder / "elsewhere").mkdir()
            place.models.symlink_to(place.folder / "elsewhere")
            place.succeeds(place.pull(hub))


def test_d09_a_bad_file_that_is_there():
    with Server(proper) as hub, Place() as place:
        place.models.mkdir()
        place.model.write_bytes(WRONG)
        place.fails(place.pull(hub), 65, "--force", leaves=[FILE])
        place.fails(place.pull(hub, "--offline"), 65, "--force", leaves=[FILE])
        assert hub.requests == []
        place.succeeds(place.pull(hub, "--force"))
        hard = place.folder / "another name of the old file"
        place.model.write_bytes(WRONG)
        os.link(place.model, hard)
        place.succeeds(place.pull(hub, "--force"))
        assert hard.read_bytes() == WRONG


def test_d09_a_file_of_another_repository():
    linked = {"X_Linked_Etag": f'"{SHA256}"', "X_Linked_Size": SIZE}
    with Server(lambda request: request.file(WRONG if "/mine/" in request.path else MODEL, **linked)) as hub:
        with Place("-", "-") as place:
            place.ended(place.pull(hub, "--no-verify", "--sha256", hashlib.sha256(WRONG).hexdigest(), name=f"mine/r/{FILE}"), 65)
            place.models.mkdir(exist_ok=True)
            place.model.write_bytes(WRONG)
            record = {"repository": "mine/r", "file": FILE, "bytes": SIZE, "sha256": hashlib.sha256(WRONG).hexdigest()}
            (place.models / f"{FILE}.json").write_text(json.dumps({**record, "source": "server"}))
            place.ended(place.pull(hub, "--offline", name=f"mine/r/{FILE}"), 0)
            place.ended(place.pull(hub, "--offline"), 65)
            place.ended(place.pull(hub), 65, SHA256)
            place.succeeds(place.pull(hub, "--force"))


def slowly(begun, release):
    """Sends half of the file, then the rest when it is let."""

    def answer(request):
        if request.start():
            return request.file()
        request.head(200, {"Content-Length": SIZE, "ETag": TAG})
        request.raw(MODEL[: SIZE // 2])
        begun.set()
        release.wait(20)
        return request.raw(MODEL[SIZE // 2 :])

    return answer


def test_d10_two_at_once():
    begun, release = threading.Event(), threading.Event()
    with Server(slowly(begun, release)) as hub, Place() as place:
        first = place.start(hub, "--stall-timeout", "20")
        assert begun.wait(20)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            second = pool.submit(place.pull, hub)
            time.sleep(0.5)
            assert not second.done()
            release.set()
            place.succeeds(second.result(), "waiting for it")
        assert first.wait(20) == 0, first.stderr.read()
        assert len(hub.requests) == 1


def test_d10_the_holder_is_killed():
    begun, release = threading.Event(), threading.Event()
    with Server(slowly(begun, release)) as hub, Place() as place:
        first = place.start(hub, "--stall-timeout", "20")
        assert begun.wait(20)
        eventually(lambda: place.part.stat().st_size == SIZE // 2, "half of the file")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            second = pool.submit(place.pull, hub)
            time.sleep(0.5)
            first.kill()
            first.wait()
            place.succeeds(second.result(), f"resuming after {SIZE // 2} of")
        release.set()


def test_interrupted():
    for number, status in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
        begun, release = threading.Event(), threading.Event()
        with Server(slowly(begun, release)) as hub, Place() as place:
            run = place.start(hub, "--stall-timeout", "20")
            assert begun.wait(20)
            eventually(lambda: place.part.stat().st_size == SIZE // 2, "half of the file")  # noqa: B023
            run.send_signal(number)
            _, messages = run.communicate(timeout=20)
            assert run.returncode == status, run.returncode
            assert f"resumes from {place.part}" in messages, messages
            place.succeeds(place.pull(hub), "resuming after")
            release.set()


def certificates(folder):
    """An authority and the certificates of four servers: a good one, an old one, another host's, and one of its own."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=q3 tests")
    hosts = {"good": ("DNS:localhost,IP:127.0.0.1", "30"), "old": ("DNS:localhost", "-1"), "other": ("DNS:elsewhere.test", "30")}
    for name, (host, days) in hosts.items():
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "extensions").write_text(f"subjectAltName={host}\n")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days),
            *("-extfile", "extensions", "-out", f"{name}.crt"),
        )
    openssl(
        *("req", "-x509", *curve, "-keyout", "own.key", "-out", "own.crt", "-days", "30", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost"),
    )
    for name in (*hosts, "own"):
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())
    return folder


def test_d11_certificates():
    with tempfile.TemporaryDirectory() as folder:
        folder = certificates(pathlib.Path(folder))
        trusting = {"SSL_CERT_FILE": str(folder / "ca.pem")}
        with Server(proper, folder / "good.pem", "localhost") as hub, Place() as place:
            place.fails(place.pull(hub, hosts=()), 69, "no certificate that can be trusted")
            place.fails(place.pull(hub, environment={"SSL_CERT_FILE": "/nonexistent"}, hosts=()), 69)
            place.succeeds(place.pull(hub, environment=trusting, hosts=()))
        for name in ("old", "other", "own"):
            with Server(proper, folder / f"{name}.pem", "localhost") as hub, Place() as place:
                run = place.pull(hub, environment=trusting, hosts=())
                place.fails(run, 69, "no certificate that can be trusted")
                assert hub.requests == [] and "trying again" not in run.stderr
        with Server(proper) as plain, Place() as place:  # speaks no TLS at all
            place.ended(place.pull(plain.url.replace("http", "https"), environment=trusting, hosts=()), 69)


def tunnel(request):
    """What a proxy does with CONNECT."""
    host, port = request.path.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as peer:
        request.raw(b"HTTP/1.1 200 Connected\r\n\r\n")
        client = request.handler.connection

        def forward(source, target):
            try:
                while data := source.recv(1 << 16):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        thread = threading.Thread(target=forward, args=(peer, client))
        thread.start()
        forward(client, peer)
        thread.join()


def test_d11_proxy():
    with tempfile.TemporaryDirectory() as folder:
        folder = certificates(pathlib.Path(folder))
        trusting = {"SSL_CERT_FILE": str(folder / "ca.pem"), "HF_TOKEN": TOKEN}
        with Server(proper, folder / "good.pem", "localhost") as hub, Server(tunnel) as proxy:
            address = proxy.url.replace("http://", "http://me:p%40ss@")
            with Place() as place:
                place.succeeds(place.pull(hub, environment={**trusting, "HTTPS_PROXY": address}, hosts=()))
                seen = proxy.requests[0]
                assert (seen.method, seen.path) == ("CONNECT", f"localhost:{hub.server_address[1]}")
                assert seen.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
                assert TOKEN not in str(seen.headers)
            with Place() as place:
                place.succeeds(
                    place.pull(hub, environment={**trusting, "HTTPS_PROXY": address, "NO_PROXY": "x,localhost"}, hosts=())
                )
                assert len(proxy.requests) == 1
        with Server(lambda request: request.send(407)) as proxy, Place() as place:
            run = place.pull("https://hub.test", environment={"HTTPS_PROXY": proxy.url}, hosts=())
            place.ended(run, 69)
        with Place() as place:
            place.fails(place.pull("https://hub.test", environment={"HTTPS_PROXY": "socks5://p:1"}, hosts=()), 64, "HTTPS_PROXY")


def test_d12_where_the_hash_comes_from():
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize {SIZE}\n".encode()

    def hub_with(facts, body=MODEL, raw=None):
        def answer(request):
            if "/raw/" in request.path:
                return request.send(200, raw) if raw is not None else request.send(404)
            return request.file(body, **facts)

        return answer

    linked = {"X_Linked_Etag": f'"{SHA256}"', "X_Linked_Size": SIZE, "X_Repo_Commit": COMMIT}
    with Server(hub_with(linked)) as hub, Place("-", "-") as place:  # the hub's header
        place.succeeds(place.pull(hub))
        assert place.record()["source"] == "server" and place.record()["revision"] == COMMIT
        place.succeeds(place.pull(hub))
        place.succeeds(place.pull(hub, "--offline"))
        place.model.write_bytes(WRONG)
        place.ended(place.pull(hub, "--offline"), 65)
    with Server(hub_with(linked, WRONG)) as hub, Place("-", "-") as place:
        place.fails(place.pull(hub), 65, SHA256)
    with Server(hub_with({"X_Repo_Commit": COMMIT}, raw=pointer)) as hub, Place("-", "-") as place:  # the pointer
        place.succeeds(place.pull(hub))
        assert f"/o/r/raw/{COMMIT}/{FILE}" in hub.paths(), hub.paths()
    with Server(hub_with({}, raw=pointer)) as hub, Place("-", "-") as place:  # --sha256 asks nobody
        place.succeeds(place.pull(hub, "--sha256", SHA256.upper()))
        assert hub.paths() == [RESOLVE] and place.record()["source"] == "option"
    with Server(hub_with(linked)) as hub, Place("-", "-") as place:
        place.fails(place.pull(hub, "--sha256", "0" * 64), 65, SHA256)
    with Server(hub_with(linked)) as hub, Place() as place:  # the list comes before --sha256
        place.fails(place.pull(hub, "--sha256", "0" * 64), 65, SHA256)
        assert hub.requests == []
    with Server(hub_with(linked, WRONG)) as hub, Place() as place:
        place.fails(place.pull(hub), 65)
    for facts, raw in [({}, None), ({"X_Linked_Etag": '"' + "a" * 40 + '"'}, None), ({"X_Linked_Etag": f'W/"{SHA256}"'}, b"text"), ({}, MODEL)]:
        with Server(hub_with(facts, raw=raw)) as hub, Place("-", "-") as place:  # nobody
            place.fails(place.pull(hub), 65, "--no-verify")
            place.succeeds(place.pull(hub, "--no-verify"), "warning: no source confirms")
            assert place.record()["source"] == "nobody"
            place.ended(place.pull(hub, "--offline"), 65)
    for bad in ["", "abc", "g" * 64, "a" * 40]:
        with Place() as place:
            place.fails(place.pull("http://127.0.0.1:9", "--sha256", bad), 64)


def test_d13_other_content():
    pages = {
        b"<!DOCTYPE html><title>Sign in</title>" + b" " * SIZE: "web page",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": "Git LFS pointer",
        gzip.compress(MODEL): "gzip",
        MODEL[:1000]: "download it again",
        b"": "",
    }
    for body, message in pages.items():
        with Server(lambda request: request.file(body)) as hub, Place("-", "-") as place:  # noqa: B023
            run = place.pull(hub, "--no-verify", "--retries", "0")
            place.ended(run, 65, message)
            assert place.names() == [], place.names()
        with Server(lambda request: request.file(body)) as hub, Place(len(body) or "-") as place:  # noqa: B023
            run = place.pull(hub, "--retries", "0")
            place.ended(run, 65, message)
            assert not place.model.exists()
    with Server(lambda request: request.file(gzip.compress(MODEL), Content_Encoding="gzip")) as hub, Place() as place:
        place.ended(place.pull(hub), 69, "compressed")


def test_d14_the_token_stays_at_home():
    with Server(lambda request: request.file()) as cdn, Place() as place:

        def answer(request):
            request.redirect("/renamed") if request.path == RESOLVE else request.redirect(f"{cdn.url}/blob")

        with Server(answer) as hub:
            run = place.pull(hub, environment={"HF_TOKEN": TOKEN})
            place.succeeds(run)
            assert [request.headers.get("authorization") for request in hub.requests] == [f"Bearer {TOKEN}"] * 2
            assert "authorization" not in cdn.requests[0].headers and TOKEN not in str(cdn.requests[0].headers)
            everything = run.stdout + run.stderr + "".join(path.read_text("latin-1") for path in place.models.iterdir())
            assert TOKEN not in everything
    with Server(lambda request: request.send(401)) as hub, Place() as place:
        for token, message in [(TOKEN, "HF_TOKEN does not give access"), ("", "set HF_TOKEN")]:
            run = place.pull(hub, environment={"HF_TOKEN": token})
            place.fails(run, 77, message)
            assert TOKEN not in run.stderr
    with Server(broken_at(1000, "end")) as hub, Place() as place:
        run = place.pull(hub, "--retries", "0", environment={"HF_TOKEN": TOKEN})
        place.fails(run, 69, leaves=[PART, ORIGIN])
        assert TOKEN not in run.stderr + (place.models / ORIGIN).read_text()
        run = place.pull(hub, environment={"HF_TOKEN": f"{TOKEN}\r\nX-Evil: 1"})
        place.ended(run, 64)
        assert TOKEN not in run.stderr
        run = place.pull(hub.url.replace("http://", f"http://me:{TOKEN}@"))
        place.ended(run, 64, "Q3_MIRROR")
        assert TOKEN not in run.stderr


def test_d15_offline():
    strace = bool(shutil.which("strace"))
    with Server(proper) as hub, Place() as place:

        def offline(status):
            log = place.folder / "trace"
            wrapper = ("strace", "-f", "-o", str(log), "-e", "trace=socket") if strace else ()
            place.ended(place.pull(hub, "--offline", wrapper=wrapper), status)
            assert not strace or not [line for line in log.read_text().splitlines() if "socket(" in line]

        offline(66)
        assert not place.models.exists()
        place.models.mkdir()
        offline(66)
        place.succeeds(place.pull(hub))
        offline(0)
        assert len(hub.requests) == 1


def main():
    wanted = sys.argv[1:]
    tests = sorted((name, function) for name, function in globals().items() if name.startswith("test_"))
    chosen = [(name, function) for name, function in tests if not wanted or any(part in name for part in wanted)]

    def run(name, function):
        start = time.monotonic()
        try:
            function()
            fault = None
        except Exception:
            fault = "".join("    " + line for line in traceback.format_exc()[-3000:].splitlines(True))
        return name, time.monotonic() - start, fault

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(6) as pool:  # most of the time is waiting
        for future in [pool.submit(run, *test) for test in chosen]:
            name, seconds, fault = future.result()
            failed += fault is not None
            print(f"{name} ({seconds:.1f} s) " + ("passed" if fault is None else f"FAILED\n{fault}"), flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
