#!/usr/bin/env python3
"""q3 embed --resume: killed at random moments, on a full disk and with a changed input, against an undisturbed run.

    resume_test.py Q3 [--rows 20000] [--kills 100] [--forms jsonl,npy,raw,csv] [--seed 1] [--model MODEL]

Each form's job is killed with SIGKILL at random moments, and started again by the same command, until so many kills have hit
it. Some moments are in the start of the process, most anywhere in the run, some in its last milliseconds, when the output
gets its name; how far the job was at each kill is printed. Whenever the job ends, its bytes must be those of the undisturbed run,
and nothing may be left beside them. The full disk is a small tmpfs, which needs root and Linux; elsewhere that part is left
out, and said. Needs Python 3.10 and nothing else.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)


def check(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


class Job:
    def __init__(self, arguments, folder, rows):
        self.q3, self.model, self.folder = arguments.q3, arguments.model, Path(folder)
        words = "the old mill stands by a quiet river where boats bring grain and people tell stories at night".split()
        generator = random.Random(arguments.seed)
        self.undisturbed = {}
        self.other_model = str(Path(__file__).parents[2] / "Fixtures" / "tiny-embed-Q8_0.gguf")
        self.input = self.folder / "texts.jsonl"
        with self.input.open("w") as file:
            for index in range(rows):
                text = " ".join(generator.choices(words, k=generator.randint(1, 12)))
                file.write(json.dumps({"id": f"row {index}", "text": f"{text} {index}"}) + "\n")

    def command(self, output, *more, input=None):
        model = ["--model", self.model] if self.model else ["--model", "q3-mini"]
        return [self.q3, "embed", *model, "--dimensions", "32", "--input", str(input or self.input),
                "--output", str(output), *more]

    def expected(self, form):
        """Bytes, ids and seconds of an undisturbed run without --resume."""
        if form not in self.undisturbed:
            path = self.folder / f"expected.{form}"
            start = time.monotonic()
            outcome = run(self.command(path))
            check(outcome.returncode == 0, outcome.stderr)
            ids = self.folder / "expected.ids.txt"
            self.undisturbed[form] = (
                path.read_bytes(), ids.read_bytes() if form == "npy" else None, time.monotonic() - start)
        return self.undisturbed[form]


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def size(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def wait_for_end(process, part, bytes_at_end):
    """Returns in the last milliseconds of a job: once all of its rows are in the part, or it has ended."""
    while process.poll() is None and size(part) < bytes_at_end:
        time.sleep(0.001)


def kill_often(job, form, kills, generator):
    expected, ids, seconds = job.expected(form)
    folder = job.folder / f"killed-{form}"
    folder.mkdir()
    output, part = folder / f"out.{form}", folder / f"out.{form}.q3-part"
    command = job.command(output, "--resume")
    ended = resumed = named = 0
    tenths = []  # how much of the output was there at each kill
    while len(tenths) < kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        moment = generator.choice(["start", "early", "any", "any", "end"])
        if moment == "end":
            wait_for_end(process, part, len(expected))
        try:
            longest = {"start": 0.05, "early": 0.3, "any": max(seconds / 2, 0.5), "end": 0.02}[moment]
            process.wait(generator.random() * longest)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        message = process.communicate()[1]
        resumed += "resuming after" in message
        if process.returncode == -signal.SIGKILL:
            tenths.append(10 if output.exists() else 10 * size(part) // len(expected))
            named += output.exists()
            continue
        check(process.returncode == 0, f"{form}: status {process.returncode}: {message}")
        ended += 1
        compare(form, output, expected, ids, folder)
        for name in names(folder):
            (folder / name).unlink()
    # The last job, to its end.
    outcome = run(command)
    check(outcome.returncode == 0, f"{form}: status {outcome.returncode}: {outcome.stderr}")
    compare(form, output, expected, ids, folder)
    spread = " ".join(str(tenths.count(tenth)) for tenth in range(11))
    print(f"{form:6} {kills} kills, {resumed} resumptions, {ended + 1} jobs ended, all with the bytes of the undisturbed run "
          f"({len(expected)} bytes, {seconds:.1f} s); kills with 0, 10 .. 100 % of the output there: {spread}, "
          f"{named} of them after it had its name", flush=True)
    check(len({tenth for tenth in tenths if 0 < tenth < 10}) >= min(5, kills // 10), f"{form}: kills are not spread: {spread}")


def compare(form, output, expected, ids, folder):
    check(output.read_bytes() == expected, f"{form}: other bytes than the undisturbed run")
    wanted = [output.name] + (["out.ids.txt"] if ids is not None else [])
    check(names(folder) == sorted(wanted), f"{form}: left behind: {names(folder)}")
    if ids is not None:
        check((folder / "out.ids.txt").read_bytes() == ids, "other ids than the undisturbed run")


def fill_disk(job, form):
    """A disk that is too small ends the run with 74; with more space the same command goes on."""
    expected, ids, _ = job.expected(form)
    folder = job.folder / f"disk-{form}"
    folder.mkdir()
    small, large = max(len(expected) // 2, 1 << 16), 2 * len(expected) + (4 << 20)
    mounted = run(["mount", "-t", "tmpfs", "-o", f"size={small}", "tmpfs", str(folder)])
    if mounted.returncode != 0:
        print(f"{form:6} full disk: left out, no tmpfs can be mounted ({mounted.stderr.strip()})")
        return
    try:
        output = folder / f"out.{form}"
        command = job.command(output, "--resume")
        outcome = run(command)
        check(outcome.returncode == 74, f"{form}: status {outcome.returncode} on a full disk: {outcome.stderr}")
        check("the same command resumes" in outcome.stderr, f"{form}: {outcome.stderr}")
        check(not output.exists(), f"{form}: an output on a full disk")
        check(run(command).returncode == 74, f"{form}: the disk is still full")
        check(run(["mount", "-o", f"remount,size={large}", str(folder)]).returncode == 0, "cannot remount")
        outcome = run(command)
        check(outcome.returncode == 0 and "resuming after" in outcome.stderr, f"{form}: {outcome.stderr}")
        compare(form, output, expected, ids, folder)
        print(f"{form:6} full disk: ended with 74, went on, the bytes of the undisturbed run", flush=True)
    finally:
        run(["umount", str(folder)])


def change_input(job, form):
    """After a kill, another input, prompt, model setting or column is refused by name, and the first command still goes on."""
    expected, ids, seconds = job.expected(form)
    folder = job.folder / f"changed-{form}"
    folder.mkdir()
    output = folder / f"out.{form}"
    command = job.command(output, "--resume")
    part = folder / f"out.{form}.q3-part"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and size(part) < 4096:
        time.sleep(0.002)
    outcome = run(command)
    check(outcome.returncode == 69 and "another q3" in outcome.stderr, f"{form}: two at once: {outcome.stderr}")
    process.kill()
    process.wait()
    check(part.exists(), f"{form}: ended before it was killed; give more --rows")
    text = job.input.read_bytes()
    job.input.write_bytes(text[:-20] + b"X" + text[-19:])
    refusals = [(command, "texts.jsonl has changed")]
    for more, reason in [(["--dimensions", "16"], "--dimensions"), (["--truncate"], "--truncate"),
                         (["--parse-special"], "--parse-special"), (["--precision", "exact"], "fingerprint"),
                         (["--model", job.other_model], "fingerprint"), (["--type", "f16"], "--type"),
                         (["--shard", "1/2"], "--shard"), (["--text-column", "text"], "--text-column"),
                         (["--input", str(job.input)], "the number of inputs")]:
        refusals.append((command + more, reason))
    for index, (changed, reason) in enumerate(refusals):
        outcome = run(changed)
        check(outcome.returncode == 64 and "cannot resume" in outcome.stderr and reason in outcome.stderr,
              f"{form}: status {outcome.returncode} for {reason}: {outcome.stderr}")
        if index == 0:
            job.input.write_bytes(text)
    outcome = run(command)
    check(outcome.returncode == 0, f"{form}: {outcome.stderr}")
    compare(form, output, expected, ids, folder)
    print(f"{form:6} {len(refusals)} changes refused by name; the first command went on", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("q3")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--forms", default="jsonl,npy,raw,csv")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(arguments, folder, arguments.rows)
        for form in arguments.forms.split(","):
            kill_often(job, form, arguments.kills, generator)
            change_input(job, form)
            fill_disk(job, form)
    print("passed")


if __name__ == "__main__":
    main()
