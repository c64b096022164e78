"""A hub on loopback that answers as Hugging Face does, or as badly as it is told to; and q3 pull run against it.

Only the standard library. The binary is the one that Q3 names, or the package's release build.
"""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd" / "Server"))

from q3process import tool  # noqa: E402

MODEL = (ROOT / "Tests" / "Fixtures" / "tiny-embed-Q8_0.gguf").read_bytes()
SHA256 = hashlib.sha256(MODEL).hexdigest()
COMMIT = "c" * 40
TAG = '"tag-1"'
FILE = "tiny.gguf"
RESOLVE = f"/o/r/resolve/main/{FILE}"
TOKEN = "hf_verysecrettoken"


class Request:
    """One request, and the ways to answer it."""

    def __init__(self, handler):
        self.handler = handler
        self.method = handler.command
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}

    def send(self, status, body=b"", **headers):
        """A whole answer; a header of None is left out."""
        self.head(status, {"content_length": len(body), **headers})
        with contextlib.suppress(OSError):
            self.handler.wfile.write(body)

    def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} Something"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None]
        lines.append("Connection: close")
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())

    def raw(self, data):
        with contextlib.suppress(OSError):
            self.handler.wfile.write(data)
            self.handler.wfile.flush()

    def reset(self):
        """Ends the connection with RST."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.connection.close()

    def start(self):
        """Where the range that was asked for begins, None without a range."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return int(match[1]) if match else None

    def file(self, body=MODEL, tag=TAG, **headers):
        """Serves a file as a proper server does, with ranges if its tag is still the one that is asked for."""
        start = self.start()
        if start is None or self.headers.get("if-range", tag) != tag:
            return self.send(200, body, ETag=tag, **headers)
        end = min(int(self.headers["range"].split("-")[1] or len(body)), len(body) - 1)
        if start >= len(body):
            return self.send(416, Content_Range=f"bytes */{len(body)}")
        part = body[start : end + 1]
        return self.send(206, part, ETag=tag, Content_Range=f"bytes {start}-{end}/{len(body)}", **headers)

    def redirect(self, location, status=302, **headers):
        facts = {"X_Repo_Commit": COMMIT, "X_Linked_Size": len(MODEL), "X_Linked_Etag": f'"{SHA256}"'}
        self.send(status, Location=location, **{**facts, **headers})


class Server(http.server.ThreadingHTTPServer):
    """Answers each request with `answer`, and remembers them all."""

    daemon_threads = True

    def __init__(self, answer, certificate=None, host="127.0.0.1"):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self):
                self.close_connection = True
                request = Request(self)
                requests.append(request)
                answer(request)

            do_HEAD = do_POST = do_CONNECT = do_GET

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        self.url = f"{self.scheme}://{host}:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def paths(self):
        return [request.path for request in self.requests]


class Place:
    """A model folder, a list with one model, and q3 with both."""

    def __init__(self, size=len(MODEL), digest=SHA256):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="q3-pull-"))
        self.models = self.folder / "models"
        self.model, self.part = self.models / FILE, self.models / f"{FILE}.part"
        (self.folder / "list").write_text(f"tiny embed o/r {FILE} {size} {digest}\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def names(self):
        return sorted(os.listdir(self.models)) if self.models.exists() else []

    def environment(self, hub, **more):
        names = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
        return {
            **{name: os.environ[name] for name in names if name in os.environ},
            "HOME": str(self.folder),
            "Q3_MODELS": str(self.models),
            "Q3_CATALOG": str(self.folder / "list"),
            "Q3_MIRROR": hub if isinstance(hub, str) else hub.url,
            **more,
        }

    def command(self, *options, name="tiny", hosts=("127.0.0.1",)):
        allowed = [word for host in hosts for word in ("--allow-http-host", host)]
        return [tool(), "pull", name, "--stall-timeout", "10", "--retries", "1", *allowed, *options]

    def pull(self, hub, *options, name="tiny", hosts=("127.0.0.1",), environment=None, wrapper=(), **popen):
        return subprocess.run(
            [*wrapper, *self.command(*options, name=name, hosts=hosts)],
            env=self.environment(hub, **(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
            **popen,
        )

    def start(self, hub, *options):
        return subprocess.Popen(
            self.command(*options),
            env=self.environment(hub),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, run, status, message=""):
        assert run.returncode == status, (run.returncode, run.stdout, run.stderr)
        assert message in run.stderr, run.stderr
        if status != 0:
            assert run.stdout == "", run.stdout
            assert run.stderr.splitlines()[-1].startswith("q3: error: "), run.stderr

    def fails(self, run, status, message="", leaves=()):
        """The run ended so, and left these files in the folder."""
        self.ended(run, status, message)
        assert self.names() == sorted(leaves), self.names()

    def succeeds(self, run, message=""):
        """The model is there, with its record and nothing else."""
        self.ended(run, 0, message)
        assert run.stdout == f"{SHA256}  {self.model}\n", run.stdout
        assert self.model.read_bytes() == MODEL
        assert self.names() == [FILE, f"{FILE}.json"], self.names()

    def record(self):
        return json.loads((self.models / f"{FILE}.json").read_text())

    def leave_part(self, size, hub, tag=TAG, url=None, total=len(MODEL), body=MODEL):
        """What an earlier download of so many bytes would have left."""
        self.models.mkdir(exist_ok=True)
        self.part.write_bytes(body[:size])
        origin = {"url": url or hub.url + RESOLVE, "validator": tag, "byteCount": total, "sha256": SHA256}
        (self.models / f"{FILE}.part.json").write_text(json.dumps(origin))


def proper(request):
    """Serves the model where the hub has it."""
    return request.file() if request.path == RESOLVE else request.send(404)
