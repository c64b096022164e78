#!/usr/bin/env python3
"""The PEFT folder of `q3 tune lora` through llama.cpp's convert_lora_to_gguf.py, and llama-server's vectors with it beside q3's.

    pip install torch transformers gguf safetensors              (run with 2.15.0, 5.23.0, 0.19.0, 0.8.0)
    python3 Tests/EndToEnd/Tune/llama.py --q3 Q3 --converter llama.cpp/convert_lora_to_gguf.py --server llama-server

A tiny embedding model is tuned, in its last layer and in all, and so are two runs that `q3 merge` makes one of. Ends with status 1
where a vector of llama.cpp, with the model and the adapter beside it, is further than 1e-9 (1 - cosine) from that of q3's file into
which the adapter is merged (`q3 convert --lora`), or where the adapter changes nothing there.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "Fixtures"
BASE = FIXTURES / "checkpoints" / "tiny-embedding"
TOPICS = ["bread", "keys", "threads", "soup", "maps", "letters", "trains", "clouds", "paint", "music", "ropes", "stones"]
TEXTS = [f"all that is known of {topic}, and of {other}" for topic, other in zip(TOPICS, TOPICS[3:])] + ["a", "2 + 2 = 4"]
VECTORS = 1e-9
failures = []


def check(what, holds):
    print(f"{'' if holds else 'FAILED: '}{what}", flush=True)
    if not holds:
        failures.append(what)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


def off(left, right):
    """The largest 1 - cosine of two lists of vectors."""
    def dot(a, b):
        return sum(x * y for x, y in zip(a, b))
    return max(1 - dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5 for a, b in zip(left, right, strict=True))


class Llama:
    """llama-server's vectors of texts; how it splits and pools them is what the file says."""

    def __init__(self, server, model, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = tempfile.NamedTemporaryFile("w+", prefix="llama-", suffix=".log")
        # Keys and values in F16 would cost it 1e-6.
        self.process = subprocess.Popen(
            [server, "-m", model, "--embedding", "--host", "127.0.0.1", "--port", str(port), "-fa", "off",
             "--cache-type-k", "f32", "--cache-type-v", "f32", *options],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(600):
            if self.process.poll() is not None:
                raise SystemExit(f"llama-server ended:\n{open(self.log.name).read()[-3000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                    return self
            except OSError:
                time.sleep(0.1)
        raise SystemExit("llama-server was not ready after a minute")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def vectors(self, texts):
        found = []
        for text in texts:
            request = urllib.request.Request(f"{self.url}/embedding", json.dumps({"content": text}).encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = json.load(answer)
            vector = (body[0] if isinstance(body, list) else body)["embedding"]
            found.append(vector[0] if isinstance(vector[0], list) else vector)
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True, type=os.path.abspath)
    parser.add_argument("--converter", required=True)
    parser.add_argument("--server", required=True)
    options = parser.parse_args()
    q3 = options.q3
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        base = work / "base.gguf"
        run(q3, "convert", BASE, "-o", base, "--type", "f32")
        pairs = work / "pairs.jsonl"
        pairs.write_text("".join(
            json.dumps({"query": query, "positive": f"{passage} {topic}, number {number}"}) + "\n"
            for number, topic in enumerate(TOPICS)
            for query, passage in ((f"tell me of {topic}", "All that is known of"), (f"how are {topic} made", "The making of"))))

        def vectors(file):
            out = run(q3, "embed", "-m", file, "--precision", "exact", "--format", "jsonl", *TEXTS)
            return [json.loads(line)["embedding"] for line in out.splitlines()]

        def tune(name, *more):
            folder = work / name
            run(q3, "tune", "lora", "-i", pairs, "-m", base, "-o", folder, "--rank", 4, "--epochs", 6, "--batch-size", 6,
                "--learning-rate", "5e-3", "--validation", 0, "--precision", "exact", *more)
            return folder

        with Llama(options.server, base) as llama:
            plain = llama.vectors(TEXTS)
        difference = off(plain, vectors(base))
        check(f"without an adapter both differ by {difference:.1e} (at most {VECTORS:.0e})", difference <= VECTORS)
        adapters = {"one layer": tune("one", "--layers", 1), "all layers": tune("all", "--layers", "all")}
        other = tune("other", "--layers", "all", "--seed", 7, "--rank", 6)
        run(q3, "merge", adapters["all layers"], other, "-o", work / "merged")
        adapters["two runs merged"] = work / "merged"
        for name, folder in adapters.items():
            file, merged = folder / "lora.gguf", folder / "merged.gguf"
            run(sys.executable, options.converter, "--base", BASE, "--outfile", file, folder)
            run(q3, "convert", BASE, "--lora", folder, "-o", merged, "--type", "f32")
            with Llama(options.server, base, "--lora", file) as llama:
                got = llama.vectors(TEXTS)
            check(f"{name}: llama.cpp's vectors change ({off(got, plain):.1e})", off(got, plain) > 1e-4)
            difference = off(got, vectors(merged))
            check(f"{name}: llama.cpp and q3 differ by {difference:.2e} (at most {VECTORS:.0e})", difference <= VECTORS)
    if failures:
        raise SystemExit(f"{len(failures)} failed")
    print("everything agrees")


if __name__ == "__main__":
    main()
