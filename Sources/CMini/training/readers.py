"""Reads the formats that the training texts come in: each function yields ("kind", [texts that mean the same], ...) rows.

A row is (kind, texts): one text stands alone, two are a pair, the first of which asks for or names the second.
"""

import base64
import csv
import gzip
import html
import json
import pathlib
import re

BLOCK = re.compile(r"<(h[1-6]|title|term|dt|p|para|dd)\b[^>]*>(.*?)</\1\s*>", re.S | re.I)
FEW = re.compile(r"\b(the|a|an|of|to|and|is|are|in|for|or|that|with|by|from|as|it|be|you|on|not|this|can)\b", re.I)
# A paragraph that these begin says little without its neighbours.
TALK = re.compile(r"^(copyright|see also|note:|warning|this (page|section|chapter|document|manual)|permission is|the following)", re.I)


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def is_english(text):
    """Whether a text looks like English prose or a title: ASCII letters for the most part, and function words once it is long."""
    letters = sum(c.isascii() and (c.isalpha() or c == " ") for c in text)
    return len(text) > 1 and letters > 0.8 * len(text) and (len(text) < 60 or len(FEW.findall(text)) >= len(text) / 60)


def sentences(text):
    return [s for s in re.split(r"(?<=[a-z0-9)\"'][.!?])\s+(?=[A-Z\"'(])", squeeze(text)) if 25 <= len(s) <= 500]


def without_tags(text):
    return squeeze(html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style|footnote|indexterm|remark)\b.*?</\1>", "", text, flags=re.S))))


def pages(folder, pattern, kind):
    """HTML, DocBook and Mallard: paragraphs, the first after each heading paired with it."""
    for path in sorted(folder.rglob(pattern)):
        if not path.is_file():
            continue
        opener = gzip.open if path.suffix == ".gz" else open
        text = opener(path, "rb").read().decode("utf-8", "replace")
        heading = None
        for tag, inside in BLOCK.findall(text):
            # A block may hold others ("dd" around "p"): their opening tags remain after the last closing one.
            block = re.sub(r"\s+([.,;:)])", r"\1", without_tags(inside)).replace("¶", "").strip()
            if tag.lower()[0] == "h" or tag.lower() in ("title", "term", "dt"):
                block = re.sub(r"^(chapter |appendix |section )?[\dA-Z]?[\d.]+\.? ?", "", block, flags=re.I).strip()
                heading = block if 3 < len(block) < 90 and block.count("(") < 2 and is_english(block) else None
            elif 40 < len(block) and is_english(block) and not TALK.match(block):
                yield kind, [heading, block] if heading else [block]
                heading = None


def dictd(path):
    """Headword and entry of a dictd dictionary."""
    text = gzip.open(path).read()
    digits = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

    def number(word):
        value = 0
        for c in word:
            value = value * 64 + digits[c]
        return value

    index = path.with_name(path.name.replace(".dict.dz", ".index"))
    for line in open(index, encoding="utf-8", errors="replace"):
        word, *place = line.rstrip("\n").split("\t")
        if not word.startswith("00-") and len(place) >= 2:
            start = number(place[0])
            yield word, text[start : start + number(place[1])].decode("utf-8", "replace")


def gcide(path):
    """Senses of the dictionary with their word, and its notes. What it took from WordNet is left out: WordNet's own is read."""
    for _, entry in dictd(path):
        head = re.match(r"(.+?) \\", entry)
        if not head or len(head[1]) > 40:
            continue
        word = head[1].replace("`", "")
        body = re.sub(r"^.*?\\[^\n]*?\\", "", entry, count=1, flags=re.S)
        for piece in re.split(r"\[(?:1913 Webster|PJC|GG|RP|AS|Webster 1913 Suppl\.|Century Dict\.[^\]]*)\]", body):
            if "WordNet" in piece:
                continue
            piece = re.sub(r"\[(?:[^\[\]]|\[[^\]]*\])*\]|\([^)]*\)|[{}]", "", re.sub(r"\[a?e\]", "e", piece))
            piece = squeeze(re.sub(r"--[A-Z][\w. ]*(?=\s|$)", " ", piece))
            piece = re.sub(r"^[\s,.;]*(?:(?:n|a|v|t|i|adv|prep|pl|p|prop|imp|sing|conj|interj)\.[\s,;&]*)+", "", piece)
            piece = re.sub(r"^\d+\.\s*", "", piece).strip(" ,;.")
            if 12 < len(piece) and is_english(piece) and "Syn:" not in piece[:4]:
                parts = sentences(piece + ".")
                yield "dictionary", [word, piece if len(piece) < 240 or not parts else parts[0]]
                for part in parts[1:3]:
                    yield "dictionary", [part]


def foldoc(path, kind):
    for word, entry in dictd(path):
        body = squeeze(re.sub(r"<[^>]*>|\([^)]*\d{4}-\d\d-\d\d\)|[{}]", "", entry.split("\n", 1)[-1]))
        if len(body) > 30 and is_english(body) and len(word) < 50:
            yield kind, [word, body[:600]]


