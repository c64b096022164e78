"""Jobs over files: what comes out, what a kill leaves, shards, other jobs' folders, batch files."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import q3
from conftest import EMBED, RERANK

pa = pytest.importorskip("pyarrow")
import pyarrow.csv  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from q3 import jobs  # noqa: E402
from q3._columns import FingerprintError, as_variable_lists, keeps_null_vectors  # noqa: E402
from q3.batch import run_batch  # noqa: E402


def rows(count, start=0):
    texts = [None if i % 17 == 3 else f"row {i} " + "and so on " * (i % 5) for i in range(start, start + count)]
    return pa.table({"id": pa.array(range(start, start + count)), "text": texts})


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "in.parquet"
    pq.write_table(rows(1000), path, row_group_size=100)
    return path


def files_of(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder)) if name.endswith(".parquet")}


def check(table, embedder, source):
    assert table.column("id").to_pylist() == source.column("id").to_pylist()
    texts = source.column("text").to_pylist()
    vectors = embedder.encode([text or "" for text in texts])
    for text, got, wanted in zip(texts, table.column("embedding"), vectors):
        assert got.is_valid == (text is not None)
        assert text is None or np.array_equal(got.values.to_numpy(), wanted)


def test_a_folder_of_parts(parquet, tmp_path, embedder):
    output = tmp_path / "out"
    report = q3.embed_dataset(parquet, output, model=EMBED)
    assert (report.part_count, report.skipped_part_count, report.row_count, report.null_count) == (10, 0, 1000, 59)
    assert report.fingerprint == embedder.fingerprint
    table = pq.read_table(output)
    check(table, embedder, rows(1000))
    schema = pq.read_schema(output / "part-00000-00000.parquet")
    fixed = 64 if keeps_null_vectors() else -1
    assert schema.field("embedding").type == pa.list_(pa.field("item", pa.float32()), fixed)
    assert schema.metadata[b"q3.fingerprint"].decode() == embedder.fingerprint
    assert (schema.metadata[b"q3.prompt"], schema.metadata[b"q3.dimensions"]) == (b"", b"64")
    before = files_of(output)
    again = q3.embed_dataset(parquet, output, model=EMBED)
    assert (again.skipped_part_count, again.row_count) == (10, 0) and files_of(output) == before


def test_one_file(parquet, tmp_path, embedder):
    output = tmp_path / "out.parquet"
    q3.embed_dataset(parquet, output, model=EMBED, columns=["id"], truncate_dim=8, prompt_name="query")
    file = pq.ParquetFile(output)
    assert file.metadata.num_row_groups == 10 and file.schema_arrow.names == ["id", "embedding"]
    assert sorted(os.listdir(tmp_path)) == ["in.parquet", "out.parquet"]
    first = file.read_row_group(0).column("embedding")[0].values.to_numpy()
    assert np.array_equal(first, embedder.encode_query("row 0 ", truncate_dim=8))
    assert q3.embed_dataset(
        parquet, output, model=EMBED, columns=["id"], truncate_dim=8, prompt_name="query"
    ).skipped_part_count == 10
    with pytest.raises(jobs.JobError, match="of another job"):
        q3.embed_dataset(parquet, output, model=EMBED)


def test_lists_of_any_size(parquet, tmp_path, embedder):
    output = tmp_path / "out"
    q3.embed_dataset(parquet, output, model=EMBED, lists="variable")
    check(pq.read_table(output), embedder, rows(1000))
    assert pq.read_schema(output / "part-00000-00000.parquet").field("embedding").type == pa.list_(pa.float32())
    assert q3.embed_dataset(parquet, output, model=EMBED).skipped_part_count == 10  # what is there decides
    assert q3.verify_dataset(output, model=EMBED).is_good
    with pytest.raises(jobs.JobError, match="a job with other lists"):
        q3.embed_dataset(parquet, output, model=EMBED, lists="fixed")
    one = tmp_path / "out.parquet"
    q3.embed_dataset(parquet, one, model=EMBED, lists="variable")
    assert q3.embed_dataset(parquet, one, model=EMBED).skipped_part_count == 10
    with pytest.raises(ValueError, match="lists is 'any'"):
        q3.embed_dataset(parquet, tmp_path / "other", model=EMBED, lists="any")


def test_nulls_that_pyarrow_cannot_keep(parquet, tmp_path):
    if keeps_null_vectors():
        q3.embed_dataset(parquet, tmp_path / "out", model=EMBED, lists="fixed")
        return
    with pytest.raises(jobs.JobError, match="6 texts have no vector, and pyarrow"):
        q3.embed_dataset(parquet, tmp_path / "out", model=EMBED, lists="fixed")


def test_variable_lists_of_slices():
    values = [[1.0, 2.0], None, [3.0, 4.0], None, None, [5.0, 6.0], [7.0, 8.0]]
    fixed = pa.array(values, pa.list_(pa.float32(), 2))
    chunked = pa.chunked_array([fixed.slice(1, 4), fixed.slice(5), fixed.slice(3, 2), fixed.slice(2, 0)])
    variable = as_variable_lists(chunked)
    variable.validate(full=True)
    assert variable.to_pylist() == values[1:5] + values[5:] + values[3:5]
    assert len(variable.chunk(0).flatten()) == 2  # nothing is kept below nulls


def test_formats(tmp_path, embedder):
    source = rows(300)
    folder = tmp_path / "inputs"
    (folder / "data").mkdir(parents=True)
    pa.csv.write_csv(rows(300).set_column(1, "text", pa.array([t or "" for t in source.column("text").to_pylist()])), folder / "a.csv")
    with open(folder / "b.jsonl", "w") as file:
        for row in source.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    with pa.OSFile(str(folder / "c.arrow"), "wb") as sink, pa.ipc.new_file(sink, source.schema) as writer:
        writer.write_table(source)
    # As `datasets` saves a folder: a stream, and JSON files that are no rows.
    with pa.OSFile(str(folder / "data" / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, source.schema) as writer:
        writer.write_table(source)
    (folder / "data" / "state.json").write_text("{}")
    (folder / "data" / "dataset_info.json").write_text("{}")
    report = q3.embed_dataset(folder, tmp_path / "out", model=EMBED)
    assert report.row_count == 1200
    for index in range(1, 4):
        check(pq.read_table(tmp_path / "out" / f"part-{index:05}-00000.parquet", partitioning=None), embedder, source)


@pytest.mark.parametrize("kind", ["float16", "int8", "uint8"])
def test_types_of_values(parquet, tmp_path, embedder, kind):
    full = embedder.encode([f"row {i} " for i in range(150)])
    ranges = np.stack([full.min(0), full.max(0)]) if kind != "float16" else None
    q3.embed_dataset(parquet, tmp_path / "out", model=EMBED, type=kind, ranges=ranges)
    table = pq.read_table(tmp_path / "out" / "part-00000-00000.parquet", partitioning=None)
    assert str(table.schema.field("embedding").type.value_type) == {"float16": "halffloat"}.get(kind, kind)
    got = table.column("embedding")[0].values.to_numpy()
    assert np.array_equal(got, embedder.encode("row 0 ", precision=kind, ranges=ranges))
    if ranges is not None:
        with pytest.raises(ValueError, match="needs ranges"):
            q3.embed_dataset(parquet, tmp_path / "other", model=EMBED, type=kind)


def test_shards_make_the_same_parts(parquet, tmp_path, monkeypatch):
    q3.embed_dataset(parquet, tmp_path / "whole", model=EMBED)
    for index in range(3):
        assert q3.embed_dataset(parquet, tmp_path / "shared", model=EMBED, shard=f"{index}/3").part_count == [4, 3, 3][index]
    assert files_of(tmp_path / "shared") == files_of(tmp_path / "whole")
    for index in range(2):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        q3.embed_dataset(parquet, tmp_path / "indexed", model=EMBED, shards=2)
    assert files_of(tmp_path / "indexed") == files_of(tmp_path / "whole")
    monkeypatch.delenv("JOB_COMPLETION_INDEX")
    for arguments in ({"shards": 2}, {"shard": "3/3"}, {"shard": "x"}, {"shard": (1, 2), "shards": 2}):
        with pytest.raises(jobs.JobError):
            q3.embed_dataset(parquet, tmp_path / "bad", model=EMBED, **arguments)
    with pytest.raises(jobs.JobError, match="one file"):
        q3.embed_dataset(parquet, tmp_path / "bad.parquet", model=EMBED, shard="0/2")


def killed_job(source, output, kills, seed):
    """Runs a job that is killed again and again, and then left alone."""
    command = [sys.executable, "-m", "q3", "embed-dataset", str(source), "-o", str(output), "-m", EMBED, "--quiet"]
    chance, done = random.Random(seed), 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.3, 1.5) if done < kills else 600)
            assert process.returncode == 0
            return done
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1


def test_a_job_that_is_killed_three_times(tmp_path):
    source = tmp_path / "in.parquet"
    pq.write_table(rows(20_000), source, row_group_size=500)
    q3.embed_dataset(source, tmp_path / "whole", model=EMBED)
    killed_job(source, tmp_path / "killed", 3, seed=1)
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    assert q3.verify_dataset(tmp_path / "killed", model=EMBED, sample=50).is_good


def test_what_is_refused(parquet, tmp_path):
    output = tmp_path / "out"
    q3.embed_dataset(parquet, output, model=EMBED)
    with pytest.raises(jobs.JobError, match="other truncate_dim"):
        q3.embed_dataset(parquet, output, model=EMBED, truncate_dim=8)
    with pytest.raises(jobs.JobError, match="other fingerprint, model"):
        q3.embed_dataset(parquet, output)
    pq.write_table(rows(999), parquet, row_group_size=100)
    with pytest.raises(jobs.JobError, match="other inputs"):
        q3.embed_dataset(parquet, output, model=EMBED)
    with pytest.raises(jobs.JobError, match="there is no column 'body'; there are"):
        q3.embed_dataset(parquet, tmp_path / "a", model=EMBED, text_column="body")
    with pytest.raises(jobs.JobError, match="of type int64, expected strings"):
        q3.embed_dataset(parquet, tmp_path / "b", model=EMBED, text_column="id")
    with pytest.raises(jobs.JobError, match="already"):
        q3.embed_dataset(parquet, tmp_path / "c", model=EMBED, embedding_column="id")
    with pytest.raises(FileNotFoundError):
        q3.embed_dataset(tmp_path / "none.parquet", tmp_path / "d", model=EMBED)
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(parquet.read_bytes()[:-20])
    with pytest.raises(ValueError, match="cannot be|not a Parquet"):
        q3.embed_dataset(damaged, tmp_path / "e", model=EMBED)


def test_a_part_that_was_cut_is_computed_again(parquet, tmp_path):
    output = tmp_path / "out"
    q3.embed_dataset(parquet, output, model=EMBED)
    before = files_of(output)
    (output / "part-00000-00003.parquet").write_bytes(before["part-00000-00003.parquet"][:100])
    assert q3.embed_dataset(parquet, output, model=EMBED).row_count == 100
    assert files_of(output) == before


def test_verify_finds_foreign_vectors(parquet, tmp_path):
    output = tmp_path / "out"
    q3.embed_dataset(parquet, output, model=EMBED)
    report = q3.verify_dataset(output, model=EMBED, sample=1000)
    assert report.is_good and (report.part_count, report.row_count, report.checked_count) == (10, 1000, 1000)
    with pytest.raises(FingerprintError, match="fingerprint"):
        q3.verify_dataset(output)
    path = output / "part-00000-00002.parquet"
    table = pq.read_table(path, partitioning=None)
    vectors = table.column("embedding").to_pylist()
    vectors[8][0] = float(np.nextafter(np.float32(vectors[8][0]), np.float32(2)))  # one bit of one value
    changed = table.set_column(2, table.schema.field("embedding"), pa.array(vectors, table.schema.field("embedding").type))
    pq.write_table(changed, path)
    os.remove(output / "part-00000-00009.parquet")
    report = q3.verify_dataset(output, model=EMBED, sample=900)
    assert report.differing == ("part-00000-00002.parquet:8",) and report.missing == ("part-00000-00009.parquet",)
    done = subprocess.run(
        [sys.executable, "-m", "q3", "verify", output, "-m", EMBED, "--sample", "900"], capture_output=True, text=True
    )
    assert done.returncode == 65 and "other bits: part-00000-00002.parquet:8" in done.stdout


def test_texts_without_a_vector(tmp_path):
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["fine", "word " * 40_000]}), source)
    with pytest.raises(q3.TextTooLongError):
        q3.embed_dataset(source, tmp_path / "a", model=EMBED, long_texts="raise")
    report = q3.embed_dataset(source, tmp_path / "b", model=EMBED, long_texts="raise", errors="null")
    assert (report.row_count, report.null_count) == (2, 1)


REQUESTS = [
    {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": ["one", "two"]}},
    {"custom_id": "b", "method": "POST", "url": "/v1/embeddings", "body": {"input": "one", "encoding_format": "base64", "dimensions": 8}},
    {"custom_id": "c", "method": "POST", "url": "/v1/rerank", "body": {"query": "q", "documents": ["x", {"text": "y"}], "top_n": 1}},
    {"custom_id": "d", "method": "POST", "url": "/v1/score", "body": {"text_1": "q", "text_2": ["x", "y"]}},
    {"custom_id": "e", "method": "POST", "url": "/v1/chat/completions", "body": {}},
    {"custom_id": "f", "method": "POST", "url": "/v1/embeddings", "body": {"input": "word " * 40_000}},
    {"custom_id": "g", "method": "POST", "url": "/v1/embeddings", "body": {"input": [1, 2]}},
]


def test_batch_files(tmp_path, embedder, reranker):
    import base64

    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(request) + "\n" for request in REQUESTS) + "not JSON\n")
    report = run_batch(source, output, model=EMBED, reranker=RERANK)
    assert (report.request_count, report.resumed_count, report.failed_count) == (8, 0, 4)
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert [answer["custom_id"] for answer in answers] == ["a", "b", "c", "d", "e", "f", "g", None]
    assert [answer["response"]["status_code"] for answer in answers] == [200, 200, 200, 200, 400, 400, 400, 400]
    bodies = [answer["response"]["body"] for answer in answers]
    assert np.array_equal(np.array([row["embedding"] for row in bodies[0]["data"]], np.float32), embedder.encode(["one", "two"]))
    packed = np.frombuffer(base64.b64decode(bodies[1]["data"][0]["embedding"]), "<f4")
    assert np.array_equal(packed, embedder.encode("one", truncate_dim=8))
    best = reranker.rank("q", ["x", "y"], top_k=1)[0]
    assert bodies[2]["results"] == [
        {"index": best["corpus_id"], "document": {"text": ["x", "y"][best["corpus_id"]]}, "relevance_score": float(best["score"])}
    ]
    assert [row["score"] for row in bodies[3]["data"]] == reranker.predict([("q", "x"), ("q", "y")]).tolist()
    assert "tokens" in bodies[5]["error"]["message"]


def test_a_batch_goes_on_where_it_was(tmp_path):
    source, whole, output = tmp_path / "in.jsonl", tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    with open(source, "w") as file:
        for i in range(300):
            file.write(json.dumps({**REQUESTS[0], "custom_id": str(i)}) + "\n")
    run_batch(source, whole, model=EMBED)
    lines = whole.read_bytes().splitlines(keepends=True)
    (tmp_path / "out.jsonl.part").write_bytes(b"".join(lines[:100]) + lines[100][:50])
    report = run_batch(source, output, model=EMBED)
    assert (report.request_count, report.resumed_count) == (300, 100) and output.read_bytes() == whole.read_bytes()
    (tmp_path / "other.jsonl.part").write_bytes(lines[5])
    with pytest.raises(ValueError, match="other requests"):
        run_batch(source, tmp_path / "other.jsonl", model=EMBED)
    shutil.copy(source, tmp_path / "same.jsonl")
    with pytest.raises(ValueError, match="is the input"):
        run_batch(tmp_path / "same.jsonl", tmp_path / "same.jsonl", model=EMBED)


def test_the_command_line(parquet, tmp_path):
    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "q3", *map(str, arguments)], capture_output=True, text=True)

    done = run("embed-dataset", parquet, "--output", tmp_path / "out", "-m", EMBED)
    assert done.returncode == 0 and "10 parts" in done.stdout and "10 of 10 parts" in done.stderr
    assert run("verify-dataset", tmp_path / "out", "-m", EMBED).returncode == 0
    failed = run("embed-dataset", parquet, "--output", tmp_path / "out", "-m", EMBED, "--dimensions", 8)
    assert failed.returncode == 1 and failed.stderr.startswith("error: ") and "Traceback" not in failed.stderr


def test_progress_and_time(parquet, tmp_path):
    seen = []
    start = time.monotonic()
    q3.embed_dataset(parquet, tmp_path / "out", model=EMBED, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 10) for i in range(1, 11)] and time.monotonic() - start < 60
