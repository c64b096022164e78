#!/usr/bin/env python3
"""Write Sources/Q3Tokenizer/UnicodeTables.swift: character classes and NFC data as Hugging Face `tokenizers` has them.

    pip install tokenizers      (made with 0.23.3 on Python 3.11)
    python3 Tests/Fixtures/make_unicode_tables.py

The library's regex engine and its normaliser follow two different Unicode versions (16 and about 10), so both are asked,
scalar by scalar, instead of trusting any one version of the Unicode database. Python's own database only proposes
decompositions and combining classes; what `tokenizers` does not know is dropped. At the end the tables are run through a
plain NFC and compared with `tokenizers` on random strings.
"""
import random
import unicodedata
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = Path(__file__).resolve().parents[2] / "Sources/Q3Tokenizer/UnicodeTables.swift"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
LETTER, NUMBER, SPACE = 1, 2, 3  # the two low bits of a run; CharacterClass in CharacterClasses.swift
UNSTABLE, MARK = 4, 8  # may change under NFC by itself; has a combining class
nfc = normalizers.NFC().normalize_str


def scalars_matching(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    found = set()
    for start in range(0, len(SCALARS), 4096):
        text = "".join(map(chr, SCALARS[start : start + 4096]))
        found.update(ord(c) for piece, _ in split.pre_tokenize_str(text) for c in piece)
    return found


def is_hangul_syllable(c):
    return 0xAC00 <= c < 0xD7A4


def canonical_decompositions():
    """scalar -> (first, second or 0), one step, as far as `tokenizers` knows them."""
    table = {}
    for c in SCALARS:
        parts = unicodedata.decomposition(chr(c))
        if not parts or parts.startswith("<"):
            continue
        parts = [int(p, 16) for p in parts.split()]
        # A scalar that NFC leaves alone is only known to the library if its parts compose to it.
        if nfc(chr(c)) != chr(c) or nfc("".join(map(chr, parts))) == chr(c):
            table[c] = (parts[0], parts[1] if len(parts) == 2 else 0)
    return table


def combining_classes():
    """scalar -> nonzero class. A mark is known if the library moves it across U+0345 (240), U+0334 (1) or U+093C (7)."""
    table = {}
    for c in SCALARS:
        value = unicodedata.combining(chr(c))
        probes = ["\u0345" + chr(c), chr(c) + "\u0334", chr(c) + "\u093c"]
        if value and any(nfc(p) == p[1] + p[0] for p in probes) or c in (0x0334, 0x0345):
            table[c] = value
    return table


def decomposed(c, decompositions):
    if is_hangul_syllable(c):
        index = c - 0xAC00
        tail = [0x11A7 + index % 28] if index % 28 else []
        return [0x1100 + index // 588, 0x1161 + index % 588 // 28] + tail
    if c not in decompositions:
        return [c]
    return [d for part in decompositions[c] if part for d in decomposed(part, decompositions)]


def plain_nfc(text, decompositions, compositions, classes):
    scalars = [d for c in text for d in decomposed(ord(c), decompositions)]
    start = 0
    for i in range(len(scalars) + 1):
        if i == len(scalars) or scalars[i] not in classes:
            scalars[start:i] = sorted(scalars[start:i], key=lambda c: classes.get(c, 0))
            start = i + 1
    out, starter, last = [], None, 0
    for c in scalars:
        klass = classes.get(c, 0)
        if starter is not None and (last < klass or last == 0 and starter == len(out) - 1):
            a = out[starter]
            pair = None
            if 0x1100 <= a < 0x1113 and 0x1161 <= c < 0x1176:
                pair = 0xAC00 + ((a - 0x1100) * 21 + c - 0x1161) * 28
            elif is_hangul_syllable(a) and (a - 0xAC00) % 28 == 0 and 0x11A8 <= c < 0x11C3:
                pair = a + c - 0x11A7
            else:
                pair = compositions.get((a, c))
            if pair is not None:
                out[starter] = pair
                continue
        if klass == 0:
            starter = len(out)
        last = klass
        out.append(c)
    return "".join(map(chr, out))


def check(decompositions, compositions, classes, seconds):
    rng = random.Random(1)
    interesting = sorted(set(decompositions) | set(classes) | seconds)
    interesting += [*range(0xAC00, 0xAC40), *range(0x1100, 0x1200)]

    def character():
        return chr(rng.choice(interesting)) if rng.random() < 0.8 else rng.choice("abeo\u00e9\u0439")

    for _ in range(300_000):
        text = "".join(character() for _ in range(rng.randint(1, 6)))
        if rng.random() < 0.3:
            text = unicodedata.normalize("NFD", text)
        ours = plain_nfc(text, decompositions, compositions, classes)
        assert ours == nfc(text), (ascii(text), ascii(ours), ascii(nfc(text)))


def runs(value):
    """[(first scalar, value)] wherever the value changes."""
    out = []
    for c in range(0x110000):
        if not out or out[-1][1] != value(c):
            out.append((c, value(c)))
    return out


def swift_array(name, comment, type_name, values, per_line):
    lines = [f"    /// {line}" for line in comment]
    lines.append(f"    static let {name}: [{type_name}] = [")
    for start in range(0, len(values), per_line):
        lines.append("        " + ", ".join(f"0x{v:x}" for v in values[start : start + per_line]) + ",")
    return "\n".join(lines + ["    ]"])


def main():
    letters, numbers, spaces = (scalars_matching(p) for p in (r"\p{L}", r"\p{N}", r"\s"))
    decompositions, classes = canonical_decompositions(), combining_classes()
    compositions = {
        pair: c for c, pair in decompositions.items() if pair[1] and nfc(chr(pair[0]) + chr(pair[1])) == chr(c)
    }
    seconds = {b for _, b in compositions} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    unstable = {c for c in SCALARS if nfc(chr(c)) != chr(c)} | seconds
    check(decompositions, compositions, classes, seconds)

    def properties(c):
        klass = LETTER if c in letters else NUMBER if c in numbers else SPACE if c in spaces else 0
        return klass | (UNSTABLE if c in unstable else 0) | (MARK if c in classes else 0)

    parts = [
        "// Unicode data as Hugging Face tokenizers 0.23 has it.",
        "// Written by Tests/Fixtures/make_unicode_tables.py; do not edit.",
        "// swift-format-ignore-file",
        "enum UnicodeTables {",
        swift_array("propertyRuns", ["`first scalar << 4 | properties` wherever these change, ascending. Bits are those of",
                                     "`CharacterProperties`: 0-1 class, 2 unstable under NFC, 3 has a combining class."],
                    "UInt32", [c << 4 | p for c, p in runs(properties)], 12),
        "",
        swift_array("combiningClassRuns",
                    ["`first scalar << 8 | canonical combining class` wherever it changes, ascending."], "UInt32",
                    [c << 8 | k for c, k in runs(lambda c: classes.get(c, 0))], 12),
        "",
        swift_array("decompositions",
                    ["`scalar << 42 | first << 21 | second` (second 0 for singletons), one step, ascending."], "UInt64",
                    [c << 42 | a << 21 | b for c, (a, b) in sorted(decompositions.items())], 7),
        "",
        swift_array("compositions", ["`first << 42 | second << 21 | composite`, ascending."],
                    "UInt64", [a << 42 | b << 21 | c for (a, b), c in sorted(compositions.items())], 7),
        "}",
    ]
    TARGET.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
