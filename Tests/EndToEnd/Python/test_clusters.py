"""Spark and Ray: the program's bits from every worker, also when one is killed in the middle."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import EMBED

TEXTS = [None if i % 31 == 5 else f"row {i} " + "and so on " * (i % 7) for i in range(3000)]

SPARK = """
import os, sys
from pyspark.sql import SparkSession
import q3.spark
spark = (
    SparkSession.builder.master(MASTER).config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "4")
    .config("spark.executor.memory", "1024m").config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.speculation", "true").config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
    .config("spark.executorEnv.Q3_LIBRARY", os.environ["Q3_LIBRARY"]).getOrCreate()
)
texts = [None if i % 31 == 5 else f"row {i} " + "and so on " * (i % 7) for i in range(3000)]
df = spark.createDataFrame(list(enumerate(texts)), "id long, text string").repartition(8)
"""


def vectors_of(path):
    import pyarrow.parquet as pq

    table = pq.read_table(path).sort_by("id")
    assert table.column("id").to_pylist() == list(range(len(TEXTS)))
    return table.column("embedding").to_pylist()


def check(rows, q3_embed):
    """The program's vectors, and nulls where there is no text."""
    expected = q3_embed([text or "" for text in TEXTS])
    for text, row, wanted in zip(TEXTS, rows, expected):
        assert (row is None) == (text is None)
        assert row is None or np.array_equal(np.array(row, np.float32), wanted)


@pytest.fixture
def spark():
    pytest.importorskip("pyspark")
    if subprocess.run(["sh", "-c", "command -v java"], capture_output=True).returncode:
        pytest.skip("needs Java")


def run_spark(code, master, timeout=400):
    return subprocess.run(
        [sys.executable, "-c", SPARK.replace("MASTER", repr(master)) + code], capture_output=True, text=True, timeout=timeout,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "Q3_LIBRARY": _library(), "SPARK_LOCAL_IP": "127.0.0.1"},
    )


def _library():
    import q3._library

    return os.path.abspath(q3._library.library_path())


