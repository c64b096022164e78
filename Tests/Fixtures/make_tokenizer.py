#!/usr/bin/env python3
"""Write the tokenizer fixtures of the tests: a small vocabulary, and what Hugging Face `tokenizers` makes of texts.

    pip install tokenizers gguf      (made with 0.23.3, 0.19.0)
    python3 Tests/Fixtures/make_tokenizer.py
    python3 Tests/Fixtures/make_tokenizer.py --compare .build/debug/q3 10000 1    (10,000 new texts from seed 1)

Everything comes from this folder and fixed seeds; no file and no network is needed.

`tokenizer.gguf`: metadata only, a byte-level BPE trained on the texts below, with Qwen3's added tokens.
`tokenizer.jsonl`: one text a line: {"group", "text", "ids", "special"?, "pieces"}.
    ids: the text read literally (nothing in it is an added token); special: with added tokens matched, where that
    differs; pieces: lengths in bytes of what the pre-tokenizer makes of the text in NFC, read literally.
`tokenizer-runs.jsonl`: long texts of one repeated unit: {"unit", "count", "lead", "runs": [[[id, ...], times], ...]}.
    The text is lead + unit * count.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import gguf
from tokenizers import Regex, normalizers, pre_tokenizers

from generator import texts
from generator.tokenizer import PATTERN, Vocabulary

HERE = pathlib.Path(__file__).resolve().parent
BASE_TOKENS = 1600
SEED = 20260

PROSE = """
The lighthouse keeper wrote down the weather every morning, and every evening he wrote down the ships. Nobody
had asked him
to do the second thing. When the harbour office finally read the books, they found forty years of trade between
towns that
swore they had never traded. I'll say it wasn't what they'd hoped for; they've been arguing ever since, and
we're told it's
not over. Measure twice, cut once: 3.14159, 2.71828, 1,000,000 and -40 degrees (which is the same in both
scales).
Die Bäckerei öffnet um sechs Uhr, aber der Duft von frischem Brot zieht schon vorher durch die ganze Straße.
Übermorgen
müssen wir früher aufstehen, weil die Züge während der Bauarbeiten häufig ausfallen. Größere Städte hätten
längst Busse.
Les élèves répètent la leçon à voix haute; où qu'on aille, on entend les mêmes phrases. C'était déjà ainsi
l'année dernière.
El señor Núñez vendió la montaña más pequeña por un cigüeñal usado. ¿Quién lo habría dicho? ¡Qué vergüenza!
A manhã começou com chuva, mas à tarde o sol voltou e as crianças correram até a praça. Não há pão como o de São
João.
Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń. Árvíztűrő tükörfúrógép. Şişli'de ılık bir akşamüstü.
Старый мельник каждое утро проверял уровень воды и записывал его в тетрадь. Через сорок лет тетрадь стала важнее
мельницы.
Ο φάρος άναβε κάθε βράδυ την ίδια ώρα, και οι ψαράδες ρύθμιζαν τα ρολόγια τους με το φως του.
كان حارس المنارة يكتب حالة الطقس كل صباح، وفي المساء كان يكتب أسماء السفن. השומר כתב את מזג האוויר בכל בוקר.
हर सुबह वह मौसम लिखता था और हर शाम जहाज़ों के नाम। कोई नहीं जानता था कि वह ऐसा क्यों करता है।
ทุกเช้าเขาจดสภาพอากาศ และทุกเย็นเขาจดชื่อเรือที่ผ่านไป ไม่มีใครรู้ว่าทำไม
Mỗi buổi sáng ông ghi lại thời tiết, và mỗi buổi tối ông ghi tên những con tàu đi qua. Không ai biết vì sao.
灯塔看守人每天早上记录天气，每天晚上记录船只。没有人要求他做第二件事。四十年后，港口办公室终于读到了这些笔记本。
灯台守は毎朝天気を書き、毎晩船の名前を書いた。誰も理由を知らなかった。コンピューターもインターネットもない時代だった。
등대지기는 매일 아침 날씨를 적고 매일 저녁 배의 이름을 적었다. 아무도 그 이유를 몰랐다. 사십 년이 지났다.
👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇫🇷 👍🏽 😀😀😀 🚀🚀 ❤️ ✔️ ½ ² Ⅷ ① ∑ ∫ ≠ ≤ → ← “quoted” ‘single’ … — – •
"""

CODE = """
#include <vector>
template <typename T> class Queue {
public:
    void push(T value) { values_.push_back(std::move(value)); }
    bool empty() const noexcept { return values_.empty(); }
private:
    std::vector<T> values_;  // in the order of insertion
};

