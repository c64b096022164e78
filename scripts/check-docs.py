#!/usr/bin/env python3
"""Reads the Markdown files of this repository and fails on what no longer exists:

- a link to a file, or to a heading of one;
- a path in a code span, such as `Q3Model/Executor.swift`, from the root, Sources, CShims, Tests/EndToEnd or the page's own folder;
- in docs/walk.md, a name of Swift or C in a code span.

    scripts/check-docs.py [--root FOLDER]
"""
import argparse
import pathlib
import re
import subprocess
import sys

SOURCE = re.compile(r"^[\w.+-]+(/[\w.+-]+)+\.(swift|c|h|inc|py)$")


def anchors(text):
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ +(.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def missing_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target) or target.startswith("<"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists():
            yield f"a link to {target}"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"a link to {target}, which has no such heading"


def missing_paths(root, page, spans):
    for span in spans:
        places = [root, root / "Sources", root / "CShims", root / "Tests/EndToEnd", page.parent]
        if SOURCE.match(span) and "NAME" not in span and not any((place / span).exists() for place in places):
            yield f"the path {span}"


def missing_names(root, spans):
    """Names of the walk that no source file has."""
    files = [file for pattern in ("Sources/**/*.swift", "CShims/**/*.[ch]") for file in root.glob(pattern)]
    texts = [file.read_text() for file in files]
    known = set(re.findall(r"\w+", "\n".join(texts)))
    known.update(part for file in files for part in file.relative_to(root).with_suffix("").parts)
    for span in spans:
        if not re.search(r"[ \"]", span):
            yield from (f"the name {name}" for name in re.findall(r"[A-Za-z_]\w+", span) if name not in known)
        member = re.match(r"(\w+)\.(\w+)(\(.*)?$", span)
        if member and member.group(2) not in ("swift", "c") and not any(declares(text, member.group(1), member.group(2)) for text in texts):
            yield f"the member {span}"


def declares(text, owner, member):
    """Whether a file has a declaration or an extension of `owner` and a member of that name."""
    if not re.search(rf"\b(class|struct|enum|actor|extension) {owner}\b", text):
        return False
    return re.search(rf"\binit\b" if member == "init" else rf"\b(func|var|let|case) {member}\b", text) is not None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    root = parser.parse_args().root
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "*.md"], check=True, stdout=subprocess.PIPE, text=True)
    problems = []
    pages = [root / name for name in listed.stdout.split("\0") if name]
    for page in pages:
        text = without_blocks(page.read_text())
        spans = re.findall(r"`([^`\n]+)`", text)
        found = [*missing_links(page, text), *missing_paths(root, page, spans)]
        if page.relative_to(root).as_posix() == "docs/walk.md":
            found += missing_names(root, [span for span in spans if "/" not in span])
        problems += [f"{page.relative_to(root)}: {problem} does not exist" for problem in found]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(pages)} pages, {len(problems)} names that do not exist")
    sys.exit(1 if problems or not pages else 0)


if __name__ == "__main__":
    main()