def test_spark_in_local_mode(spark, tmp_path, q3_embed):
    done = run_spark(
        f"q3.spark.embed(df, 'text', model={EMBED!r}).write.parquet({str(tmp_path / 'out')!r})\n"
        f"out = q3.spark.embed(df, 'text', model={EMBED!r}, truncate_dim=8, prompt_name='query')\n"
        "print(out.schema['embedding'].simpleString(), len(out.filter('id = 0').collect()[0].embedding))\n"
        "for arguments in ({'text_column': 'body'}, {'text_column': 'id'}, {'output_column': 'id'}):\n"
        "    try: q3.spark.embed(df, **arguments)\n"
        "    except (KeyError, TypeError) as error: print(type(error).__name__)\n"
        f"try: q3.spark.embed(df, 'text', model={EMBED!r}, fingerprint='0' * 16).collect()\n"
        "except Exception as error: print('fingerprint' in str(error))\n",
        "local[2]",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["embedding:array<float>", "8", "KeyError", "TypeError", "KeyError", "True"]
    check(vectors_of(tmp_path / "out"), q3_embed)


# Kills an executor with SIGKILL once the first of the tasks is committed; the others are still to come.
SPARK_WITH_A_KILL = """
import glob, signal, subprocess, threading, time
def kill():
    while not glob.glob(OUTPUT + "/_temporary/0/task_*"):
        time.sleep(0.05)
    for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines():
        if "CoarseGrainedExecutorBackend" in line and "--executor-id 0" in line and spark.sparkContext.applicationId in line:
            if "java" in line.split()[1]:
                os.kill(int(line.split()[0]), signal.SIGKILL)
                print("killed", flush=True)
threading.Thread(target=kill, daemon=True).start()
def slow(batches):
    for batch in batches:
        time.sleep(1.5)
        yield batch
q3.spark.embed(df, "text", model=MODEL).mapInArrow(slow, "id long, text string, embedding array<float>").write.parquet(OUTPUT)
"""


def check_spark_with_a_kill(master, output, q3_embed):
    code = SPARK_WITH_A_KILL.replace("OUTPUT", repr(str(output))).replace("MODEL", repr(EMBED))
    done = run_spark(code, master)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "killed" in done.stdout and "Lost executor 0" in done.stderr, (done.stdout, done.stderr[-3000:])
    check(vectors_of(output), q3_embed)


def test_spark_with_an_executor_that_is_killed(spark, tmp_path, q3_embed):
    check_spark_with_a_kill("local-cluster[2,1,1024]", tmp_path / "out", q3_embed)


@pytest.fixture
def standalone(spark, tmp_path):
    """A master and two workers of one core each, as processes of their own."""
    import pyspark

    home = os.path.dirname(pyspark.__file__)
    environment = {**os.environ, "SPARK_HOME": home, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    processes = []

    def start(name, *arguments):
        log = tmp_path / f"{name}.log"
        command = [f"{home}/bin/spark-class", *arguments, "--host", "127.0.0.1", "--webui-port", "0"]
        with open(log, "w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=tmp_path, start_new_session=True)
        processes.append(process)
        return log

    def said(log, words):
        for _ in range(1200):
            found = re.search(words, log.read_text())
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(log.read_text()[-3000:])

    try:
        master = said(start("master", "org.apache.spark.deploy.master.Master", "--port", "0"), r"Starting Spark master at (spark://\S+)")[1]
        for number in range(2):
            log = start(
                f"worker-{number}", "org.apache.spark.deploy.worker.Worker", master, "--cores", "1", "--memory", "1024M",
                "--work-dir", str(tmp_path / f"work-{number}"),
            )
            said(log, "Successfully registered with master")
        yield master
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def test_spark_standalone_with_an_executor_that_is_killed(standalone, tmp_path, q3_embed):
    check_spark_with_a_kill(standalone, tmp_path / "out", q3_embed)


def test_ray_with_a_node_that_is_removed(tmp_path, q3_embed):
    pytest.importorskip("ray")
    code = f"""
import glob, os, threading, time
os.environ["RAY_DEDUP_LOGS"] = "0"
import pyarrow as pa, ray
from ray.cluster_utils import Cluster
import q3.ray
cluster = Cluster(initialize_head=True, head_node_args={{"num_cpus": 2, "include_dashboard": False}})
node = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, runtime_env={{"env_vars": {{"PYTHONPATH": os.environ["PYTHONPATH"], "Q3_LIBRARY": os.environ["Q3_LIBRARY"]}}}})
texts = [None if i % 31 == 5 else f"row {{i}} " + "and so on " * (i % 7) for i in range(3000)]
table = pa.table({{"id": list(range(3000)), "text": texts}})
dataset = ray.data.from_arrow([table.slice(i, 250) for i in range(0, 3000, 250)])
vectors = dataset.map_batches(
    q3.ray.Embedder, fn_constructor_kwargs={{"model": {EMBED!r}}}, batch_format="pyarrow", batch_size=250, num_cpus=0.5, concurrency=2
)
def slow(batch):
    time.sleep(1)
    return batch
output = {str(tmp_path / 'out')!r}
def remove():
    while not glob.glob(output + "/*.parquet"):
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)
    print("removed", len(glob.glob(output + "/*.parquet")), flush=True)
remover = threading.Thread(target=remove)
remover.start()
vectors.map_batches(slow, batch_format="pyarrow", batch_size=250, num_cpus=0.5).write_parquet(output, ray_remote_args={{"num_cpus": 0.25}})
remover.join()
print("written", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=400, env={**os.environ, "Q3_LIBRARY": _library()}
    )
    # Not the exit status: Ray ends with 1 where it still looks for what the node had.
    assert "written" in done.stdout, done.stderr[-3000:]
    removed = re.search(r"removed (\d+)", done.stdout)
    assert removed and int(removed[1]) < 12, done.stdout  # in the middle
    check(vectors_of(tmp_path / "out"), q3_embed)


def test_the_class_for_ray_alone(embedder):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("ray")
    import q3.ray

    adder = q3.ray.Embedder(EMBED, text_column="t", output_column="v")
    table = adder(pa.table({"t": ["a", None]}))
    assert np.array_equal(table.column("v")[0].values.to_numpy(), embedder.encode("a")) and not table.column("v")[1].is_valid
    with pytest.raises(TypeError, match="batch_format"):
        adder({"t": ["a"]})
    with pytest.raises(KeyError, match="there are"):
        adder(pa.table({"x": ["a"]}))


def test_four_workers_share_one_model():
    """Proportional memory of processes that open one file."""
    code = f"""
import sys
import q3
model = q3.Embedder({EMBED!r}, threads=1)
model.encode("a")
print("ready", flush=True)
sys.stdin.read()
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            resident = shared = 0
            inside = False
            for line in open(f"/proc/{worker.pid}/smaps"):
                if "-" in line.split()[0] and ":" not in line.split()[0]:
                    inside = line.rstrip().endswith(os.path.basename(EMBED))
                elif inside and line.startswith("Rss:"):
                    resident += int(line.split()[1])
                elif inside and line.startswith("Pss:"):
                    shared += int(line.split()[1])
            assert resident > 0 and shared <= resident / 3.5, (resident, shared)
    finally:
        for worker in workers:
            worker.communicate("")