def read_lines(path, encoding="utf-8"):
    with open(path, encoding=encoding) as file:
        return [line.rstrip("\\n") for line in file if not line.startswith("#")]

func encode(_ text: String) throws -> [Int32] {
    guard !text.isEmpty else { return [] }
    return try tokenizer.encode(text).map { Int32($0) }
}

{"name": "q3", "tags": ["gguf", "embedding"], "nested": {"a": [1, 2, 3], "b": null, "c": true}}
SELECT id, count(*) FROM ships WHERE harbour = 'north' GROUP BY id HAVING count(*) > 10;
<div class="row"><a href="https://example.org/path?q=1&amp;r=2">link</a></div>
    if (x != 0 && y >= 10) { x += y; } else { x -= 1; }
\t\t// ----------------------------------------------------------------
================================================================
"""

EDGES = [
    "", " ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "\n \n", "  \n\n  x", " \r\n\r\n a", "a \t\n", "Hello world",
    " Hello  world ", "I'll we've THEY'RE it'S don't 'tis 'Twas o'clock'd", "'ſa It'ſ 'Sx 'REx 'rx 'lx 'llx 'VEx",
    "''s '' 'é", "x'", "'", "3.14159 1234567890 ½ Ⅷ ² ① ٣٤ 一二", "a1b2 c3", " 1 2", "naïve café",
    "cafe\u0301 nai\u0308ve",
    "\u212b \u0958 \ufb1d \u1112\u1161\u11ab \u1100\u1161 \uac00\u11a8",
    "\u0344 \u0374 \u2126 \uf900 \U0002f800 \U0001d15e",
    "q\u0307\u0323 q\u0323\u0307 \u1e0b\u0323 d\u0307\u0323 a\u0315\u0300\u05ae\u0062", "\u0301", "\u0301a\u0301",
    "\u0345\u0301\u0334", "\u0f71\u0f72\u0f74 \u0fb2\u0f81", "\u09c7\u09be \u0dd9\u0dcf\u0dca",
    "\U00011131\U00011127 \U00011935\U00011930",
    "\u1100\u1161\u11a7 \u1100\u1161\u11a8\u11a8 \uac01\u11a8 \u1113\u1161", "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽",
    "a\u200bb\u200dc\ufeffd", "\u200f\u202eabc\u202c", "a\u00a0b\u2003c\u2028d\u2029e\u0085f\u180eg\u3000h",
    "\ufeffBOM first", "in \ufeff side", "a\rb\r\rc\r\n", "\x00\x01\x1f nul a\x00b", "a\x00b",
    "\ufffe\uffff \U0010ffff \ue000 \ufdd0", "!?" * 9, "x=-1;\n\n\ny", "#!/bin/sh\r\n\r\n", "a.\n b", "…\n\n",
    "　全角　スペース　", "ß'ẞ ŉ ΐ İi", "\u1d79 \u1c89 \U000105c0 \U0001e4f0 \U00016d70 \u0897",
]

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " \t\n\r",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "äöüßéèêçñøåæ", "абвгдежзийклмн", "αβγδεζηθ", "的一是不了人我在有他这", "のにはをたがでて",
    "가나다라마바사", "ابتثجحخد", "अआइईउऊकखग", "กขคงจ", "\u0301\u0308\u0327\u200d\u200b\ufe0f", "😀🎉🚀🏳🇫🇷", "’“”…—–•",
    "\u00a0\u2003\u3000",
]


def character(rng):
    c = rng.randrange(1, rng.choice([0x80, 0x800, 0x10000, 0x110000]))
    return chr(c) if not 0xD800 <= c < 0xE000 else "?"


def generators(vocabulary, sample):
    """Name -> (what makes one random text, how many). The kinds follow llama.cpp's tests/test-tokenizer-random.py."""
    added = vocabulary.tokens[BASE_TOKENS:]
    words = [w for w in vocabulary.literal.decode_batch([[i] for i in range(BASE_TOKENS)]) if "\ufffd" not in w]
    characters = sorted(set("".join(words)))
    sample_words = sample.split()
    unstable = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000
                and (unicodedata.combining(chr(c)) or unicodedata.normalize("NFD", chr(c)) != chr(c))]

    def joined(choose, low, high, separators=("",)):
        return lambda r: "".join(choose(r) + r.choice(separators) for _ in range(r.randint(low, high)))

    def ascii_stripped(r):
        white = ["", " ", "  ", "\n", "\t", " \n"]
        return r.choice(white) + chr(r.randrange(1, 128)) + r.choice(white) + chr(r.randrange(1, 128)) + r.choice(white)

    def apostrophe(r):
        parts = ["'", "''", "s", "S", "ſ", "t", "re", "RE", "ve", "m", "ll", "lL", "d", " ", "\n", "1", "é", "x"]
        return "".join(r.choice(parts) if r.random() < .6 else "'" for _ in range(r.randint(2, 9)))

    def added_stripped(r):
        white = ["", " ", "  ", "\n", "e\u0301", "x"]
        return "".join(r.choice(white) + r.choice(added) + r.choice(white) for _ in range(r.randint(1, 3)))

    def added_broken(r):
        token = r.choice(added)
        cut = r.randrange(len(token))
        head, tail = token[:cut], token[cut:]
        return r.choice([head, tail, head + token, head + " " + tail, "<" + token + ">"])

    def mixed(r):
        groups = r.sample(ALPHABETS, r.randint(1, 5))
        extra = [" the", "ing", "'s", " don't", "\n\n", "  ", " 2024"]
        count = r.choice([3, 8, 20, 60])
        return "".join(r.choice(r.choice(groups)) if r.random() < .8 else r.choice(extra) for _ in range(count))

    def slice_of_sample(r):
        start = r.randrange(len(sample) - 60)
        return sample[start : start + r.randint(5, 60)]

    def nfc(r):
        count = r.randint(2, 8)
        return "".join(r.choice(unstable) if r.random() < .7 else r.choice("aeo\u0439\u1100") for _ in range(count))

    return {
        "sample": (slice_of_sample, 60),
        "ascii stripped": (ascii_stripped, 40),
        "apostrophe": (apostrophe, 40),
        "added stripped": (added_stripped, 30),
        "added broken": (added_broken, 30),
        "mixed": (mixed, 60),
        "unicode": (joined(character, 2, 12), 50),
        "vocabulary characters": (joined(lambda r: r.choice(characters), 2, 30), 40),
        "vocabulary words": (joined(lambda r: r.choice(words), 2, 12), 50),
        "words": (joined(lambda r: r.choice(sample_words), 2, 8, (" ", "  ", "\n", "")), 40),
        "nfc": (nfc, 80),
        "long piece": (joined(lambda r: r.choice("abcdeinorst"), 100, 300), 12),
    }


