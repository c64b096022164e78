"""Measures the cases with every program in turn, A B A B, and writes medians, ratios and quality."""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

from cases import CASES
from engines import Llama, OpenVINO, PyTorch, Q3
from models import Files
import quality
import report

HERE = pathlib.Path(__file__).resolve().parent
COLD_TEXT = "The capital of China is Beijing."
BUSY_LOAD = 0.5  # more than this before we begin, and the figures are those of a busy machine
PAUSE_SECONDS = 0.5  # threads of the program before stop spinning


def interleave(case, engines, file, rounds):
    """Seconds of every run by program."""
    times = {e.name: [] for e in engines}
    lists = case.lists()
    for number in range(min(case.rounds or rounds, rounds)):
        for engine in engines:
            time.sleep(PAUSE_SECONDS)
            times[engine.name].append(engine.seconds(case, file, lists))
        print(f"{case.name}, round {number + 1}: "
              + ", ".join(f"{name} {seconds[-1]:.3f} s" for name, seconds in times.items()), file=sys.stderr)
    return times


def speed(cases, files, engines, others, rounds):
    rows = []
    for case in cases:
        file = str(files.path(case.file))
        taken = [e for e in engines if case.llama or not isinstance(e, Llama)]
        settings = {e.name: e.tune(case, file, case.lists()) for e in taken if isinstance(e, Llama)}
        times = interleave(case, taken + [others[name] for name in case.beside], file, rounds)
        rows.append({
            "case": case.name, "tokens": sum(map(len, case.lists())), "threads": case.threads, "bar": case.bar,
            "seconds": times, "median": {name: statistics.median(s) for name, s in times.items()}, "settings": settings})
    return rows


def cold_start(files, engines, rounds):
    file = str(files.path("Q4_K_M"))
    pathlib.Path(file).read_bytes()  # the file is in the page cache for all
    runs = {e.name: [] for e in engines if hasattr(e, "cold_start")}
    for _ in range(rounds):
        for engine in engines:
            if engine.name in runs:
                time.sleep(PAUSE_SECONDS)
                runs[engine.name].append(engine.cold_start(file, COLD_TEXT, 2))
    return {name: {"seconds": statistics.median(s for s, _ in r), "bytes": max(b for _, b in r)}
            for name, r in runs.items()}


def add_to(path, result):
    """With --only, what was not measured now is kept as an earlier run on the same machine found it."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    if earlier.get("machine") != result["machine"]:
        return result
    measured = {row["case"]: row for row in earlier["speed"] + result["speed"]}
    order = {case.name: number for number, case in enumerate(CASES)}
    return earlier | result | {"speed": sorted(measured.values(), key=lambda row: order[row["case"]])}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--q3", help="the program; without it the peers are measured alone")
    parser.add_argument("--only", nargs="+", help="parts of the names of the cases to run; also: quality, cold")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quality-files", nargs="+", default=quality.FILES, help="file types whose vectors to compare")
    parser.add_argument("--models", default=HERE / ".models", help="folder of the model files")
    parser.add_argument("--out", default=HERE / "results", help="folder of the tables and the picture")
    a = parser.parse_args()

    def wanted(name):
        return not a.only or any(part in name for part in a.only)

    files, out = Files(a.models), pathlib.Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    q3 = Q3(a.q3) if a.q3 and a.q3 != "none" else None
    llamas = [Llama(repack=True), Llama(repack=False)]
    others = {e.name: e for e in [PyTorch(), PyTorch("bfloat16"), *map(OpenVINO, ("bf16", "int8", "int4"))]}
    engines = [e for e in (q3, *llamas) if e]
    result = {"machine": report.machine(), "load before": os.getloadavg()[0]}
    if result["load before"] > BUSY_LOAD:
        print(f"warning: load average {result['load before']:.1f}: wait until nothing else runs", file=sys.stderr)
    result["speed"] = speed([c for c in CASES if wanted(c.name)], files, engines, others, a.rounds)
    if wanted("cold"):
        result["cold start"] = cold_start(files, engines + list(others.values()), a.rounds)
    if wanted("quality"):
        result["quality"] = quality.measure(a.quality_files, files, q3, llamas[0], others)
    result["load after"] = os.getloadavg()[0]
    result = add_to(out / "results.json", result)
    (out / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    report.write(result, out)
    for engine in engines + list(others.values()):
        engine.close()


if __name__ == "__main__":
    main()
