"""The results as a Markdown table and as a picture."""

import importlib.metadata
import os
import platform

import llama_cpp
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as pyplot  # noqa: E402

NAMES = ["q3", "llama.cpp", "llama.cpp, no repacking", "OpenVINO int4", "OpenVINO int8", "OpenVINO bf16", "PyTorch bf16", "PyTorch f32"]
COLORS = dict(zip(NAMES, ["#d9480f", "#495057", "#adb5bd", "#2b8a3e", "#51cf66", "#b2f2bb", "#1971c2", "#a5d8ff"]))
PACKAGES = ("llama-cpp-python", "openvino", "nncf", "torch", "transformers")


def machine():
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = open("/proc/cpuinfo").read().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = {p: importlib.metadata.version(p) for p in PACKAGES}
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.system(), "versions": versions,
            "llama.cpp": llama_cpp.llama_print_system_info().decode().strip()}


def write(result, out):
    (out / "results.md").write_text("\n".join(_markdown(result)) + "\n")
    if result["speed"]:
        _picture(result["speed"], out / "speed.svg")


def _markdown(result):
    m = result["machine"]
    yield f"{m['cpu']}, {m['cores']} cores, {m['system']}; load average {result['load before']:.1f} before, " \
          f"{result['load after']:.1f} after. " + ", ".join(f"{k} {v}" for k, v in m["versions"].items()) + "."
    yield f"llama.cpp: {m['llama.cpp']}"
    yield from ["", "Tokens per second, medians of interleaved runs; every token that comes in counts, shared or not.",
                "", "| case | " + " | ".join(NAMES) + " | q3 / llama.cpp | q3 / no repacking | q3 / best other | aim |",
                "|---|" + "--:|" * (len(NAMES) + 4)]
    for row in result["speed"]:
        rate = {name: row["tokens"] / s for name, s in row["median"].items()}
        cells = [f"{rate[n]:.0f}" if n in rate else "" for n in NAMES]
        cells += [f"**{rate['q3'] / rate[n]:.2f}**" if "q3" in rate and n in rate else "" for n in NAMES[1:3]]
        others = [r for n, r in rate.items() if n != "q3"]
        cells.append(f"**{rate['q3'] / max(others):.2f}**" if "q3" in rate and others else "")
        yield f"| {row['case']} | {' | '.join(cells)} | {row['bar'] or ''} |"
    if "cold start" in result:
        yield from ["", "Cold start to the first vector, file in the page cache; q3 with the start of its process, "
                    "others without the start of Python.", "", "| | seconds | peak resident MB |", "|---|--:|--:|"]
        for name, r in result["cold start"].items():
            yield f"| {name} | {r['seconds']:.3f} | {r['bytes'] / 1e6:.0f} |"
    if "quality" in result:
        yield from ["", "1 - cosine to PyTorch float32 on the same file's dequantized weights; OpenVINO's to its own float32 on its "
                    "own weights.", "",
                    "| file | program | median | largest |", "|---|---|--:|--:|"]
        for r in result["quality"]:
            yield f"| {r['file']} | {r['engine']} | {r['median']:.1e} | {r['maximum']:.1e} |"


def _picture(rows, path):
    figure, axes = pyplot.subplots(figsize=(9, 0.9 * len(rows) + 1.2))
    height = 0.8 / len(NAMES)
    for i, name in enumerate(NAMES):
        points = [(y, row["tokens"] / row["median"][name]) for y, row in enumerate(rows) if name in row["median"]]
        if not points:
            continue
        places, values = [y + i * height for y, _ in points], [v for _, v in points]
        bars = axes.barh(places, values, height, color=COLORS[name], label=name)
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=7)
    axes.set_yticks([y + height for y in range(len(rows))], [row["case"] for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("tokens per second (more is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
