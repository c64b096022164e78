#!/usr/bin/env python3
"""nDCG@10 of ways to cut Chinese and Japanese into words: python3 languages.py [Q3 VOCABULARY.gguf].

The sets are translated descriptions of Debian packages, of which the short one asks for the long one. They come from apt's lists:

    printf '#clear Acquire::Languages;\\nAcquire::Languages {"zh_CN"; "ja";};\\nDir::State::lists "/tmp/lists";\\n' > /tmp/apt.conf
    mkdir -p /tmp/lists/partial && APT_CONFIG=/tmp/apt.conf apt-get update
    LISTS=/tmp/lists python3 Tests/EndToEnd/Index/languages.py

SQLite searches them as an index does, by BM25 of any of the query's words. With Q3 and a GGUF that has Qwen3's vocabulary its BPE
pieces are tried as well.
"""
import glob, json, math, os, random, re, sqlite3, subprocess, sys, tempfile

UNSPACED = re.compile("[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f]+")
WORD = re.compile(r"\w+")


def read(language):
    [path] = glob.glob(f"{os.environ.get('LISTS', '/var/lib/apt/lists')}/*_bookworm_main_i18n_Translation-{language}*")
    show = ["lz4", "-dc", path] if path.endswith(".lz4") else ["cat", path]
    rows, seen = [], set()
    for block in subprocess.run(show, capture_output=True, check=True).stdout.decode().split("\n\n"):
        found = re.search(r"^Description-(?:zh_CN|ja): (.*)\n((?: .*\n?)*)", block, re.M)
        if not found: continue
        short = found[1].strip()
        long = "\n".join(line.strip() if line.strip() != "." else "" for line in found[2].split("\n")).strip()
        enough = lambda text, count: sum(map(len, UNSPACED.findall(text))) >= count
        if not enough(short, 4) or not enough(long, 30) or {short, long} & seen: continue
        seen |= {short, long}
        rows.append((short, long))
    random.Random(1).shuffle(rows)
    return rows[:1500]


def pairs(text, isIndexed):
    """As Sources/Q3Index/Words.swift has it."""
    terms = []
    for word in WORD.findall(text):
        if not UNSPACED.search(word): continue
        for part in re.findall(f"{UNSPACED.pattern}|{UNSPACED.pattern.replace('[', '[^', 1)}", word):
            if not UNSPACED.match(part): terms.append(part); continue
            terms += [part[at:at + 2] for at in range(len(part) - 1)]
            if isIndexed or len(part) == 1: terms.append(part[-1])
    return terms


def pieces(texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for text in texts: file.write(json.dumps({"text": text}) + "\n")
        file.flush()
        run = subprocess.run([sys.argv[1], "tokenize", "-m", sys.argv[2], "--format", "jsonl", "-i", file.name],
                             capture_output=True, text=True, check=True)
    return [" ".join(f"p{token}" for token in json.loads(line)["ids"]) for line in run.stdout.splitlines()]


def trigrams(text):
    flat = re.sub(r"\s+", " ", text.lower())
    return [flat[at:at + 3] for at in range(len(flat) - 2)]


def letters(text): return UNSPACED.sub(lambda found: f" {' '.join(found[0])} ", text)


def ndcg(rows, documents, queries, tokenizer="unicode61 remove_diacritics 2"):
    """`documents` are the columns of each, `queries` the lists of words; a star after a lone letter makes it a prefix."""
    database = sqlite3.connect(":memory:")
    columns = [f"c{number}" for number in range(len(documents[0]))]
    database.execute(f'CREATE VIRTUAL TABLE words USING fts5({", ".join(columns)}, tokenize="{tokenizer}")')
    places = ", ".join("?" for _ in columns)
    database.executemany(f"INSERT INTO words(rowid, {', '.join(columns)}) VALUES(?, {places})",
                         [(number, *document) for number, document in enumerate(documents)])
    total = 0
    for number, words in enumerate(queries):
        quoted = ['"' + word.rstrip("*").replace('"', '""') + '"' + ("*" if word.endswith("*") else "")
                  for word in list(dict.fromkeys(words))[:128]]
        hits = [row[0] for row in database.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid LIMIT 10", [" OR ".join(quoted)])]
        if number in hits: total += 1 / math.log2(hits.index(number) + 2)
    return total / len(rows)


for language in ["zh", "ja"]:
    rows = read(language)
    shorts, longs = [row[0] for row in rows], [row[1] for row in rows]
    words = lambda text: WORD.findall(text.lower())
    def terms(query):
        plain = [word for word in words(query) if not UNSPACED.search(word)]
        return plain + [term + ("*" if UNSPACED.fullmatch(term) and len(term) == 1 else "") for term in pairs(query.lower(), False)]
    figures = {
        "unicode61": ndcg(rows, [[text] for text in longs], [words(text) for text in shorts]),
        "trigram": ndcg(rows, [[text] for text in longs], [trigrams(text) for text in shorts], "trigram"),
        "letters": ndcg(rows, [[letters(text)] for text in longs], [words(letters(text)) for text in shorts]),
        "pairs (q3)": ndcg(rows, [[text, " ".join(pairs(text, True))] for text in longs], [terms(text) for text in shorts]),
    }
    if len(sys.argv) > 2:
        long_pieces, short_pieces = pieces(longs), pieces(shorts)
        figures["BPE pieces"] = ndcg(rows, [[text] for text in long_pieces], [text.split() for text in short_pieces])
        figures["BPE pieces and pairs"] = ndcg(
            rows, [[text, " ".join(pairs(text, True)), piece] for text, piece in zip(longs, long_pieces)],
            [terms(text) + piece.split() for text, piece in zip(shorts, short_pieces)])
    print(f"{language}: {len(rows)} packages: " + ", ".join(f"{name} {figure:.4f}" for name, figure in figures.items()), flush=True)
