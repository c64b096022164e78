"""Debian's package descriptions, and which of them are held out: 2,000 packages, chosen by the hash of their names, at most one of each
source package and of each description. No package with the source, the long or the one-line description of a held-out one is trained on.

    python packages.py --lists WORK/sources/lists --held-out ../../../Benchmarks/packages     # writes that folder in BEIR's format
"""

import argparse
import hashlib
import json
import pathlib
import subprocess

HELD_OUT_COUNT = 2000


def paragraphs_of(path):
    """Yields each paragraph of an apt list as a dictionary; lines of a value keep their indentation."""
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path], capture_output=True, check=True).stdout.decode()
    for paragraph in text.split("\n\n"):
        fields, key = {}, None
        for line in paragraph.split("\n"):
            if line.startswith(" "):
                fields[key] += "\n" + line
            elif line:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        if fields:
            yield fields


def plain(lines):
    """The long description without Debian's layout: wrapped lines joined, " ." as a paragraph's end, two spaces as a line of its own."""
    text = ""
    for line in lines:
        if line.strip() == ".":
            text = text.rstrip() + "\n\n"
        elif line.startswith("  ") or not text or text.endswith("\n"):
            text = text.rstrip(" ") + ("\n" if text and not text.endswith("\n") else "") + line.strip()
        else:
            text += " " + line.strip()
    return text.strip()


def packages(lists):
    """Every package in a folder of apt lists once, by name: {"name", "source", "short", "long"}."""
    sources = {}
    for path in sorted(lists.glob("*_Packages*")):
        for fields in paragraphs_of(path):
            sources[fields["Package"]] = fields.get("Source", fields["Package"]).split(" ")[0]
    found = {}
    for path in sorted(lists.glob("*_Translation-en*")):
        for fields in paragraphs_of(path):
            short, *long = fields["Description-en"].split("\n")
            name = fields["Package"]
            if name in sources and name not in found and short.strip() and plain(long):
                found[name] = {"name": name, "source": sources[name], "short": short.strip(), "long": plain(long)}
    return [found[name] for name in sorted(found)]


def split(everything):
    held_out, names, sources, texts = [], set(), set(), set()
    for package in sorted(everything, key=lambda package: hashlib.sha256(package["name"].encode()).digest()):
        if len(held_out) == HELD_OUT_COUNT:
            break
        if package["source"] in sources or package["long"] in texts:
            continue
        held_out.append(package)
        names.add(package["name"])
        sources.add(package["source"])
        texts.add(package["long"])
    queries = {package["short"] for package in held_out}
    train = [
        package for package in everything
        if package["source"] not in sources and package["long"] not in texts and package["short"] not in queries
    ]
    return train, sorted(held_out, key=lambda package: package["name"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lists", type=pathlib.Path, required=True, help="folder of apt's lists")
    parser.add_argument("--held-out", type=pathlib.Path, required=True, help="folder for the search task")
    options = parser.parse_args()
    _, held_out = split(packages(options.lists))
    (options.held_out / "qrels").mkdir(parents=True, exist_ok=True)
    for name, key in (("corpus", "long"), ("queries", "short")):
        rows = (json.dumps({"_id": p["name"], "text": p[key]}, ensure_ascii=False) + "\n" for p in held_out)
        (options.held_out / f"{name}.jsonl").write_text("".join(rows))
    rows = "".join(f"{p['name']}\t{p['name']}\t1\n" for p in held_out)
    (options.held_out / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


if __name__ == "__main__":
    main()
