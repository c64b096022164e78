#!/usr/bin/env python3
"""Two replicas behind nginx with deploy/nginx.conf, restarted in turn under load: no answer is lost or mixed.

apt-get install nginx-light
python3 Tests/EndToEnd/Server/nginx_test.py        or        pytest Tests/EndToEnd/Server/nginx_test.py
"""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server, float32  # noqa: E402

CLIENTS = 12
RESTARTS = 3  # of each replica


def configuration(folder, port, replicas):
    """deploy/nginx.conf with the ports of this test and every file in a folder of its own."""
    text = (q3process.ROOT / "deploy" / "nginx.conf").read_text()
    text, listeners = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", text)
    for number, replica in zip(("8081", "8082"), replicas, strict=True):
        text, servers = re.subn(rf"127\.0\.0\.1:{number}\b", f"127.0.0.1:{replica}", text)
        assert servers == 1
    assert listeners == 1
    temporary = "".join(
        f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {\n", "http {\n    access_log off;\n" + temporary, 1)
    return f"pid {folder}/nginx.pid;\nerror_log stderr warn;\n" + text


@contextlib.contextmanager
def proxy(replicas):
    """(port, error log) of an nginx before the replicas."""
    # Debian keeps it where only root's PATH looks.
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    port = q3process.free_port()
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        file = pathlib.Path(folder) / "nginx.conf"
        file.write_text(configuration(folder, port, replicas))
        log = pathlib.Path(folder) / "error.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [program, "-e", "stderr", "-p", folder, "-c", str(file), "-g", "daemon off;"],
                stdout=output,
                stderr=output,
            )
            try:
                end = time.monotonic() + 20
                while time.monotonic() < end:
                    try:
                        http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
                        break
                    except OSError:
                        assert process.poll() is None, log.read_text()
                        time.sleep(0.05)
                yield port, log
            finally:
                process.terminate()
                process.wait(20)


def test_replicas_restart_under_load():
    texts = [f"{index} " + "behind a proxy " * (1 + index % 40) for index in range(400)]
    vectors = q3process.embed(texts)
    replicas = [Server().start() for _ in range(2)]
    over = threading.Event()
    answered, wrong = [0] * CLIENTS, []

    def client(number, port):
        generator = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not over.is_set():
            chosen = generator.sample(range(len(texts)), generator.choice([1, 1, 1, 8]))
            try:
                connection.request(
                    "POST",
                    "/embed",
                    json.dumps({"inputs": [texts[index] for index in chosen]}),
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or float32(json.loads(body)) != [vectors[index] for index in chosen]:
                    wrong.append((answer.status, body[:200]))
            except (OSError, http.client.HTTPException, ValueError) as error:
                wrong.append(repr(error))
                connection.close()
            answered[number] += 1
        connection.close()

    try:
        with (
            proxy([replica.port for replica in replicas]) as (port, log),
            concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool,
        ):
            futures = [pool.submit(client, number, port) for number in range(CLIENTS)]
            try:
                for _ in range(RESTARTS):
                    for place in range(len(replicas)):
                        time.sleep(0.5)
                        before = sum(answered)
                        assert replicas[place].stop() == 0, replicas[place].log_text()[-2000:]
                        replicas[place] = Server(port=replicas[place].port).start()
                        while sum(answered) < before + 2 * CLIENTS:
                            assert not all(future.done() for future in futures)
                            time.sleep(0.01)
            finally:
                over.set()
            for future in futures:
                future.result()
            assert wrong == [], (len(wrong), wrong[:5], log.read_text()[-2000:])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/metrics")
            assert connection.getresponse().status == 403
            print(f"{sum(answered)} requests, {2 * RESTARTS} restarts, {len(wrong)} wrong or lost")
    finally:
        for replica in replicas:
            replica.stop()


if __name__ == "__main__":
    test_replicas_restart_under_load()
    print("1 passed, 0 failed")
