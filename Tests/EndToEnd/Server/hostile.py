#!/usr/bin/env python3
"""What a hostile or broken client, network or host can do to `q3 serve`, over raw sockets and signals, on loopback only.

    python3 Tests/EndToEnd/Server/hostile.py [PART OF A NAME ...]        or        pytest Tests/EndToEnd/Server/hostile.py

Q3 is the path of q3. Only the standard library; each test has a time limit. Nothing is asserted about speed: waits are
long enough for a busy machine.
"""

import pathlib
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from hostile_access import *  # noqa: E402, F403
from hostile_bodies import *  # noqa: E402, F403
from hostile_clients import *  # noqa: E402, F403
from hostile_framing import *  # noqa: E402, F403
from hostile_process import *  # noqa: E402, F403


class TooLong(Exception):
    pass


def main():
    wanted = sys.argv[1:]
    tests = sorted((name, function) for name, function in globals().items() if name.startswith("test_"))
    chosen = [(name, function) for name, function in tests if not wanted or any(part in name for part in wanted)]

    def alarm(*_):
        raise TooLong("ran for more than 240 s")

    signal.signal(signal.SIGALRM, alarm)
    failed = 0
    for name, function in chosen:
        signal.alarm(240)
        start = time.monotonic()
        try:
            function()
            outcome = "passed"
        except Exception:
            failed += 1
            outcome = "FAILED\n" + "".join("    " + line for line in traceback.format_exc()[-3000:].splitlines(True))
        finally:
            signal.alarm(0)
        print(f"{name} ({time.monotonic() - start:.1f} s) {outcome}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
