"""Builds the wheel q3-embedding: the Python package, libq3 and the program q3, with the licences of what is linked.

A build backend of PEP 517 that needs nothing but Python. `make wheel` calls it; the version is the one of the Swift package.
"""

import base64
import hashlib
import io
import os
import platform
import re
import stat
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: Where `make dist-files` puts libq3.so, q3 and the licences.
FILES = Path(os.environ.get("Q3_DIST_FILES", ROOT / ".build" / "dist"))

EXTRAS = {
    "arrow": ["pyarrow>=14"],
    "torch": ["torch>=2"],
    "langchain": ["langchain-core>=0.3"],
    "llama-index": ["llama-index-core>=0.11"],
    "haystack": ["haystack-ai>=2.5"],
    "chromadb": ["chromadb>=0.5"],
    "lancedb": ["lancedb>=0.10"],
    "mteb": ["mteb>=2"],
    "bertopic": ["bertopic>=0.16"],
    "llm": ["llm>=0.20"],
    "spark": ["pyspark>=3.4", "pyarrow>=14", "pandas>=2.2"],
    "ray": ["ray[data]>=2.10", "pyarrow>=14"],
}

ENTRY_POINTS = """\
[console_scripts]
q3 = q3._program:main

[llm]
q3 = q3.integrations.llm
"""


def version():
    """The version in the Swift sources, or in the sdist's own file."""
    own = HERE / "VERSION"
    if own.exists():
        return own.read_text().strip()
    for path in sorted((ROOT / "Sources").rglob("Release.swift")):
        found = re.search(r'static let version = "([^"]+)"', path.read_text())
        if found:
            return found.group(1)
    raise SystemExit(f"error: no version in {ROOT}/Sources")


def metadata():
    lines = [
        "Metadata-Version: 2.4",
        "Name: q3-embedding",
        f"Version: {version()}",
        "Summary: Text embeddings and reranking with Qwen3 models, on the CPU",
        "License-Expression: Apache-2.0",
        "License-File: LICENSE",
        "License-File: NOTICES.txt",
        "Requires-Python: >=3.10",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Classifier: Typing :: Typed",
        "Requires-Dist: numpy>=1.22",
    ]
    for extra, requirements in EXTRAS.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    lines += ["Description-Content-Type: text/markdown", "", (HERE / "README.md").read_text()]
    return "\n".join(lines)


def sources():
    """The package's own files by their names in the wheel."""
    kept = {".py", ".pyi", ".typed"}
    return {
        path.relative_to(HERE).as_posix(): path.read_bytes()
        for path in sorted((HERE / "q3").rglob("*"))
        if path.suffix in kept or path.name == "py.typed"
    }


def get_requires_for_build_wheel(config_settings=None):
    return []


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = f"q3_embedding-{version()}.dist-info"
    target = Path(metadata_directory) / folder
    target.mkdir(parents=True)
    (target / "METADATA").write_text(metadata())
    (target / "WHEEL").write_text(wheel_text())
    (target / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def tag():
    # Any Python: the library is called through ctypes and knows nothing of it. auditwheel narrows the platform.
    return f"py3-none-linux_{platform.machine()}"


def wheel_text():
    return f"Wheel-Version: 1.0\nGenerator: q3_build\nRoot-Is-Purelib: false\nTag: {tag()}\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    for name in ("libq3.so", "q3", "NOTICES.txt"):
        if not (FILES / name).exists():
            raise SystemExit(
                f"error: {FILES / name} is not there. q3-embedding is built with Swift 6.3: run `make wheel` in the repository of "
                "q3, or install a wheel that was built elsewhere (pip install q3-embedding)."
            )
    info = f"q3_embedding-{version()}.dist-info"
    files = sources()
    files["q3/libq3.so"] = (FILES / "libq3.so").read_bytes()
    files["q3/bin/q3"] = (FILES / "q3").read_bytes()
    files[f"{info}/METADATA"] = metadata().encode()
    files[f"{info}/WHEEL"] = wheel_text().encode()
    files[f"{info}/entry_points.txt"] = ENTRY_POINTS.encode()
    files[f"{info}/licenses/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[f"{info}/licenses/NOTICES.txt"] = (FILES / "NOTICES.txt").read_bytes()
    name = f"q3_embedding-{version()}-{tag()}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        record = []
        for path, content in files.items():
            mode = 0o755 if path in ("q3/libq3.so", "q3/bin/q3") else 0o644
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))  # the same wheel from the same files
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(content)}")
        record.append(f"{info}/RECORD,,")
        wheel.writestr(f"{info}/RECORD", "\n".join(record) + "\n")
    return name


def build_sdist(sdist_directory, config_settings=None):
    """The Python files alone, for reading: a wheel comes only from the repository, by Swift."""
    base = f"q3_embedding-{version()}"
    files = sources()
    for name in ("README.md", "pyproject.toml", "q3_build.py"):
        files[name] = (HERE / name).read_bytes()
    files["VERSION"] = version().encode()
    files["PKG-INFO"] = metadata().encode()
    with tarfile.open(Path(sdist_directory) / f"{base}.tar.gz", "w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{base}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return f"{base}.tar.gz"
