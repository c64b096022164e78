"""Step 1: Debian's package descriptions as training texts and as a held-out search task in BEIR's format.

    apt-get -o Acquire::Languages=en update     # brings the descriptions
    python data.py --work WORK --held-out ../../../Benchmarks/packages

2,000 packages are held out, chosen by the hash of their names, at most one of each source package and of each description. No package
with the source or the description of a held-out one is trained on.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess

LISTS = pathlib.Path("/var/lib/apt/lists")
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


def packages():
    """Every package once, by name: {"name", "source", "short", "long"}."""
    sources = {}
    for path in sorted(LISTS.glob("*_Packages*")):
        for fields in paragraphs_of(path):
            sources[fields["Package"]] = fields.get("Source", fields["Package"]).split(" ")[0]
    found = {}
    for path in sorted(LISTS.glob("*_Translation-en*")):
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


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for train.jsonl")
    parser.add_argument("--held-out", type=pathlib.Path, required=True, help="folder for the search task")
    options = parser.parse_args()
    everything = packages()
    train, held_out = split(everything)
    options.work.mkdir(parents=True, exist_ok=True)
    write_lines(options.work / "train.jsonl", train)
    folder = options.held_out
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    write_lines(folder / "corpus.jsonl", ({"_id": p["name"], "text": p["long"]} for p in held_out))
    write_lines(folder / "queries.jsonl", ({"_id": p["name"], "text": p["short"]} for p in held_out))
    rows = "".join(f"{p['name']}\t{p['name']}\t1\n" for p in held_out)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    print(f"{len(everything)} packages, {len(train)} to train on, {len(held_out)} held out")


if __name__ == "__main__":
    main()
