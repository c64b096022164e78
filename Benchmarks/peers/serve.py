#!/usr/bin/env python3
"""Requests over HTTP against the same texts in one go, and against llama.cpp's server.

    python3 Benchmarks/peers/serve.py --q3 .build/release/q3 --model FILE.gguf [--llama PYTHON] [--rounds 3]

Every round times, one after the other: `q3 embed` of all texts; `q3 serve` with 1, 8, 16 and 64 clients that send them one text
a request; and, with --llama, `PYTHON -m llama_cpp.server` with 16 clients. Medians of the rounds are printed. A server's
start is not counted, that of `q3 embed` is measured with one text and taken off. Each vector of q3 must be the one that the
command line gave.
"""
import argparse
import concurrent.futures
import http.client
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

WORDS = "gravity capital Beijing bread water river mountain data index query café quick brown fox over lazy dog server".split()


def texts(count, words, seed):
    generator = random.Random(seed)
    return [f"{seed}-{i} " + " ".join(generator.choices(WORDS, k=generator.randint(words // 2, words * 3 // 2)))
            for i in range(count)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, command):
        self.port = free_port()
        self.process = subprocess.Popen([part.replace("PORT", str(self.port)) for part in command],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                if self.post({"input": "warm up"}):
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{command[0]} does not answer")

    def post(self, body, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", "/v1/embeddings", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = json.loads(response.read())
        return data if response.status == 200 else None

    def run(self, texts, clients):
        """(seconds, sorted latencies, vectors, tokens) for all texts, one a request."""
        queue = list(enumerate(texts))[::-1]
        results, latencies, tokens = [None] * len(texts), [], []

        def client():
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            while True:
                try:
                    index, text = queue.pop()
                except IndexError:
                    return
                start = time.monotonic()
                while (body := self.post({"input": text, "model": "m"}, connection)) is None:
                    time.sleep(0.05)
                latencies.append(time.monotonic() - start)
                results[index] = body["data"][0]["embedding"]
                tokens.append(body["usage"]["prompt_tokens"])

        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(client) for _ in range(clients)]:
                done.result()
        return time.monotonic() - start, sorted(latencies), results, sum(tokens)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def embed(q3, model, texts):
    """(seconds, vectors) of the command line."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps({"text": text}) + "\n" for text in texts))
        file.flush()
        start = time.monotonic()
        out = subprocess.run([q3, "embed", "-m", model, "-i", file.name], check=True, capture_output=True).stdout
        seconds = time.monotonic() - start
    return seconds, [json.loads(line)["embedding"] for line in out.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", default=".build/release/q3")
    parser.add_argument("--model", required=True)
    parser.add_argument("--llama", help="Python with llama-cpp-python[server]")
    parser.add_argument("--texts", type=int, default=192)
    parser.add_argument("--words", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 8, 16, 64])
    options = parser.parse_args()
    figures, latencies, token_count = {}, {}, 0

    def note(name, seconds, times=()):
        figures.setdefault(name, []).append(options.texts / seconds)
        latencies.setdefault(name, []).extend(times)

    for round in range(options.rounds):
        work = texts(options.texts, options.words, round)
        started, _ = embed(options.q3, options.model, work[:1])
        seconds, wanted = embed(options.q3, options.model, work)
        note("q3 embed", seconds - started)
        for clients in options.clients:
            server = Server([options.q3, "serve", "-m", options.model, "--port", "PORT"])
            try:
                seconds, times, vectors, token_count = server.run(work, clients)
            finally:
                server.stop()
            note(f"q3 serve, {clients} clients", seconds, times)
            if vectors != wanted:
                sys.exit("error: the server's vectors are not the command line's")
        if options.llama:
            server = Server([options.llama, "-m", "llama_cpp.server", "--model", options.model, "--embedding", "true",
                             "--n_ctx", "2048", "--port", "PORT", "--host", "127.0.0.1"])
            try:
                part = work[: options.texts // 3]  # it is slower; the rate is what counts
                seconds, times, _, _ = server.run(part, 16)
            finally:
                server.stop()
            note("llama_cpp.server, 16 clients", seconds * options.texts / len(part), times)

    per_text = token_count / options.texts
    print(f"{options.texts} texts of {per_text:.0f} tokens on average, {options.rounds} rounds\n")
    print("| | embeddings/s | tokens/s | of q3 embed | p50 ms | p95 ms | p99 ms |\n|---|--:|--:|--:|--:|--:|--:|")
    base = statistics.median(figures["q3 embed"])
    for name, rates in figures.items():
        rate = statistics.median(rates)
        times = sorted(latencies[name])
        tails = [f"{times[min(len(times) - 1, int(len(times) * p))] * 1000:.0f}" for p in (0.5, 0.95, 0.99)] if times else [""] * 3
        print(f"| {name} | {rate:.2f} | {rate * per_text:.0f} | {rate / base:.2f} | {' | '.join(tails)} |")


if __name__ == "__main__":
    main()
