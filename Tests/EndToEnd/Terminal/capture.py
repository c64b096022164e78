#!/usr/bin/env python3
"""Writes docs/terminal.md: what q3 shows on a terminal of 80 columns, from real runs.

    capture.py [Q3] [--check]

Runs each command on a pseudo-terminal, applies what it writes as a terminal would, and puts the lines that are left into the page.
With --check the page stays, and what must hold is tested: no line is wider than the terminal, no control sequence is left,
every command ends as it should. Times and rates differ from run to run. Needs Linux or macOS, Python 3.10 and nothing else.
"""

import fcntl
import hashlib
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd" / "Pull"))
sys.dont_write_bytecode = True

import hub  # noqa: E402

FIXTURES = ROOT / "Tests" / "Fixtures"
MINI = (ROOT / "Sources" / "CMini" / "q3-mini.gguf").read_bytes()
COLUMNS = 80
SEQUENCES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Screen:
    """As much of a terminal as q3 uses: carriage return, line feed, erase to the end of the line, and wrapping."""

    def __init__(self):
        self.lines, self.column, self.colored = [""], 0, False

    def write(self, text):
        at = 0
        while at < len(text):
            match = SEQUENCES.match(text, at)
            if match:
                if match[0].endswith("K"):
                    self.lines[-1] = self.lines[-1][: self.column]
                elif match[0].endswith("m"):
                    self.colored = True
                else:
                    raise SystemExit(f"FAILED: an unknown control sequence {match[0]!r}")
                at = match.end()
                continue
            self._put(text[at])
            at += 1

    def _put(self, letter):
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.lines.append("")
            self.column = 0
        elif letter == "\t":
            for _ in range(8 - self.column % 8):
                self._put(" ")
        else:
            line = self.lines[-1].ljust(self.column)
            self.lines[-1] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


class Terminal:
    """Runs shell commands in one folder, each on a new pseudo-terminal."""

    def __init__(self, q3, home):
        self.home, self.screens = pathlib.Path(home), []
        (self.home / "bin").mkdir()
        (self.home / "bin" / "q3").symlink_to(q3)
        self.work = self.home / "work"
        self.work.mkdir()
        self.environment = {
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}", "HOME": str(self.home), "TERM": "xterm", "NO_COLOR": "1",
            "LANG": "C.UTF-8", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
        }

    def run(self, command, status=0, until=None, interrupt=False, wraps=False, **environment):
        """The screen at the end; with `until`, also the line that was there when that text first showed."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=self.work, env={**self.environment, **environment}, stdin=terminal, stdout=terminal,
            stderr=terminal, start_new_session=True)
        os.close(terminal)
        screen, seen, data = Screen(), None, b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(controller, 65536)
            except OSError:  # Linux's way to say that nobody has the terminal open
                break
            if not chunk:
                break
            data += chunk
            try:
                text = data.decode()
            except UnicodeDecodeError:
                continue
            data = b""
            screen.write(text)
            if until and seen is None and until in screen.text():
                seen = screen.lines[-1].rstrip()
                if interrupt:
                    os.killpg(process.pid, signal.SIGINT)
        os.close(controller)
        got = process.wait(timeout=20)
        shown = screen.text()
        if got != status:
            raise SystemExit(f"FAILED: {command}: status {got}, expected {status}\n{shown}")
        if until and seen is None:
            raise SystemExit(f"FAILED: {command}: {until!r} was never shown\n{shown}")
        # Messages are for people and for logs, and wrap; results and the line of progress fit.
        wide = [line for line in screen.lines + [seen or ""] if len(line) > COLUMNS and not line.startswith("q3: ")]
        if wide and not wraps:
            raise SystemExit(f"FAILED: {command}: {len(wide[0])} columns: {wide[0]}")
        if screen.colored:
            raise SystemExit(f"FAILED: {command}: colours although NO_COLOR is set")
        return self.tidy(shown), seen and self.tidy(seen)

    def tidy(self, text):
        return text.replace(str(self.home), "~")

    def screen(self, command, shown=None, **options):
        text, _ = self.run(command, **options)
        return f"```text\n$ {shown or command}\n{text}\n```"


def page(terminal, hub, place):
    """The parts of the page, in order."""
    work = terminal.work
    (work / "docs.jsonl").write_text(
        '{"id": 7, "body": "Beijing is the capital of China."}\n{"id": 8, "body": "Bread is baked from flour."}\n'
        '{"id": 9, "body": "Gravity pulls bodies towards each other."}\n')
    (work / "docs.csv").write_text("id,body\n7,Beijing is the capital of China.\n")
    (work / "corpus.jsonl").symlink_to(ROOT / "Benchmarks" / "packages" / "corpus.jsonl")
    for name, file in [("embedding", "tiny-embed-Q8_0"), ("reranker", "tiny-rerank-Q8_0")]:
        (work / f"{name}.gguf").symlink_to(FIXTURES / f"{file}.gguf")
    screen = terminal.screen
    yield f"""# q3 in a terminal

