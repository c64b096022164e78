"""Slow clients, many clients, and those who leave (S14 to S22, S32)."""

import concurrent.futures
import json
import pathlib
import resource
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server, float32  # noqa: E402
from wire import (  # noqa: E402
    BODY,
    LONG,
    abandoned,
    answers,
    assert_answers,
    busy,
    connect,
    eventually,
    expected,
    head,
    memory,
    metric,
    receive,
    send,
    shared_server,
    statuses,
    talk,
)

SHORT_TIMES = ["--header-timeout", "0.5"]  # three times as long for a body, six times for silence


def test_s14_slow_clients_are_closed():
    with Server(*SHORT_TIMES) as server:

        def trickle(data, every):
            with connect(server) as client:
                for byte in data:
                    if not send(client, bytes([byte])):
                        return True
                    if select.select([client], [], [], every)[0]:
                        received, closed = receive(client, quiet=3)
                        assert 200 not in statuses(answers(received)), received
                        return closed
                return False

        def silent():
            with connect(server) as client:
                return receive(client, quiet=20)[1]

        def idle():
            with connect(server) as client:
                send(client, head(closing=False))
                received, closed = receive(client, quiet=20)
                assert statuses(answers(received)) == [200]
                return closed

        def slow_body():
            with connect(server) as client:
                send(client, head()[: -len(BODY)])
                for byte in b" " * 200:
                    if not send(client, bytes([byte])) or select.select([client], [], [], 0.2)[0]:
                        return receive(client, quiet=3)[1]
                return False

        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            slow = [pool.submit(trickle, head(), 0.2) for _ in range(60)] + [pool.submit(slow_body) for _ in range(60)]
            slow += [pool.submit(silent) for _ in range(60)] + [pool.submit(idle) for _ in range(20)]
            for _ in range(5):
                assert_answers(server)  # while they hang on
            assert all(future.result() for future in slow)


def test_s15_slow_readers():
    with Server() as server:
        wanted = json.dumps({"inputs": ["x"] * 2000}).encode()
        clients = []
        for _ in range(50):
            client = connect(server, receive_buffer=2048)
            send(client, head(path="/embed", body=wanted))
            clients.append(client)
        eventually(lambda: metric(server, "te_embed_success") >= 50, 60, "fifty answers")
        peak = memory(server)
        assert_answers(server)
        for client in clients:
            client.close()
        # 2000 vectors of 64 values are about 1.5 MB of text; fifty of them and what it takes to make them.
        assert peak < 1.0e9, peak
        assert_answers(server)


def test_s16_more_connections_than_files():
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # noqa: E731
    with Server(preexec=few) as server:
        clients = []
        for _ in range(200):
            client = socket.socket()
            client.settimeout(5)
            try:
                client.connect(("127.0.0.1", server.port))
                clients.append(client)
            except OSError:
                client.close()
        assert server.alive()
        before, start = busy(server), time.monotonic()
        time.sleep(3)
        share = (busy(server) - before) / (time.monotonic() - start)
        for client in clients:
            client.close()
        assert share < 0.5, f"the server used {share:.0%} of a core to accept nothing"
        eventually(lambda: answers_now(server), 20, "recovery")
        assert_answers(server)


def answers_now(server):
    try:
        return server.get("/health", timeout=2)[0] == 200
    except OSError:
        return False


def test_s17_more_than_the_queue_takes():
    texts = tuple(f"{index} " + LONG[:2000] for index in range(32))
    wanted = expected(texts)
    with Server("--max-concurrent-requests", "4") as server, concurrent.futures.ThreadPoolExecutor(32) as pool:
        futures = [pool.submit(server.post, "/embed", {"inputs": text}) for text in texts]
        outcomes = [future.result() for future in futures]
        accepted = [index for index, (status, _, _) in enumerate(outcomes) if status == 200]
        refused = [index for index, (status, _, _) in enumerate(outcomes) if status == 429]
        assert len(accepted) + len(refused) == len(texts), [status for status, _, _ in outcomes]
        assert accepted and refused
        assert all(float32(outcomes[index][2]) == [wanted[index]] for index in accepted)
        assert all(int(outcomes[index][1]["retry-after"]) >= 1 for index in refused)
        assert all(outcomes[index][2]["error_type"] == "Overloaded" for index in refused)
        assert_answers(server)