def record(group, text, vocabulary):
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    pieces = split.pre_tokenize_str(normalizers.NFC().normalize_str(text)) if text else []
    ids, special = vocabulary.encode(text), vocabulary.encode_template(text)
    line = {"group": group, "text": text, "ids": ids, "pieces": [len(p.encode()) for p, _ in pieces]}
    return line | ({"special": special} if special != ids else {})


def run_record(lead, unit, count, vocabulary):
    """Ids as repeated groups: from left to right, the group of up to four ids that repeats furthest."""
    ids, runs, at = vocabulary.encode(lead + unit * count), [], 0
    while at < len(ids):
        best = (1, 1)
        for size in range(1, 5):
            times = 1
            while ids[at + times * size : at + (times + 1) * size] == ids[at : at + size]:
                times += 1
            best = max(best, (times, size), key=lambda b: (b[0] * b[1] if b[0] > 1 else 1, -b[1]))
        times, size = best
        runs.append([ids[at : at + size], times])
        at += times * size
    return {"lead": lead, "unit": unit, "count": count, "runs": runs}


def write_lines(name, records):
    text = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in records)
    # Line separators that JSON allows in strings but a reader of lines may not.
    for separator in "\u0085\u2028\u2029":
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    (HERE / name).write_text(text, encoding="utf-8", newline="\n")