Screens of q3 on a terminal of {COLUMNS} columns; colours are left out. Results fit the width, progress is one line that goes away, messages
stand on stderr, and pipes get plain columns or JSON. `NO_COLOR` turns colours off. `Tests/EndToEnd/Terminal/capture.py` makes this page.

## Search
"""
    yield screen('q3 search "draw diagrams of a network" -i corpus.jsonl --truncate --top-n 5')
    yield screen('q3 search "what is baked" -i docs.jsonl --text-column body --top-n 2 | cat')
    yield """## Index

Documents are embedded once, and searched in milliseconds; a hit's place is one that terminals and editors open.
"""
    notes = work / "notes"
    notes.mkdir()
    (notes / "keys.md").write_text(
        "# Keys\n\nWho has which key stands in the safe.\n\n## Rotation\n\nThe signing key is replaced on the first Monday of a month.\n")
    (notes / "kitchen.md").write_text("# Kitchen\n\nThe oven needs ten minutes before bread goes in.\n")
    yield screen("q3 index create notes.q3i", wraps=True)
    yield screen("q3 index add notes.q3i notes", wraps=True)
    yield screen('q3 search "when do we change the key" --index notes.q3i --top-n 2', wraps=True)
    yield screen("q3 index audit notes.q3i", wraps=True)
    yield """## Rerank

The model of this screen is a tiny one for tests with random weights, so its order means nothing.
"""
    yield screen("printf 'Beijing is the capital.\\nBread is baked.\\n' | q3 rerank -m reranker.gguf --query 'capital of China'")
    yield "## Embed\n"
    yield screen("q3 embed -i docs.jsonl --text-column body -o docs.npy")
    yield screen("q3 embed -i docs.csv", status=65)
    yield screen("q3 embed -i docs.jsonl --text-column body -o docs.npy --format jsonl", status=64)
    yield "A job that may take long keeps what is done. While it runs, one line shows how far it is:\n"
    job = "q3 embed -i corpus.jsonl --truncate -o c.npy --resume"
    interrupted, line = terminal.run(job, until="left", interrupt=True, status=130)
    yield f"```text\n{line}\n```"
    yield "Here it was interrupted, as Ctrl-C does, and the same command went on:\n"
    yield f"```text\n$ {job}\n{interrupted}\n```"
    yield screen(job)
    yield "## List and pull\n"
    yield screen("q3 list")
    yield """A download shows how far it is, and prints hash and path as `sha256sum -c` reads them. This one is of the
built-in model, from a hub on this machine that sends slowly:
"""
    here = place.environment(hub)
    environment = {name: here[name] for name in ("Q3_CATALOG", "Q3_MIRROR")}
    pull = "q3 pull tiny --allow-http-host 127.0.0.1"
    done, line = terminal.run(pull, until="left", wraps=True, **environment)
    yield f"```text\n{line}\n```"
    yield f"```text\n$ {pull}\n{done}\n```"
    yield screen("q3 pull qwen3-embedding-0.6", status=64)
    yield screen("q3 serch diagrams", status=64)
    yield """## Serve

The banner says what is served, where the pages are and what to type; then there is a line for each request. Ctrl-C finishes the
requests that are in, and ends.
"""
    serve = "q3 serve -m embedding.gguf -m reranker.gguf"
    text, _ = terminal.run(f"{serve} --port 18731", until="Try:", interrupt=True, wraps=True)
    yield f"```text\n$ {serve}\n{text.replace('18731', '8080')}\n```"
    yield screen("q3 serve -m missing.gguf", status=66)


def slow_file(request):
    """The built-in model at a speed that a person can watch."""
    if request.path != hub.RESOLVE or request.method == "HEAD":
        return request.send(404)
    start = request.start() or 0
    body = MINI[start:]
    more = {"Content_Range": f"bytes {start}-{len(MINI) - 1}/{len(MINI)}"} if request.start() is not None else {}
    request.head(206 if more else 200, {"ETag": hub.TAG, "Content_Length": len(body), **more})
    step = len(body) // 30 + 1
    for at in range(0, len(body), step):
        request.raw(body[at : at + step])
        time.sleep(0.1)


def main():
    names = [name for name in sys.argv[1:] if not name.startswith("-")]
    q3 = pathlib.Path(names[0] if names else ROOT / ".build" / "release" / "q3").resolve()
    os.environ["Q3"] = str(q3)
    with (tempfile.TemporaryDirectory() as home, hub.Server(slow_file) as server,
          hub.Place(len(MINI), hashlib.sha256(MINI).hexdigest()) as place):
        parts = list(page(Terminal(q3, os.path.realpath(home)), server, place))
    text = "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
    if "\x1b" in text or "\r" in text:
        raise SystemExit("FAILED: a control sequence is left")
    if "--check" in sys.argv:
        print(f"passed: {sum(part.startswith('```') for part in parts)} screens")
    else:
        (ROOT / "docs" / "terminal.md").write_text(text)
        print("docs/terminal.md is written")


if __name__ == "__main__":
    main()
