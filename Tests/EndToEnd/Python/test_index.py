"""q3.Index: what the program finds, from Python."""

import json
import os
import subprocess
import sys
import threading

import pytest
from conftest import EMBED, RERANK, run_python

import q3


@pytest.fixture(autouse=True)
def _program(program, monkeypatch):
    monkeypatch.setenv("Q3_PROGRAM", program)


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "keys.md").write_text("# Keys\n\nHow we rotate the signing keys.\n\n## Every month\n\nOld ones go.\n")
    (folder / "food.txt").write_text("Bread is baked in the morning.\n\nSoup is cooked at noon.\n")
    (folder / "more.csv").write_text('id,text,lang\n7,"Wale schwimmen, weit.",de\n')
    with q3.Index.create(tmp_path / "notes.q3i", model=EMBED, reranker=RERANK, threads=2) as index:
        report = index.add(folder)
        assert (report.added, report.skipped) == (3, [])
        yield index


def test_hits_are_the_programs(notes, program):
    for options, arguments in [({}, []), ({"mode": "words"}, ["--mode", "words"]), ({"limit": 1}, ["--top-n", "1"])]:
        hits = notes.search("rotate keys", **options)
        command = [program, "search", "rotate keys", "--index", notes.path, "--format", "jsonl", *arguments]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        expected = [json.loads(line) for line in lines]
        assert [(hit.chunk, hit.score, hit.similarity, hit.snippet) for hit in hits] == [
            (hit["chunk"], hit["score"], hit.get("similarity"), hit["snippet"]) for hit in expected
        ]
    hit = notes.search("rotate keys", mode="words")[0]
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["Keys", "rotate", "keys"] and hit.title == "Keys"
    with open(hit.path, "rb") as file:
        assert hit.text.encode()[:20] in file.read()


def test_filters_groups_and_rerank(notes):
    assert [hit.id for hit in notes.search("x", where="lang=de")] == ["7"]
    assert {hit.title for hit in notes.search("x", where=["path:*.md"])} == {"Keys"}
    assert len(notes.search("x", group=True)) == 3
    ranked = notes.search("whales", rerank=True, candidates=2)
    assert [hit.relevance is not None for hit in ranked[:3]] == [True, True, False]
    assert all(hit.relevance is None for hit in notes.search("whales", rerank=True, rerank_budget=0))


def test_documents_and_status(notes):
    hit = notes.search("bread", mode="words")[0]
    document = notes.get(hit.document)
    assert "Bread is baked" in document.text and "Soup" in document.text and document.title == "food.txt"
    assert notes.status()["documents"] == 3 and notes.status()["dimensions"] > 0


def test_a_long_document_comes_whole(notes, tmp_path):
    text = "\n\n".join(f"Paragraph {n} " + "of many words " * 30 for n in range(600))
    (tmp_path / "long.txt").write_text(text)
    notes.add(tmp_path / "long.txt")
    document = notes.get(notes.search("Paragraph", mode="words", where="name!=7", limit=1)[0].document)
    assert document.text.split() == text.split()


def test_changes_are_taken_up(notes, tmp_path):
    (tmp_path / "docs" / "new.txt").write_text("Zebras have stripes.")
    (tmp_path / "docs" / "food.txt").unlink()
    report = notes.update()
    assert (report.added, report.removed, report.unchanged) == (1, 1, 2)
    assert notes.search("zebras", mode="words")[0].title == "new.txt"


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": ""}, {"query": "x", "limit": 0}, {"query": "x", "mode": "poem"}, {"query": "x", "where": "bad"},
        {"query": "x", "min_similarity": 5}, {"query": "x", "candidates": 5}, {"query": 5}, {"query": None},
        {"query": "\ud800"}, {"query": "x", "limit": 1.5}, {"query": "x", "rerank_budget": float("nan"), "rerank": True},
    ],
)  # fmt: skip
def test_values_that_cannot_be(notes, arguments):
    with pytest.raises(q3.BadRequestError):
        notes.search(**arguments)
    assert notes.search("keys")  # and the reader goes on


def test_hostile_queries(notes):
    for query in ['"', "a\nb", "\x00keys", "NEAR(a b)", "-x", "--index", "a\u2028b", "键 🔑", "x" * 60_000]:
        notes.search(query)


def test_what_is_no_index(tmp_path, notes):
    with pytest.raises(q3.BadIndexError, match="other.q3i"):
        q3.Index(tmp_path / "other.q3i")
    with pytest.raises(q3.BadIndexError, match="cannot be compared"):
        q3.Index(notes.path, model=str(EMBED).replace("tiny-embed-Q8_0", "tiny-embed-F32"))
    with pytest.raises(q3.BadIndexError):
        q3.Index.create(notes.path, model=EMBED)
    with pytest.raises(OSError):
        q3.Index("/no/such/folder")


def test_closed(notes):
    notes.close()
    notes.close()
    for call in [lambda: notes.search("x"), notes.status, notes.update]:
        with pytest.raises(q3.ClosedError):
            call()


def test_a_reader_that_was_killed_comes_back(notes):
    notes._process.kill()
    notes._process.wait()
    with pytest.raises(q3.BadIndexError):
        notes.search("keys")
    assert notes.search("keys")


def test_threads_take_turns(notes):
    expected = {query: notes.search(query) for query in ["keys", "bread", "whales"]}
    wrong = []

    def ask(query):
        for _ in range(20):
            if notes.search(query) != expected[query]:
                wrong.append(query)

    threads = [threading.Thread(target=ask, args=[query]) for query in expected for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_fork_has_a_reader_of_its_own(notes):
    expected = notes.search("keys")
    child = os.fork()
    if child == 0:
        os._exit(0 if notes.search("keys") == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert notes.search("keys") == expected


def test_the_variable_may_name_the_console_script(tmp_path):
    script = tmp_path / "q3"
    script.write_text(f"#!{sys.executable}\nfrom q3._program import main\nmain()\n")
    script.chmod(0o755)
    done = subprocess.run(
        [script, "--version"], capture_output=True, text=True, timeout=60, env={**os.environ, "Q3_PROGRAM": str(script)})
    # When the package is imported from the source tree, it contains no q3 program.
    assert done.returncode == 0 and done.stdout or "cannot run" in done.stderr, done


def test_no_program_and_no_numpy(notes):
    code = f"import sys, q3; index = q3.Index({notes.path!r}); print(len(index.search('keys')), 'numpy' in sys.modules)"
    assert run_python(code).stdout.split() == [str(len(notes.search("keys"))), "False"]
    done = run_python(f"import q3; q3.Index({notes.path!r})", Q3_PROGRAM="/no/such/program")
    assert "cannot run /no/such/program" in done.stderr
