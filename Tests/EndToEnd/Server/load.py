#!/usr/bin/env python3
"""Loads `q3 serve` on loopback and checks every answer against the vector that the command line prints.

    python3 Tests/EndToEnd/Server/load.py [--model FILE] [--clients 1,8,64] [--seconds 10] [--words 30]
    python3 Tests/EndToEnd/Server/load.py --soak --seconds 600

The first form prints embeddings and tokens per second and latencies for each number of clients. The second mixes sizes,
routes, mistakes and clients that leave, and fails if an answer is wrong or if memory, files or threads of the server
grow. Q3 is the path of q3. Only the standard library; requests end after the given time.
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import resource
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server, float32  # noqa: E402

WORDS = "gravity capital Beijing bread water 北京 café quick brown fox river mountain data index query Grüße".split()


def make_texts(count, words, seed):
    """Texts of 1 to 2 × words words, the same for the same seed."""
    generator = random.Random(seed)
    return [
        f"{index} " + " ".join(generator.choices(WORDS, k=generator.randint(1, max(1, 2 * words - 1))))
        for index in range(count)
    ]


class Connection:
    """A kept-alive HTTP connection."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def request(self, method, path, body=b"", leave_after=None):
        """(status, headers, body); with `leave_after` closes the connection after so many seconds and gives None."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await self.writer.drain()
        if leave_after is not None:
            await asyncio.sleep(leave_after)
            self.close()
            return None
        status = int((await self.reader.readline()).split()[1])
        headers = {}
        while line := (await self.reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        data = await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return status, headers, data

    async def post(self, path, value, **options):
        return await self.request("POST", path, json.dumps(value).encode(), **options)

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


# MARK: - Throughput


async def measure(port, clients, seconds, texts, vectors):
    """Sends single texts from so many clients at once for a time; a client that hears 429 waits and tries again."""
    latencies, tokens, refused, wrong, next_text = [], 0, 0, 0, 0
    end = time.monotonic() + seconds

    async def client():
        nonlocal tokens, refused, wrong, next_text
        connection = Connection(port)
        while time.monotonic() < end:
            index = next_text % len(texts)
            next_text += 1
            start = time.monotonic()
            status, headers, data = await connection.post("/embed", {"inputs": texts[index]})
            if status == 429:
                refused += 1
                await asyncio.sleep(0.05)
                continue
            latencies.append(time.monotonic() - start)
            tokens += int(headers.get("x-compute-tokens", 0))
            wrong += status != 200 or float32(json.loads(data)) != [vectors[index]]
        connection.close()

    start = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    return latencies, tokens, refused, wrong, time.monotonic() - start


def throughput(options):
    texts = make_texts(2000, options.words, seed=1)
    vectors = q3process.embed(texts, model=options.model)
    print("clients  requests  embeddings/s  tokens/s  p50 ms  p95 ms  p99 ms   429  wrong")
    all_wrong = 0
    for clients in options.clients:
        with Server(*options.server, models=[options.model]) as server:  # a new one, with nothing cached
            latencies, tokens, refused, wrong, took = asyncio.run(
                measure(server.port, clients, options.seconds, texts, vectors)
            )
        p50, p95, p99 = (1000 * statistics.quantiles(latencies, n=100)[point] for point in (49, 94, 98))
        print(
            f"{clients:7}  {len(latencies):8}  {len(latencies) / took:12.1f}  {tokens / took:8.0f}"
            f"  {p50:6.1f}  {p95:6.1f}"
            f"  {p99:6.1f}  {refused:4}  {wrong:5}",
            flush=True,
        )
        all_wrong += wrong
    return all_wrong == 0


# MARK: - Soak


class Soak:
    """A mixed load, counted by what should come of it."""

    def __init__(self, server, seconds, seed):
        self.server = server
        self.end = time.monotonic() + seconds
        self.random = random.Random(seed)
        self.texts = make_texts(500, 40, seed=2)
        self.vectors = q3process.embed(self.texts)
        self.long = make_texts(8, 1500, seed=3)
        self.queries = self.texts[:5]
        self.scores = [q3process.scores(query, self.texts[:20]) for query in self.queries]
        self.counts = {}
        self.wrong = []
        self.samples = []  # (requests, resident bytes, files, threads)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def sample(self):
        process = pathlib.Path(f"/proc/{self.server.pid}")
        self.samples.append(
            (
                sum(self.counts.values()),
                int((process / "statm").read_text().split()[1]) * resource.getpagesize(),
                len(list((process / "fd").iterdir())),
                len(list((process / "task").iterdir())),
            )
        )

    def expect(self, what, right, *seen):
        self.count(what)
        if not right:
            self.wrong.append((what, repr(seen)[:300]))

    async def one(self, connection):
        kind = self.random.choices(
            ["single", "batch", "rerank", "openai", "bad", "leave", "probe", "new"], [40, 8, 8, 15, 8, 8, 8, 5]
        )[0]
        if kind == "single":
            index = self.random.randrange(len(self.texts))
            status, _, data = await connection.post("/embed", {"inputs": self.texts[index]})
            self.expect(kind, status == 200 and float32(json.loads(data)) == [self.vectors[index]], status)
        elif kind == "batch":
            chosen = self.random.sample(range(len(self.texts)), self.random.randint(1, 64))
            status, _, data = await connection.post("/embed", {"inputs": [self.texts[index] for index in chosen]})
            self.expect(
                kind, status == 200 and float32(json.loads(data)) == [self.vectors[index] for index in chosen], status
            )
        elif kind == "rerank":
            query = self.random.randrange(len(self.queries))
            status, _, data = await connection.post(
                "/score", {"text_1": self.queries[query], "text_2": self.texts[:20]}
            )
            self.expect(
                kind,
                status == 200 and [float32(item["score"]) for item in json.loads(data)["data"]] == self.scores[query],
                status,
            )
        elif kind == "openai":
            index = self.random.randrange(len(self.texts))
            status, _, data = await connection.post(
                "/v1/embeddings", {"input": [self.texts[index]], "model": f"m{index}"}
            )
            self.expect(
                kind, status == 200 and float32(json.loads(data)["data"][0]["embedding"]) == self.vectors[index], status
            )
        elif kind == "bad":
            path, body = self.random.choice(
                [
                    ("/embed", b"{"),
                    ("/embed", b'{"inputs":""}'),
                    ("/v1/embeddings", b'{"input":7}'),
                    ("/no/route", b"{}"),
                    ("/rerank", b'{"query":"q","documents":[]}'),
                    ("/v1/embeddings", b"[" * 1000),
                ]
            )
            status, _, _ = await connection.request("POST", path, body)
            self.expect(kind, 400 <= status < 500, path, status)
        elif kind == "leave":
            body = {"inputs": self.long[: self.random.randint(1, 8)]}
            await connection.post("/embed", body, leave_after=self.random.random() / 2)
            self.count(kind)
        elif kind == "probe":
            status, _, _ = await connection.request("GET", self.random.choice(["/health", "/metrics", "/v1/models"]))
            self.expect(kind, status == 200, status)
        else:
            connection.close()
            self.count(kind)

    async def client(self):
        connection = Connection(self.server.port)
        while time.monotonic() < self.end and len(self.wrong) < 20:
            try:
                await self.one(connection)
            except (OSError, EOFError, IndexError) as error:
                self.wrong.append(("connection", repr(error)))
                connection.close()
        connection.close()

    async def watch(self):
        while time.monotonic() < self.end:
            self.sample()
            await asyncio.sleep(1)

    async def run(self, clients):
        await asyncio.gather(self.watch(), *(self.client() for _ in range(clients)))

    def report(self):
        print("requests", sum(self.counts.values()), self.counts)
        # What a server needs once, it has after the first third.
        settled = self.samples[len(self.samples) // 3 :]
        slope = 0.0
        if len(settled) > 2 and settled[-1][0] > settled[0][0]:
            slope = statistics.linear_regression([row[0] for row in settled], [row[1] for row in settled]).slope
        per_10k = slope * 10_000 / 2**20
        threads = max(row[3] for row in settled) - max(row[3] for row in self.samples[: len(self.samples) // 3 + 1])
        files = self.samples[-1][2] - self.samples[0][2]
        print(
            f"resident {self.samples[0][1] / 2**20:.1f} MiB at first, {settled[0][1] / 2**20:.1f} after a third, "
            f"{self.samples[-1][1] / 2**20:.1f} at the end; {per_10k:+.2f} MiB per 10000 requests after the first third"
        )
        print(
            f"files {self.samples[0][2]} idle at first, {self.samples[-1][2]} idle at the end; threads at most "
            f"{max(row[3] for row in self.samples)}, {threads:+} after the first third"
        )
        for what, seen in self.wrong:
            print("wrong:", what, seen)
        right = not self.wrong
        for holds, message in [
            (per_10k < 1 or settled[-1][1] - settled[0][1] < 8 << 20, "memory grows"),
            (files <= 4, "files stay open"),
            (threads <= 2, "threads grow"),
            (self.counts, "nothing was sent"),
        ]:
            if not holds:
                print("error:", message)
                right = False
        return right


def soak(options):
    # A small cache of beginnings is full early, so that what grows later is a leak.
    with Server("--prefix-cache", "8", *options.server) as server:
        run = Soak(server, options.seconds, options.seed)
        run.sample()
        asyncio.run(run.run(max(options.clients)))
        time.sleep(3)  # connections that were closed last are let go
        run.sample()
        assert server.alive(), server.log_text()[-2000:]
        right = run.report()
    status = server.process.returncode
    print("exit status", status)
    return right and status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=q3process.EMBEDDER)
    parser.add_argument("--clients", type=lambda text: [int(part) for part in text.split(",")], default=None)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--words", type=int, default=30, help="words of a text, on average")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("server", nargs="*", help="options of q3 serve, after --")
    options = parser.parse_args()
    options.clients = options.clients or ([16] if options.soak else [1, 8, 64])
    os.environ.setdefault("LOG_LEVEL", "warning")
    sys.exit(0 if (soak if options.soak else throughput)(options) else 1)


if __name__ == "__main__":
    main()
