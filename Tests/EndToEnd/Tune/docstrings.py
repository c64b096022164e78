#!/usr/bin/env python3
"""A search task that q3-mini has not seen: what a function does, and its documentation without that sentence.

    pip download --no-deps --dest wheels networkx==3.6.1 scipy==1.17.0 scikit-learn==1.8.0
    Tests/EndToEnd/Tune/docstrings.py wheels/*.whl > pairs.jsonl

Reads the Python sources in wheels without running them. Of each public function, method or class with a docstring of two
paragraphs or more the first paragraph is the query and the rest the passage, cut to 1,200 characters; the name is in neither.
Of equal queries and of equal passages the first counts. None of these packages' documentation is among the sources of q3-mini
(Sources/CMini/training/sources.py).
"""
import ast
import inspect
import json
import re
import sys
import zipfile

LONGEST = 1200


def docstrings(source):
    """Cleaned docstrings of public definitions."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            text = ast.get_docstring(node)
            if text:
                yield node.name, inspect.cleandoc(text)


def plain(text):
    """Without the marks of reStructuredText that carry no words."""
    text = re.sub(r":[\w:]+:`~?([^`]*)`", r"\1", text)
    text = re.sub(r"^\s*[-=~^]{3,}\s*$", "", text, flags=re.M)
    text = re.sub(r"`+", "", text)
    return re.sub(r"\s+", " ", text).strip()


def main():
    queries, passages = set(), set()
    for path in sys.argv[1:]:
        package = path.split("/")[-1].split("-")[0]
        with zipfile.ZipFile(path) as wheel:
            for name in sorted(wheel.namelist()):
                if not name.endswith(".py") or "/tests/" in name or "/_" in name.rsplit("/", 1)[0]:
                    continue
                for function, text in docstrings(wheel.read(name).decode("utf-8", "replace")):
                    first, _, rest = text.partition("\n\n")
                    query, passage = plain(first), plain(rest)[:LONGEST]
                    if not 15 <= len(query) <= 200 or len(passage) < 120:
                        continue
                    # A sentence that names the function would be found by its name alone.
                    if re.search(rf"\b{re.escape(function)}\b", query + " " + passage, re.I):
                        passage = re.sub(rf"\b{re.escape(function)}\b", "f", passage, flags=re.I)
                        query = re.sub(rf"\b{re.escape(function)}\b", "f", query, flags=re.I)
                    if query.lower() in queries or passage.lower() in passages:
                        continue
                    queries.add(query.lower())
                    passages.add(passage.lower())
                    print(json.dumps({"query": query, "positive": passage, "id": f"{package}:{name}:{function}"}))


if __name__ == "__main__":
    main()
