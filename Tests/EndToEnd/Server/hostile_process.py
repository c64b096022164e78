"""Signals, limits and surroundings of the process (S35 to S45)."""

import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server, float32  # noqa: E402
from wire import (  # noqa: E402
    BODY,
    LONG,
    MODEL,
    abandoned,
    assert_answers,
    connect,
    ends_with,
    eventually,
    expected,
    head,
    metric,
    receive,
    send,
    status_of,
)


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
        send(client, head(length=10_000, closing=False)[: -len(BODY)])
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
            for number in itertools.cycle(
                [signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGPIPE]
            ):
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


def test_s42_little_memory():
    # Refused at the start, or enough for what is let in: never killed by what it took on. With less than these,
    # libdispatch finds no room for a thread and waits for it without end.
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
                outcomes = list(
                    pool.map(lambda index: server.post("/embed", {"inputs": f"{index} " + LONG})[0], range(16))
                )
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
        ends_with(
            [*MODEL, "--unix-socket", os.path.join(folder, "no", "such", "folder.sock")], {64, 66, 69, 71, 73, 74}
        )


def test_s45_bare_surroundings():
    def close_all():
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    for name, environment, preexec in [
        (
            "empty environment",
            {"PATH": "", "HOME": "", "LC_ALL": "C", "TZ": "Nowhere/Invalid", "TMPDIR": "/nonexistent"},
            None,
        ),
        ("no files open", {}, close_all),
        ("a folder that cannot be written", {}, lambda: os.chdir("/proc")),
    ]:
        with tempfile.TemporaryDirectory() as folder:
            models = []
            for source in (q3process.EMBEDDER, q3process.RERANKER):
                models.append(pathlib.Path(shutil.copy(source, folder)))
            before = [model.read_bytes() for model in models]
            with Server(models=models, environment=environment, preexec=preexec) as server:
                assert_answers(server)
                status_of(server, b"{")
            assert [model.read_bytes() for model in models] == before, name


def test_s50_few_open_files():
    for files in [4, 5, 7, 9, 11, 20, 40]:
        limited = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # noqa: B023, E731
        said = ends_with(MODEL, {71, 127}, preexec=limited)
        assert "ulimit -n" in said or "shared libraries" in said, (files, said)


def test_s51_everything_is_checked_before_it_listens():
    with tempfile.TemporaryDirectory() as folder:
        broken = pathlib.Path(folder, "broken.gguf")
        broken.write_bytes(b"GGUF" + bytes(100))
        for command, statuses in [
            (["--model", str(broken)], {65}),
            (["--model", "/no/such.gguf"], {66}),
            ([*MODEL, "--alias", "x=y"], {64}),
        ]:
            said = ends_with([*command, "--port", "0"], statuses)
            assert "listen" not in said and len(said.splitlines()) == 1, said


def test_s52_shutdown_timeout_always_holds():
    body = json.dumps({"inputs": "".join(chr(97 + index % 26) for index in range(30 << 20))}).encode()
    for path in ["/tokenize", "/embed", "/embed_all"]:
        server = Server("--shutdown-timeout", "2").start()
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                client = stack.enter_context(connect(server))
                send(client, head(path=path, body=body))
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            start = time.monotonic()
            server.process.wait(20)
            assert time.monotonic() - start < 6, (path, time.monotonic() - start)
