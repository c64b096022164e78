#!/usr/bin/env python3
"""Kills `q3 index add`, `update` and `compact` at random moments and audits after each: python3 crash.py Q3 [KILLS] [SEED].

Nothing may be lost but the window that was being written, and nothing may be damaged. After every kill
- the audit embeds every chunk again and finds the same bits;
- every chunk that was committed before the kill, and whose file did not change, is still there;
- SQLite, by Python's own library, finds the catalog whole.
At the end one update without a kill must give exactly the chunks of an index that was never disturbed.
"""
import hashlib, os, random, signal, sqlite3, subprocess, sys, tempfile, time

q3 = os.path.abspath(sys.argv[1])
kills = int(sys.argv[2]) if len(sys.argv) > 2 else 200
dice = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 15)
WORDS = "key lock door window river stone bread salt letter number engine wheel garden winter paper colour music".split()


def write(path, paragraphs):
    with open(path, "w") as file:
        for _ in range(paragraphs):
            file.write(" ".join(dice.choice(WORDS) for _ in range(dice.randint(20, 120))) + ".\n\n")


def run(*arguments):
    result = subprocess.run([q3, "index", *arguments], capture_output=True, text=True)
    assert result.returncode == 0, (arguments, result.returncode, result.stdout, result.stderr)
    return result.stdout


def chunks(index):
    """Every committed chunk, with the SHA-256 of the file that it was made of; None where that was not finished."""
    with sqlite3.connect(f"file:{index}/catalog.sqlite?mode=ro", uri=True) as catalog:
        assert catalog.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = catalog.execute(
            "SELECT CAST(f.path AS TEXT), c.byte_start, c.byte_end, c.sha256, f.sha256 FROM chunks c "
            "JOIN documents d ON d.id = c.document JOIN files f ON f.id = d.file")
        return {(path, start, end, bytes(digest)): whole and bytes(whole) for path, start, end, digest, whole in rows}


def on_disk(path):
    try:
        with open(path, "rb") as file: return hashlib.sha256(file.read()).digest()
    except FileNotFoundError: return None


def timed(*arguments):
    start = time.monotonic()
    run(*arguments)
    return time.monotonic() - start


with tempfile.TemporaryDirectory() as folder:
    docs, index = f"{folder}/docs", f"{folder}/test.q3i"
    os.mkdir(docs)
    for number in range(60):
        write(f"{docs}/{number}.txt", dice.randint(1, 12))
    run("create", index, "--chunk-tokens", "64")
    adding = timed("add", index, docs)
    # A kill comes at any moment of a run, so it must be known how long one takes here; each that ends tells more.
    duration = {"add": adding, "update": adding, "compact": timed("compact", index)}
    interrupted = 0
    for round in range(kills):
        for _ in range(dice.randint(1, 25)):
            name = f"{dice.randrange(90)}.txt"
            if os.path.exists(f"{docs}/{name}") and dice.random() < 0.25:
                os.remove(f"{docs}/{name}")
            else:
                write(f"{docs}/{name}", dice.randint(1, 12))
        before = chunks(index)
        command = dice.choice(["add", "update", "update", "compact"])
        arguments = [q3, "index", command, index] + ([docs] if command == "add" else [])
        start = time.monotonic()
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            _, errors = process.communicate(timeout=dice.uniform(0, duration[command]))
            assert process.returncode == 0, errors
            duration[command] = max(0.05, 0.7 * duration[command] + 0.3 * (time.monotonic() - start))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            interrupted += 1
            duration[command] *= 1.03
        after = chunks(index)
        # A file that an earlier kill left unfinished may be read anew, and so is one that changed since it was read.
        now = {name: on_disk(f"{docs}/{name}") for name in {chunk[0] for chunk in before}}
        lost = [chunk for chunk, whole in before.items()
                if chunk not in after and (command == "compact" or whole and whole == now[chunk[0]])]
        assert not lost, (round, command, lost[:3])
        report = run("audit", index, "--all")
        numbers = report.strip().splitlines()[-1].split()
        assert numbers[3] == numbers[5], report
        print(f"\r{round + 1} of {kills}, {interrupted} killed, {len(after)} chunks", end="", flush=True)
    print()
    run("update", index)
    other = f"{folder}/undisturbed.q3i"
    run("create", other, "--chunk-tokens", "64")
    run("add", other, docs)
    assert chunks(index) == chunks(other), "other chunks than an index that was never disturbed"
    run("compact", index)
    assert chunks(index) == chunks(other)
    names = os.listdir(f"{index}/vectors")
    with sqlite3.connect(f"file:{index}/catalog.sqlite?mode=ro", uri=True) as catalog:
        known = [f"{number:06}.seg" for number, in catalog.execute("SELECT number FROM segments")]
    assert sorted(names) == sorted(known), (names, known)
    print(f"{kills} rounds, {interrupted} of them killed: nothing lost, nothing damaged")
