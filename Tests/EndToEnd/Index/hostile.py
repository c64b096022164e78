#!/usr/bin/env python3
"""What folders, disks and users do to an index: python3 hostile.py Q3. As root it also fills a small disk, and makes one read-only."""
import json, os, shutil, sqlite3, subprocess, sys, tempfile, threading, time

q3 = os.path.abspath(sys.argv[1])


def run(*arguments, status=0, **more):
    result = subprocess.run([q3, *map(str, arguments)], capture_output=True, timeout=600, **more)
    output, errors = result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
    assert result.returncode == status, (arguments, result.returncode, output, errors)
    assert "Fatal error" not in errors and errors.count("\n") < 30, errors
    return output, errors


def index_of(folder, name, files):
    docs = f"{folder}/{name}"
    os.makedirs(docs)
    for path, data in files.items():
        target = os.path.join(docs.encode(), path if isinstance(path, bytes) else path.encode())
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
    index = f"{folder}/{name}.q3i"
    run("index", "create", index)
    return docs, index


def hostile_names(folder):
    docs, index = index_of(folder, "names", {
        b"\xff\xfe.txt": "A file whose name is no text, about anchors.", "\x1b[31mred\x1b[0m.txt": "Escapes, about bridges.",
        "new\nline.txt": "A line end, about castles.", "tab\t.txt": "A tab, about deserts.", "-dash.txt": "A dash, about eagles.",
        "'\";--.txt": "Quotes, about forests.", "\u202etxt.exe": "Reversed, about glaciers."})
    run("index", "add", index, docs)
    for word in "anchors bridges castles deserts eagles forests glaciers".split():
        output, _ = run("search", word, "--index", index, "--mode", "words")
        assert word in output and "\x1b" not in output and "\u202e" not in output and output.count("\n") == 2, output
    output, _ = run("index", "update", index)
    assert "7 unchanged" in output, output
    run("index", "audit", index, "--all")


def readers_and_writers(folder):
    docs, index = index_of(folder, "busy", {f"{n}.txt": f"Text number {n} about topic {n % 7}. " * 20 for n in range(200)})
    run("index", "add", index, docs)
    stop, failures = threading.Event(), []

    def search():
        while not stop.is_set():
            try:
                output, _ = run("search", "topic 3", "--index", index, "--format", "jsonl", "--top-n", "5")
                assert len(output.splitlines()) == 5
            except AssertionError as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads: thread.start()
    for round in range(6):
        for n in range(0, 200, 7):
            with open(f"{docs}/{n}.txt", "w") as file: file.write(f"Round {round} of {n} about topic {n % 7}. " * 20)
        run("index", "update", index)
        run("index", "compact", index)
    # Two at once: one waits for the other, or is told who it is.
    first = subprocess.Popen([q3, "index", "compact", index], stdout=subprocess.DEVNULL)
    second = subprocess.run([q3, "index", "update", index, "--wait", "60"], capture_output=True)
    assert first.wait() == 0 and second.returncode == 0, second
    stop.set()
    for thread in threads: thread.join()
    assert not failures, failures
    run("index", "audit", index, "--all")


def changing_file(folder):
    docs, index = index_of(folder, "changing", {"a.txt": "x"})
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            n += 1
            with open(f"{docs}/a.txt", "w") as file: file.write(f"Version {n}. " * 20000)

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(5): run("index", "add", index, docs)
    stop.set()
    thread.join()
    run("index", "update", index)
    output, _ = run("index", "audit", index, "--all")
    assert "changed since" not in output, output


def many_small_files(folder):
    count = 100_000
    docs = f"{folder}/many"
    for n in range(count):
        if n % 1000 == 0: os.makedirs(f"{docs}/{n // 1000}")
        with open(f"{docs}/{n // 1000}/{n}", "w") as file: file.write(f"word{n % 500}")
    index = f"{folder}/many.q3i"
    run("index", "create", index, "--dimensions", "32")
    start = time.monotonic()
    run("index", "add", index, docs)
    added = time.monotonic() - start
    start = time.monotonic()
    output, _ = run("index", "update", index)
    assert f"{count} unchanged" in output, output
    print(f"100,000 files: added in {added:.0f} s, looked through in {time.monotonic() - start:.2f} s")