def test_s18_small_requests_pass_a_huge_one():
    huge = [f"{index} " + LONG for index in range(60)]
    with Server() as server, concurrent.futures.ThreadPoolExecutor(16) as pool:
        big = pool.submit(server.post, "/embed", {"inputs": huge})
        eventually(lambda: metric(server, "te_queue_size") >= 1, what="the huge request in the queue")
        small = [pool.submit(server.post, "/embed", {"inputs": "still here"}) for _ in range(8)]
        for future in small:
            assert float32(future.result()[2]) == expected(("still here",))
            assert server.get("/health")[0] == 200
        assert not big.done(), "the small requests waited for the whole of the huge one"
        assert float32(big.result()[2]) == q3process.embed(huge)


def test_s19_client_leaves_while_its_texts_are_computed():
    with Server() as server:
        client = abandoned(server, [f"{index} " + LONG for index in range(40)])
        eventually(lambda: metric(server, "q3_tokens_computed_total") > 0, what="computing")
        client.close()
        eventually(
            lambda: metric(server, "q3_requests_cancelled_total") >= 1, what="the cancelled request in the metrics"
        )
        eventually(lambda: metric(server, "te_queue_size") == 0, what="an empty queue")
        time.sleep(1)
        done = metric(server, "q3_tokens_computed_total")
        time.sleep(1)
        assert metric(server, "q3_tokens_computed_total") == done, "computing went on for nobody"
        assert done < 40 * q3process.token_counts([LONG])[0], done
        assert_answers(server)


def test_s20_client_leaves_while_it_waits():
    with Server() as server:
        first = abandoned(server, [f"first {index} " + LONG for index in range(30)])
        eventually(lambda: metric(server, "te_queue_size") >= 1, what="the first request")
        second = abandoned(server, [f"second {index} " + LONG for index in range(100)])
        eventually(lambda: metric(server, "te_queue_size") >= 2, what="the second request")
        second.close()
        eventually(lambda: metric(server, "q3_requests_cancelled_total") >= 1, what="the cancelled request")
        received, _ = receive(first, quiet=60, limit=120)
        assert float32(json.loads(answers(received)[0][2])) == q3process.embed(
            [f"first {index} " + LONG for index in range(30)]
        )
        assert metric(server, "q3_tokens_computed_total") < 100 * q3process.token_counts([LONG])[0]
        assert_answers(server)


def test_s21_half_closed_connection():
    with shared_server() as server:
        with connect(server) as client:
            send(client, head(path="/embed", body=b'{"inputs":"still here"}'))
            client.shutdown(socket.SHUT_WR)
            received, closed = receive(client, quiet=10)
        # Answered, or taken for a client that has left.
        found = answers(received)
        assert closed and (
            statuses(found) in ([], [503]) or float32(json.loads(found[0][2])) == expected(("still here",))
        )


def test_s22_pipelining():
    texts = tuple(f"pipelined {index}" for index in range(100))
    wanted = expected(texts)
    with shared_server() as server:
        requests = [
            head(path="/embed", body=json.dumps({"inputs": text}).encode(), closing=text == texts[-1]) for text in texts
        ]
        with connect(server) as client:
            send(client, b"".join(requests))
            received, _ = receive(client, quiet=5, limit=60)
        found = answers(received)
        assert statuses(found) == [200] * 100
        assert [float32(json.loads(body))[0] for _, _, body in found] == wanted
        found, _ = talk(server, head(path="/embed", body=b"{", closing=False) + requests[0], quiet=5)
        assert statuses(found)[0] in (400, 422) and statuses(found)[1:] in ([200], []), found


def test_s32_everyone_gets_their_own_vector():
    texts = tuple(f"text number {index} " + "and more words " * (index % 13) for index in range(1000))
    wanted = expected(texts)
    with Server() as server, concurrent.futures.ThreadPoolExecutor(64) as pool:
        futures = [pool.submit(server.post, "/embed", {"inputs": text}) for text in texts]
        wrong = [
            index
            for index, future in enumerate(futures)
            if future.result()[0] != 200 or float32(future.result()[2]) != [wanted[index]]
        ]
        assert wrong == []
