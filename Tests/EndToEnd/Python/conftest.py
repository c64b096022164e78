"""What the tests share: the library, the program whose bits count, and the models.

Q3 names the program q3, Q3_LIBRARY the library; `Tests/EndToEnd/Python/run` builds both.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "Tests" / "Fixtures"
EMBED, RERANK = str(FIXTURES / "tiny-embed-Q8_0.gguf"), str(FIXTURES / "tiny-rerank-Q8_0.gguf")


@pytest.fixture(scope="session")
def program():
    """The program q3."""
    path = os.environ.get("Q3")
    if not path or not os.access(path, os.X_OK):
        pytest.fail("set Q3 to the program q3, or use Tests/EndToEnd/Python/run")
    return path


@pytest.fixture(scope="session")
def q3_embed(program):
    """Vectors as the program gives them."""

    def embed(texts, *arguments, model=EMBED):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        command = [program, "embed", *(["-m", model] if model else []), "-i", "-", "--format", "raw", *arguments]
        # Lines of stdin are plain text: JSON lines need a file.
        path = Path(os.environ.get("TMPDIR", "/tmp")) / f"q3-texts-{os.getpid()}.jsonl"
        path.write_text(lines)
        try:
            command[command.index("-i") + 1] = str(path)
            done = subprocess.run(command, capture_output=True, check=True)
        finally:
            path.unlink()
        return np.frombuffer(done.stdout, "<f4").reshape(len(texts), -1)

    return embed


def run_python(code, **environment):
    """Runs code in a Python of its own; a hang is a failure."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


@pytest.fixture(scope="session")
def embedder():
    import q3

    return q3.Embedder(EMBED, threads=2)


@pytest.fixture(scope="session")
def reranker():
    import q3

    return q3.Reranker(RERANK, threads=2)


TEXTS = [
    "The capital of China is Beijing.", "", "Gravity pulls bodies towards each other.", "naïve café 東京 🙂", "x" * 300,
    "The capital of China is Beijing.", "a\0b", "\n", " leading and trailing ",
]
