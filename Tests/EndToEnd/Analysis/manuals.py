#!/usr/bin/env python3
"""German and English manual pages mined as bitext: how many of the pages that are translations of each other are found.

    Tests/EndToEnd/Analysis/manuals.py Q3 FOLDER [--model MODEL] [--vectors GERMAN.npy ENGLISH.npy]

Fetches Debian's packages manpages, manpages-dev, manpages-de and manpages-de-dev with apt-get into FOLDER, takes the line of each
page that says what it is about ("stat: get file status"), without the name of the page, and asks q3 mine bitext which German line
belongs to which English one. --vectors are those of another program for german.txt and english.txt of FOLDER. A model that was
trained in English alone finds little: what names and numbers the lines share.
"""
import argparse
import gzip
import json
import pathlib
import re
import subprocess

PAIRS = {"manpages": "manpages-de", "manpages-dev": "manpages-de-dev"}
NAMES = r"NAME|BEZEICHNUNG"


def summary(path):
    """What a page says that it is about; None for one that only points to another."""
    text = gzip.open(path, "rt", errors="replace").read()
    found = re.search(rf'^\.(?:SH|Sh)\s+"?(?:{NAMES})"?\s*\n(.+?)(?=^\.(?:SH|Sh)\b)', text, re.M | re.S)
    if not found:
        return None
    lines = [re.sub(r"^\.(?:Nm|Nd|B|I|BR|PP|P)\b\s*", "", line) for line in found[1].splitlines() if not line.startswith((".\\\"", ".nh", ".ad"))]
    line = re.sub(r"\\f.|\\&|\\%|\\:", "", " ".join(lines)).replace("\\(em", "-").replace("\\(en", "-").replace("\\-", "-")
    parts = re.split(r"\s+[-–—]+\s+", line, maxsplit=1)
    words = re.sub(r"\\\((.)q", "", re.sub(r"\\[\w(*].?", " ", parts[-1])) if len(parts) > 1 else ""
    return " ".join(words.split()) or None


def pages(folder, root):
    return {path.relative_to(folder / root).as_posix(): path for path in sorted((folder / root).glob("man*/*.gz"))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("q3")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model")
    parser.add_argument("--vectors", nargs=2)
    parser.add_argument("--threshold", type=float, default=1.06)
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(exist_ok=True)
    both = []
    for english, german in PAIRS.items():
        for package in (english, german):
            if not (folder / package).exists():
                subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
                (archive,) = folder.glob(f"{package}_*.deb")
                subprocess.run(["dpkg-deb", "-x", archive.name, package], cwd=folder, check=True)
        mine, theirs = pages(folder / english, "usr/share/man"), pages(folder / german, "usr/share/man/de")
        both += [(summary(theirs[name]), summary(mine[name])) for name in sorted(mine.keys() & theirs.keys())]
    # A summary that several pages share has no one translation.
    both = [(german, english) for german, english in both if german and english and german != english]
    for side in (0, 1):
        counts = {}
        for pair in both:
            counts[pair[side]] = counts.get(pair[side], 0) + 1
        both = [pair for pair in both if counts[pair[side]] == 1]
    for name, side in (("german.txt", 0), ("english.txt", 1)):
        (folder / name).write_text("".join(pair[side] + "\n" for pair in both))
    command = [arguments.q3, "mine", "bitext", "-i", folder / "german.txt", "--against", folder / "english.txt", "--json"]
    if arguments.model:
        command += ["--model", arguments.model]
    if arguments.vectors:
        command += ["--vectors", arguments.vectors[0], "--against-vectors", arguments.vectors[1]]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    print(done.stderr.strip().splitlines()[-1])
    for least in (0, arguments.threshold, 1.2):
        taken = [pair for pair in found if pair["score"] >= least]
        right = sum(pair["left"]["index"] == pair["right"]["index"] for pair in taken)
        print(f"{len(both)} pages; score of {least} and more: {len(taken)} pairs, {right} right: precision {right / max(1, len(taken)):.3f}, recall {right / len(both):.3f}")
    for pair in found[:8]:
        print(f"   {pair['score']:.3f}  {pair['left']['text']}  |  {pair['right']['text']}")


if __name__ == "__main__":
    main()
