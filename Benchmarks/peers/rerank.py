#!/usr/bin/env python3
"""A request to rerank 20 documents of 250 tokens: `q3 serve` beside llama-server, on the same file.

    rerank.py --q3 PROGRAM --llama-server PROGRAM --model RERANKER.gguf [--documents 20] [--tokens 250] [--rounds 3]

Both servers stay up and take turns; a request with other documents warms each up. Medians are compared, each with the tokens that the
server says it read, and whether the order is the same. llama-server comes from the same source as llama-cpp-python.
"""
import argparse
import http.client
import json
import random
import statistics
import subprocess
import time

from serve import WORDS, free_port


def documents(q3, model, count, tokens, seed):
    """Texts of so many tokens, told by `q3 tokenize`."""
    chance = random.Random(seed)
    texts = [" ".join(chance.choices(WORDS, k=tokens)) for _ in range(count)]
    cut = []
    for text in texts:
        words, size = text.split(), 0
        while True:
            shown = subprocess.run([q3, "tokenize", "-m", model, "--format", "jsonl", " ".join(words)], check=True, capture_output=True)
            size = len(json.loads(shown.stdout)["ids"])
            if size <= tokens:
                break
            words = words[: max(1, len(words) * tokens // size)]
        cut.append(" ".join(words))
    return cut


class Server:
    def __init__(self, name, command, path):
        self.name, self.path, self.port = name, path, free_port()
        self.process = subprocess.Popen(
            [part.replace("PORT", str(self.port)) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, query, texts):
        """(seconds, {document: score}, tokens); None while the server starts."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        start = time.monotonic()
        connection.request("POST", self.path, json.dumps({"query": query, "documents": texts}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = json.loads(response.read())
        seconds = time.monotonic() - start
        if response.status == 503:
            return None
        if response.status != 200:
            raise SystemExit(f"{self.name} answered {response.status}: {data}")
        scores = {result["index"]: result.get("relevance_score", result.get("score")) for result in data["results"]}
        usage = data.get("usage") or {}
        return seconds, scores, usage.get("prompt_tokens") or usage.get("total_tokens")

    def wait(self):
        for _ in range(600):
            try:
                if self.ask("warm up", ["bread"]):
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--llama-server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    threads = str(options.threads)
    servers = [
        Server("q3 serve", [options.q3, "serve", "-m", options.model, "--port", "PORT", "--threads", threads], "/v1/rerank"),
        Server("llama-server", [
            options.llama_server, "-m", options.model, "--rerank", "--port", "PORT", "-t", threads, "-tb", threads, "-c", "8192",
            "-b", "2048", "-ub", "2048", "--no-ui"], "/v1/rerank"),
    ]
    try:
        for server in servers:
            server.wait()
        seconds, tokens, orders = {}, {}, {}
        for number in range(options.rounds):
            texts = documents(options.q3, options.model, options.documents, options.tokens, number)
            for server in servers:
                taken, scores, read = server.ask("capital city on a river", texts)
                seconds.setdefault(server.name, []).append(taken)
                tokens[server.name] = read
                orders.setdefault(number, []).append(sorted(scores, key=lambda index: -scores[index]))
    finally:
        for server in servers:
            server.process.terminate()
            server.process.wait()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name}: {medians[name]:.2f} s ({', '.join(f'{value:.2f}' for value in values)}), {tokens[name]} tokens")
    first = sum(a[0] == b[0] for a, b in orders.values())
    print(f"{options.documents} documents of {options.tokens} tokens: llama-server takes "
          f"{medians['llama-server'] / medians['q3 serve']:.2f} times as long; the same first document in {first} of {len(orders)} rounds")


if __name__ == "__main__":
    main()
