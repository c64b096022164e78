#!/usr/bin/env python3
"""How long one short query takes: through `q3 serve` over HTTP, and through OpenVINO within a process.

    Benchmarks/peers/.venv/bin/python Benchmarks/peers/latency.py --q3 PROGRAM [--rounds 5] [--queries 40] [--precisions auto fast]
        [--files Q4_K_M Q8_0 F16] [--kinds int4 int8 bf16] [--models FOLDER]

Queries of 8, 16 and 32 token ids, one at a time from one client. Engines take turns, a round of queries each; the median over all
queries is p50. q3's time is from the request's first byte to the answer's last, with JSON on both sides; OpenVINO's is the call. Every
vector of q3 has to come back the same in each round. Make the files with `Benchmarks/peers/run` first.
"""
import argparse
import http.client
import json
import pathlib
import random
import statistics
import time

from engines import HERE, OpenVINO
from serve import Server

LENGTHS = (8, 16, 32)
ORDINARY = 400  # ids below it are tokens of the fixtures' vocabulary, none of them special


def queries(length, count):
    r = random.Random(length)
    return [[r.randrange(ORDINARY) for _ in range(length)] for _ in range(count)]


class Served:
    """One server; a connection stays open, as a client's would."""

    def __init__(self, q3, file, precision):
        self.name = f"q3 serve, {file.stem} {precision}"
        self.server = Server([q3, "serve", "-m", str(file), "--precision", precision, "--port", "PORT"])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        self.known = {}

    def seconds(self, ids):
        start = time.perf_counter()
        answer = self.server.post({"input": [ids], "model": "m"}, self.connection)
        seconds = time.perf_counter() - start
        if answer is None:
            raise SystemExit(f"{self.name} refused a query of {len(ids)} ids")
        vector = answer["data"][0]["embedding"]
        if self.known.setdefault(tuple(ids), vector) != vector:
            raise SystemExit(f"{self.name} gave two vectors for one query")
        return seconds

    def close(self):
        self.connection.close()
        self.server.stop()


class InProcess:
    def __init__(self, kind, models):
        self.engine = OpenVINO(kind)
        self.name, self.file = f"{self.engine.name}, in process", models / "F16.gguf"

    def seconds(self, ids):
        return self.engine.worker.ask(model=str(self.file), kind=self.engine.kind, threads=2, lists=[ids], warm=False)["seconds"]

    def close(self):
        self.engine.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--models", type=pathlib.Path, default=HERE / ".models")
    parser.add_argument("--files", nargs="*", default=["Q4_K_M", "Q8_0", "F16"])
    parser.add_argument("--precisions", nargs="*", default=["auto", "fast"])
    parser.add_argument("--kinds", nargs="*", default=["int4", "int8", "bf16"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=40)
    a = parser.parse_args()
    engines = [Served(a.q3, a.models / f"{file}.gguf", step) for file in a.files for step in a.precisions]
    engines += [InProcess(kind, a.models) for kind in a.kinds]
    times = {(e.name, length): [] for e in engines for length in LENGTHS}
    try:
        for length in LENGTHS:
            work = queries(length, a.queries)
            for engine in engines:  # compiles, maps and warms what the first query of a length needs
                engine.seconds(work[0])
            for number in range(a.rounds):
                for engine in engines:
                    engine.seconds(work[0])
                    part = work[number * len(work) // a.rounds:(number + 1) * len(work) // a.rounds]
                    times[engine.name, length] += [engine.seconds(ids) for ids in part]
    finally:
        for engine in engines:
            engine.close()
    print("p50 of one query in milliseconds, " + f"{a.queries} queries in {a.rounds} rounds\n")
    print("| tokens | " + " | ".join(map(str, LENGTHS)) + " |\n|---|" + "--:|" * len(LENGTHS))
    for engine in engines:
        cells = [f"{1000 * statistics.median(times[engine.name, length]):.1f}" for length in LENGTHS]
        print(f"| {engine.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
