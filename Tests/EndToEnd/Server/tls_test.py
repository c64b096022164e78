#!/usr/bin/env python3
"""HTTPS in `q3 serve`, which the build trait TLS adds: a certificate of our own, a client that trusts it, and clients that must fail.

    Q3=PATH tls_test.py

Of a build without the trait only the refusal is tested, and that is said. Needs openssl on the PATH; curl is tried where it is there.
"""

import http.client
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from q3process import EMBEDDER, embed, float32, free_port, tool  # noqa: E402


def certificate(folder, name):
    """A self-signed certificate for localhost and its key."""
    files = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True)
    return files


def command(port, chain, key):
    return [tool(), "serve", "--model", str(EMBEDDER), "--port", str(port), "--tls-certificate", str(chain),
            "--tls-key", str(key)]


def refused(folder, *arguments):
    """What a server says that does not start."""
    run = subprocess.run(command(free_port(), *arguments), cwd=folder, capture_output=True, text=True, timeout=60)
    assert run.returncode not in (0, -signal.SIGABRT, -signal.SIGSEGV), (run.returncode, run.stderr)
    assert "listens" not in run.stderr, run.stderr
    return run.stderr


def request(port, context, method="GET", path="/health", body=None):
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ready(port, context, process):
    for _ in range(600):
        assert process.poll() is None, process.stderr.read()
        try:
            if request(port, context)[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server was not ready after a minute")


def fails(port, context):
    """A client of this context gets no connection."""
    try:
        request(port, context)
    except (ssl.SSLError, ConnectionError):
        return
    raise AssertionError("a client was served that must not be")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        chain, key = certificate(folder, "own")
        other, other_key = certificate(folder, "other")
        said = refused(folder, chain, other_key)
        if "built without TLS" in said:
            print("left out: this q3 was built without the trait TLS, and says so")
            return
        assert "are not a certificate chain and its key" in said, said
        (folder / "empty.pem").write_text("")
        chain.chmod(0o600)  # only to be given as a key
        for files in [(folder / "missing.pem", key), (folder / "empty.pem", key), (key, chain)]:
            said = refused(folder, *files)
            assert "are not a certificate chain and its key" in said, said

        chain.chmod(0o644)
        assert "can be read by others" in refused(folder, key, chain)

        port = free_port()
        process = subprocess.Popen(command(port, chain, key), stderr=subprocess.PIPE, text=True)
        try:
            trusting = ssl.create_default_context(cafile=chain)
            ready(port, trusting, process)
            body = json.dumps({"input": ["a text", "北京"]})
            status, answer = request(port, trusting, "POST", "/v1/embeddings", body)
            vectors = [item["embedding"] for item in json.loads(answer)["data"]]
            assert status == 200 and float32(vectors) == embed(["a text", "北京"]), status
            if shutil.which("curl"):
                run = subprocess.run(
                    ["curl", "-sS", "--cacert", str(chain), f"https://localhost:{port}/v1/embeddings", "-H",
                     "Content-Type: application/json", "-d", '{"input": "a text"}'],
                    check=True, capture_output=True, text=True)
                assert float32(json.loads(run.stdout)["data"][0]["embedding"]) == embed(["a text"])[0]
            fails(port, ssl.create_default_context())  # trusts the system's authorities only
            fails(port, ssl.create_default_context(cafile=other))
            old = ssl.create_default_context(cafile=chain)
            old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            old.maximum_version = ssl.TLSVersion.TLSv1_1
            fails(port, old)
            # Who speaks no TLS gets no answer in the clear, and a silent client does not hold up others.
            silent = socket.create_connection(("127.0.0.1", port))
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                try:
                    got = plain.recv(4096)
                except ConnectionError:
                    got = b""
                assert b"HTTP/1.1" not in got, got
            assert request(port, trusting)[0] == 200
            silent.close()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                status = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        said = process.stderr.read()
        assert status == 0, (status, said)
        assert f"https://127.0.0.1:{port}" in said, said
    print("passed: HTTPS with a certificate of our own")


if __name__ == "__main__":
    main()
