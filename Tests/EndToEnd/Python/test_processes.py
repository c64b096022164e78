"""Threads, forks, pools and Ctrl-C: everything ends, in a result or in an error."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import q3
from conftest import EMBED, TEXTS, run_python


def test_64_threads(embedder):
    expected = embedder.encode(TEXTS)

    def call(number):
        if number % 3 == 0:
            with q3.Embedder(EMBED, threads=2) as own:
                return own.encode(TEXTS)
        return embedder.encode(TEXTS)

    with ThreadPoolExecutor(64) as pool:
        for vectors in pool.map(call, range(192)):
            assert np.array_equal(vectors, expected)


def test_closing_while_others_compute():
    model = q3.Embedder(EMBED, threads=2)
    outcomes = []

    def work():
        try:
            for _ in range(1000):
                outcomes.append(model.encode(["some text"] * 20).shape)
        except q3.ClosedError:
            outcomes.append("closed")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    model.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert outcomes.count("closed") == 8 and set(outcomes) == {"closed", (20, 64)}


def _embed(text):
    import q3

    with q3.Embedder(EMBED, threads=1) as model:
        return model.encode(text).tolist()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_pools_that_do_not_fork_this_process(method, embedder):
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        assert list(pool.map(_embed, TEXTS[:4], timeout=100)) == embedder.encode(TEXTS[:4]).tolist()
        # A model is sent as its path and opened again.
        assert pool.submit(embedder.encode, "a").result(100).tolist() == embedder.encode("a").tolist()


def test_a_pool_that_forks_before_the_first_model(embedder):
    code = f"""
import multiprocessing, sys
import q3
from q3 import _library
_library.find_model({EMBED!r})          # even with the library loaded
def work(text):
    return q3.Embedder({EMBED!r}, threads=1).encode(text).tolist()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, ["a", "b"])[1][:2])
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(embedder.encode("b").tolist()[:2])


def test_a_child_of_a_process_with_a_model_gets_an_error():
    code = f"""
import os, sys
import q3
model = q3.Embedder({EMBED!r}, threads=2)
model.encode("a")
child = os.fork()
if child == 0:
    caught = []
    for use in (lambda: model.encode("a"), lambda: q3.Embedder({EMBED!r}), lambda: q3.Tokenizer({EMBED!r}), lambda: model.fingerprint):
        try:
            use()
        except q3.ForkedError:
            caught.append(1)
    model.close()
    del model
    os._exit(len(caught))
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), model.encode("a").shape)
"""
    done = run_python(code)
    assert done.stdout.strip() == "4 (64,)", done.stderr


def test_a_forking_pool_after_a_model_ends():
    code = f"""
import multiprocessing
import q3
model = q3.Embedder({EMBED!r}, threads=2)
def work(text):
    return model.encode(text)
with multiprocessing.get_context("fork").Pool(2) as pool:
    try:
        pool.map(work, ["a", "b"])
    except q3.ForkedError as error:
        print(error)
"""
    done = run_python(code)
    assert "before the process was forked" in done.stdout, done.stderr


LONG_CALL = """
import signal, sys, threading, time
import q3
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that started this behind "&" had it ignored
model = q3.Embedder(threads=2)
texts = ["The capital of China is Beijing, and so on, and so on. %d" % i * 20 for i in range(20000)]
print("ready", flush=True)
start = time.monotonic()
try:
    model.encode(texts)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(model.encode("still usable").shape)
"""


def test_ctrl_c():
    process = subprocess.Popen([sys.executable, "-c", LONG_CALL], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(1)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == "interrupted\n(256,)\n"
    assert time.monotonic() - start < 10


def test_a_ticket_cancels_from_another_thread():
    from q3._calls import Ticket

    with q3.Embedder(threads=2) as model:
        ticket, outcome = Ticket(), []

        def work():
            try:
                model.encode(["some text to be embedded, number %d" % i * 30 for i in range(50_000)], ticket=ticket)
            except q3.CancelledError as error:
                outcome.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        while ticket.progress()[0] == 0:
            time.sleep(0.01)
        done, total = ticket.progress()
        assert 0 < done < total
        ticket.cancel()
        thread.join(30)
        assert len(outcome) == 1
        with pytest.raises(q3.CancelledError):
            model.encode("a", ticket=ticket)
        ticket.close()


def test_the_import_loads_no_library():
    code = """
import sys
import q3
print("numpy" in sys.modules, any("libq3" in line for line in open("/proc/self/maps")))
q3.errors
q3.Embedder()
print(any("libq3" in line for line in open("/proc/self/maps")))
"""
    assert run_python(code).stdout.split() == ["False", "False", "True"]


def test_a_library_that_is_missing_or_foreign(tmp_path):
    for library in ("/no/such/libq3.so", "libm.so.6"):
        done = run_python("import q3\ntry:\n q3.Embedder()\nexcept q3.LibraryError as e: print(e)", Q3_LIBRARY=library)
        assert "cannot load" in done.stdout and "Q3_LIBRARY" in done.stdout, done.stderr


def test_a_limit_on_threads(program):
    code = f"""
import resource
import q3
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    q3.Embedder({EMBED!r})
except q3.ResourceError as error:
    print(error)
"""
    # The limit does not bind root: run as another user.
    import os
    import pwd

    if os.getuid() != 0:
        pytest.skip("needs root to become a user without processes")
    nobody = pwd.getpwnam("nobody").pw_uid
    done = run_python(f"import os\nos.setuid({nobody})\n" + code)
    if "Permission" in done.stderr or "ModuleNotFound" in done.stderr:
        pytest.skip("another user cannot read this folder")
    assert "ulimit -u" in done.stdout, done.stderr


def test_torch_before_and_after(embedder):
    pytest.importorskip("torch")
    expected = str(embedder.encode("a").tolist()[:3])
    first = f"import q3; m = q3.Embedder({EMBED!r}); m.encode('b'); import torch; torch.ones(500, 500) @ torch.ones(500, 500)"
    second = f"import torch; torch.ones(500, 500) @ torch.ones(500, 500); import q3; m = q3.Embedder({EMBED!r})"
    for order in (first, second):
        done = run_python(order + "\nt = m.encode(['a'], convert_to_tensor=True)\nprint(type(t).__module__, t[0].tolist()[:3])")
        assert done.stdout.strip() == f"torch {expected}", done.stderr
