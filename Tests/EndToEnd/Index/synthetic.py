#!/usr/bin/env python3
"""Makes an index of random unit vectors, as docs/index.md describes it, to measure searching: python3 synthetic.py Q3 INDEX ROWS DIMENSIONS.

Its chunks have made-up words. With DIMENSIONS 0 it says that it was made by q3-mini, so that `q3 search` searches it; otherwise it
belongs to no model, and `q3 index bench` searches it.
"""
import hashlib, os, sqlite3, struct, subprocess, sys
import numpy as np

q3, index, rows, dimensions = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
table = np.zeros(256, np.uint32)
for value in range(256):
    crc = value
    for _ in range(8): crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    table[value] = crc


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data: crc = crc >> 8 ^ int(table[(crc ^ byte) & 255])
    return crc ^ 0xFFFFFFFF


def spans(payload):
    """The checksums of every 64 KiB, all at once."""
    whole = len(payload) // 65536
    parts = np.frombuffer(payload, np.uint8, whole * 65536).reshape(whole, 65536)
    crc = np.full(whole, 0xFFFFFFFF, np.uint32)
    for column in range(65536 if whole else 0): crc = crc >> 8 ^ table[(crc ^ parts[:, column]) & 255]
    sums = list(crc ^ np.uint32(0xFFFFFFFF))
    if len(payload) % 65536: sums.append(crc32c(payload[whole * 65536:]))
    return np.array(sums, "<u4").tobytes()


def sealed(header):
    header += bytes(60 - len(header))
    return header + struct.pack("<I", crc32c(header))


def pad(data): return data + bytes(-len(data) % 64)


subprocess.run([q3, "index", "create", index], check=True, stdout=subprocess.DEVNULL)
catalog = sqlite3.connect(f"{index}/catalog.sqlite")
meta = dict(catalog.execute("SELECT key, value FROM meta"))
if dimensions:
    meta |= {"dimensions": dimensions, "fingerprint": "0123456789abcdef", "model": "random vectors"}
    catalog.executemany("UPDATE meta SET value = ?2 WHERE key = ?1", list(meta.items()))
dimensions, fingerprint = int(meta["dimensions"]), int(meta["fingerprint"], 16)
catalog.execute("INSERT INTO sources VALUES(1, 'stream', 'random', '', '')")
catalog.execute("INSERT INTO files VALUES(1, 1, X'72', 0, 0, 0, X'00', NULL)")
catalog.execute("INSERT INTO documents VALUES(1, 1, NULL, 'random', 'record', NULL, NULL)")
random = np.random.default_rng(15)
words = [f"word{n}" for n in range(5000)]
slot, number, block = 0, 1, 16384
while slot < rows:
    with open(f"{index}/vectors/{number:06}.seg", "wb") as file:
        first = slot
        file.write(sealed(struct.pack("<8sIIQI", b"Q3VECSEG", 1, dimensions, fingerprint, number)))
        while slot < rows and slot - first < 65536:
            count = min(block, rows - slot)
            floats = random.standard_normal((count, dimensions), np.float32)
            floats /= np.linalg.norm(floats, axis=1, keepdims=True)
            scales = np.abs(floats).max(axis=1) / np.float32(127)
            integers = np.zeros((count, -(-dimensions // 64) * 64), np.int8)
            integers[:, :dimensions] = np.rint(floats / scales[:, None]).clip(-127, 127)
            payload = pad(scales.astype("<f4").tobytes()) + integers.tobytes() + pad(floats.astype("<f4").tobytes())
            sums = spans(payload)
            file.write(sealed(struct.pack("<8sIIQI", b"Q3VECBLK", count, dimensions, slot, crc32c(sums))) + payload + pad(sums))
            texts = [" ".join(words[w] for w in random.zipf(1.3, 60) % 5000) for _ in range(count)] if rows <= 200_000 else [""] * count
            catalog.executemany(
                "INSERT INTO chunks(id, document, byte_start, byte_end, line_start, line_end, context, text, tokens, sha256, slot) VALUES(?, 1, 0, 0, 1, 1, '', ?, 60, ?, ?)",
                [(slot + n + 1, text, struct.pack("<Q", slot + n), slot + n) for n, text in enumerate(texts)])
            slot += count
        catalog.execute("INSERT INTO segments VALUES(?, ?, ?, ?)", [number, first, slot - first, file.tell()])
    number += 1
catalog.execute("INSERT INTO words(words) VALUES('rebuild')")
catalog.commit()