def trained_vocabulary():
    runs = ["=" * 64, " " * 32, "A" * 16, "\n" * 8]
    corpus = texts.corpus() + PROSE.split("\n") * 3 + CODE.split("\n") * 2 + runs * 40
    return Vocabulary(corpus, BASE_TOKENS)


def compare(q3, count, seed):
    """Compare `q3 tokenize` with the reference on `count` new texts of all generators; return how many differ."""
    vocabulary, rng = trained_vocabulary(), random.Random(seed)
    kinds = [generate for generate, _ in generators(vocabulary, PROSE + CODE).values()]
    samples = [kinds[i % len(kinds)](rng) for i in range(count)]
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "texts.jsonl")
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in samples), encoding="utf-8")
        for encode, options in [(vocabulary.encode, []), (vocabulary.encode_template, ["--parse-special"])]:
            command = [q3, "tokenize", "--model", HERE / "tokenizer.gguf", "--format", "jsonl", "--input", file, *options]
            lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
            assert len(lines) == count, f"{len(lines)} answers for {count} texts"
            for text, line in zip(samples, lines):
                if json.loads(line)["ids"] != encode(text):
                    differing += 1
                    print("differs:", ascii(text), *options)
    print(f"{count} texts, read literally and with added tokens: {differing} differ")
    return differing


def main():
    vocabulary = trained_vocabulary()
    writer = gguf.GGUFWriter(HERE / "tokenizer.gguf", "qwen3")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types([int(t) for t in vocabulary.types])
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.id("<|endoftext|>"))
    writer.add_pad_token_id(vocabulary.id("<|endoftext|>"))
    writer.add_add_eos_token(True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()

    rng = random.Random(SEED)
    sample = PROSE + CODE
    records = [record("edges", text, vocabulary) for text in EDGES]
    records += [record("lines", line, vocabulary) for line in sample.split("\n") if line]
    records += [record("added", f"a{t}b {t}", vocabulary) for t in vocabulary.tokens[BASE_TOKENS:]]
    for group, (generate, count) in generators(vocabulary, sample).items():
        records += [record(group, generate(rng), vocabulary) for _ in range(count)]
    write_lines("tokenizer.jsonl", records)

    long = [
        ("", "A", 43_000), ("", "Z", 26_000), ("", "Z", 131_072), ("", "\n", 100_000), ("", " ", 100_001),
        ("x", "=", 50_000), ("", "1", 10_000), ("", "é", 30_000), ("", "😀", 10_000), ("", "ab", 50_000),
        ("", "the", 33_333), ("a", "\u0301", 100_000), ("a", "\u0301\u0327\u0334", 30_000), ("", "e\u0301", 20_000),
        ("", "\u1112\u1161\u11ab", 10_000), ("", "\r\n", 10_000),
    ]
    write_lines("tokenizer-runs.jsonl", [run_record(*run, vocabulary) for run in long])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compare"]:
        sys.exit(compare(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])) > 0)
    main()