def wordnet(folder):
    """("words", "definition", ["examples"], "part", "lexical file") of each synset."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in open(folder / f"data.{part}"):
            if line.startswith("  "):
                continue
            fields, _, gloss = line.partition(" | ")
            fields = fields.split(" ")
            words = [re.sub(r"\(\w+\)$", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            examples = [e for e in re.findall(r'"([^"]+)"', gloss) if len(e) > 8]
            definition = squeeze(gloss.split('; "')[0])
            yield words, definition, examples, part, int(fields[1]), "@i " in line


def man_page(path):
    """(one line, description) of a manual page in man or mdoc, or None."""
    if not path.exists():  # a link to a page of another package
        return None
    text = gzip.open(path).read().decode("utf-8", "replace")
    if text.startswith(".so ") or ".Dd" not in text and ".TH" not in text:
        return None

    def plain(lines):
        words = []
        for line in lines:
            if line.startswith((".\\\"", "'\\\"", ".\"", ".nf", ".ft", ".de", ".if", ".ie", ".tr", ".ds", ".nr", ".TS", ".EQ", "..")):
                continue
            line = re.sub(r"^[.'](?:[BIR]{1,2}|SM|SB|[A-Z][a-z]|IP|TP|PP|LP|P|HP|[a-z]{2})\b ?", "", line)
            line = re.sub(r"\\f(?:\[[^\]]*\]|\([A-Z]{2}|.)|\\s[-+]?\d+|\\[&|^/,)]|\\\*\(..|\\m\[[^\]]*\]", "", line)
            line = re.sub(r"\\\((?:aq|cq|oq)", "'", re.sub(r"\\\((?:em|en|hy)", "-", re.sub(r"\\\((?:lq|rq|dq)", '"', line)))
            words.append(re.sub(r"\\[ ~0]", " ", re.sub(r"\\(?:\[..\]|\(..)", "", line)).replace("\\-", "-").replace("\\e", "\\").strip('"'))
        return squeeze(" ".join(words))

    parts = re.split(r"^\.S[Hh] +\"?([^\"\n]+)\"?\s*$", text, flags=re.M)
    sections = {name.strip().upper(): body.split("\n") for name, body in zip(parts[1::2], parts[2::2])}
    name = sections.get("NAME", [])
    described = next((line[4:] for line in name if line.startswith(".Nd ")), None)
    line = plain([described]) if described else re.split(r"\s-{1,2}\s|\s—\s", plain(name), maxsplit=1)[-1]
    body = plain(re.split(r"^\.S[Ss]\b", "\n".join(sections.get("DESCRIPTION", [])), flags=re.M)[0].split("\n"))[:900]
    if not (12 < len(line) < 150 and len(body) > 80 and is_english(line) and is_english(body)) or line.strip() in body:
        return None
    return line, body


def fortunes(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.suffix and path.parent.name == "fortunes":
            for text in re.split(r"\n%\n", path.read_text(errors="replace")):
                text = squeeze(text)
                if 20 < len(text) < 700 and is_english(text):
                    yield "quotes", [re.split(r"\s+-- ", text)[0]]


def game_items(folder):
    """Names and descriptions in the JSON of a game that has much of a household in it."""
    def named(value):
        if isinstance(value, dict):
            name, about = value.get("name"), value.get("description")
            name = name.get("str", name.get("str_sp")) if isinstance(name, dict) else name
            about = about.get("str") if isinstance(about, dict) else about
            if isinstance(about, str) and len(about) > 30 and "<" not in about and is_english(about):
                yield "things", [name, about] if isinstance(name, str) and is_english(name) else [about]
            for inner in value.values():
                yield from named(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from named(inner)

    for path in sorted(folder.rglob("*.json")):
        yield from named(json.load(open(path)))


def trivia(folder):
    """Question and answer of trivia lists in YAML, and the statement that both make."""
    for path in sorted(folder.rglob("*.yaml")):
        question = None
        for line in open(path, errors="replace"):
            line = line.rstrip()
            if match := re.match(r"""^(["']?)(.+?)\1:$""", line):
                question = match[2].replace('\\"', '"').replace("''", "'")
            elif question and (match := re.match(r"""^\s*- (["']?)(.+?)\1$""", line)):
                if len(question) > 15 and is_english(question):
                    yield "trivia", [question, f"{match[2]}. {question}"] if len(match[2]) < 4 else [question, match[2]]
                question = None


def dialogues(folder):
    """Question and answer of chat files in YAML."""
    for path in sorted(folder.rglob("english/*.yml")):
        turns = re.split(r"^- - ", path.read_text(), flags=re.M)[1:]
        for turn in turns:
            lines = [squeeze(line).strip("'\"") for line in re.split(r"^  - ", turn, flags=re.M)]
            for answer in lines[1:2]:
                if len(lines[0]) > 8 and len(answer) > 8 and is_english(lines[0]) and is_english(answer):
                    yield "trivia", [lines[0], answer]


def bible(path):
    for row in list(csv.reader(gzip.open(path, "rt")))[1:]:
        if len(row[-1]) > 30:
            yield "books", [re.sub(r"\{[^}]*\}", "", row[-1])[:400]]
