#!/usr/bin/env python3
"""What more threads than processors cost, and that they change no bit.

    Benchmarks/threads.py --q3 PROGRAM --model FILE [--threads 2 8 32] [--tokens 16 64 512] [--precision fast] [--rounds 3]

The first number of threads is what the others are compared with: tokens per second, medians of runs that take turns, and their
ratio. Every run must give the same bytes for the same texts. Run nothing else at the same time. With fewer processors than
threads this measures what waiting costs; whether many processors are used is counted by the test WorkShareTests.
"""
import argparse
import json
import statistics
import subprocess

TEXTS = ["a", "Where does the time go?", "many words " * 40, "one long text of many tokens, " * 120]


def seconds(a, threads, tokens):
    command = [a.q3, "bench", "--model", a.model, "--case", f"tokens:{tokens}", "--threads", str(threads), "--precision", a.precision,
               "--repeat", "3", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["seconds"]


def vectors(a, threads):
    command = [a.q3, "embed", "--model", a.model, "--threads", str(threads), "--precision", a.precision, "--format", "jsonl", "--input", "-"]
    return subprocess.run(command, check=True, capture_output=True, input="\n".join(TEXTS).encode()).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q3", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 64, 512])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    first = a.threads[0]
    truth = vectors(a, first)
    for threads in a.threads[1:]:
        if vectors(a, threads) != truth:
            raise SystemExit(f"{threads} threads give other vectors than {first}")
    print(f"{len(TEXTS)} texts have the same bytes with {', '.join(map(str, a.threads))} threads\n")
    print("| tokens | " + " | ".join(f"{n} threads" for n in a.threads) + " | slowest |\n|--:|" + "--:|" * (len(a.threads) + 1))
    for tokens in a.tokens:
        times = {threads: [] for threads in a.threads}
        for _ in range(a.rounds):
            for threads in a.threads:
                times[threads].append(seconds(a, threads, tokens))
        speed = {threads: tokens / statistics.median(times[threads]) for threads in a.threads}
        cells = " | ".join(f"{speed[n]:.0f}" for n in a.threads)
        print(f"| {tokens} | {cells} | {min(speed.values()) / speed[first]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