def huge_file(folder):
    docs, index = index_of(folder, "huge", {"small.txt": "Small."})
    with open(f"{docs}/huge.txt", "wb") as file:
        for _ in range(1024): file.write(b"0123456789abcde\n" * 65536)
    command = f"ulimit -v 4000000; exec {q3} index add {index} {docs}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert result.returncode == 0 and "1024 MiB, more than the limit of 64 MiB" in result.stderr, result
    output, _ = run("search", "small", "--index", index, "--mode", "words")
    assert "small.txt" in output, output
    os.remove(f"{docs}/huge.txt")


def many_records(folder):
    """A file of 1 GB that is read record by record, in bounded memory: most of it is a field that nobody asked for."""
    docs, index = index_of(folder, "records", {})
    with open(f"{docs}/records.jsonl", "w") as file:
        for n in range(1024): file.write(json.dumps({"id": n, "text": f"Record about topic {n % 7}.", "html": "<p>x</p>" * 131072}) + "\n")
    command = f"ulimit -v 4000000; exec {q3} index add {index} {docs}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert result.returncode == 0, result
    output, _ = run("search", "topic", "--index", index, "--mode", "words", "--format", "jsonl")
    assert len(output.splitlines()) == 10, output
    os.remove(f"{docs}/records.jsonl")


def odd_files(folder):
    docs, index = index_of(folder, "odd", {"empty.txt": "", "nul.txt": b"a\0b", "mark.txt": b"\xef\xbb\xbfMarked.", "blank.md": "\n\n",
                                           "deep/" * 60 + "x.txt": "Deep down.", "bad.pdf": b"%PDF-1.4 broken", "page.html": "<p>Hi"})
    os.mkfifo(f"{docs}/fifo")
    os.symlink("/etc/passwd", f"{docs}/link")
    os.symlink(".", f"{docs}/loop")
    _, errors = run("index", "add", index, docs, "--verbose")
    for name in ["nul.txt: binary", "fifo: neither", "link: a symbolic", "loop: a symbolic", "bad.pdf: a PDF"]:
        assert name in errors, (name, errors)
    assert "root:" not in run("search", "root", "--index", index, "--mode", "words", status=1)[0]
    run("index", "audit", index, "--all")


def damaged_catalog(folder):
    docs, index = index_of(folder, "damaged", {f"{n}.txt": f"Text {n} about topic {n}." * 30 for n in range(80)})
    run("index", "add", index, docs)
    run("index", "compact", index)
    catalog = f"{index}/catalog.sqlite"
    with open(catalog, "rb") as file: whole = file.read()
    for page in range(0, len(whole) // 4096, 3):
        with open(catalog, "wb") as file: file.write(whole[:page * 4096] + os.urandom(4096) + whole[(page + 1) * 4096:])
        for arguments in [["search", "topic", "--index", index], ["index", "audit", index, "--sample", "5"], ["index", "status", index]]:
            result = subprocess.run([q3, *arguments], capture_output=True, text=True, timeout=60)
            assert result.returncode in (0, 1, 65, 74), (page, arguments, result)
            assert arguments[1] != "audit" or result.returncode != 0, (page, "the audit saw nothing")
    with open(catalog, "wb") as file: file.write(whole[:len(whole) // 2])
    run("index", "audit", index, status=65)
    with open(catalog, "wb") as file: file.write(whole)
    run("index", "audit", index)


def full_disk(folder):
    disk = f"{folder}/disk"
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        docs, _ = index_of(folder, "full", {f"{n}.txt": (f"Text {n} " + str(n * 7919)) * 150 for n in range(900)})
        index = f"{disk}/full.q3i"
        run("index", "create", index)
        result = subprocess.run([q3, "index", "add", index, docs], capture_output=True, text=True)
        assert result.returncode == 74 and ("No space" in result.stderr or "full" in result.stderr), result
        run("search", "text", "--index", index)
        output, _ = run("index", "audit", index, "--all")
        assert "chunks have the same bits" in output
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        run("index", "update", index)
        run("index", "audit", index, "--all")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        run("search", "text", "--index", index)
        run("index", "audit", index)
        result = subprocess.run([q3, "index", "update", index], capture_output=True, text=True)
        assert result.returncode == 77 and "writer.lock" in result.stderr, result
    finally:
        subprocess.run(["umount", disk], check=True)


with tempfile.TemporaryDirectory() as folder:
    tests = [hostile_names, readers_and_writers, changing_file, odd_files, huge_file, many_records, damaged_catalog, many_small_files]
    if os.geteuid() == 0: tests.append(full_disk)
    for test in tests:
        if len(sys.argv) > 2 and test.__name__ not in sys.argv[2:]: continue
        test(folder)
        print(f"{test.__name__}: as it should be", flush=True)
