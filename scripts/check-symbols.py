#!/usr/bin/env python3
"""Reads the symbol graphs of this package's libraries and fails on what a user would stumble over:

- a public symbol without a doc comment;
- a public signature with a type that `import LIBRARY` does not bring along.

    scripts/check-symbols.py [--modules FOLDER] [--root FOLDER]

Needs the modules of a build (`swift build`); FOLDER is that of the .swiftmodule files, the debug build's by default.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

# Modules that every Swift file sees, or that come with the toolchain.
TOOLCHAIN = {"Swift", "_Concurrency", "_StringProcessing", "Synchronization", "Distributed"}


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def libraries(root):
    """Name and modules of each library that users are meant to import, from the manifest."""
    manifest = json.loads(output("swift", "package", "--package-path", str(root), "dump-package"))
    products = [(p["name"], p["targets"]) for p in manifest["products"] if "library" in p["type"]]
    # A dynamic library is for C, and a name with an underscore for this package's own use.
    dynamic = {p["name"] for p in manifest["products"] if "library" in p["type"] and p["type"]["library"] == ["dynamic"]}
    return [(name, targets) for name, targets in products if not name.startswith("_") and name not in dynamic]


def reexports(root, module):
    """The modules that come along with `import module`."""
    found, queue = {module}, [module]
    while queue:
        for file in (root / "Sources" / queue.pop()).rglob("*.swift"):
            for name in re.findall(r"^\s*@_exported public import (\w+)", file.read_text(), re.M):
                if name not in found:
                    found.add(name)
                    queue.append(name)
    return found


def module_of(identifier):
    """The module in a symbol's mangled name; None for a type of the toolchain or one without a module."""
    if identifier.startswith("c:"):
        return "C"
    match = re.match(r"s:(?:e:)?(\d+)", identifier)
    if not match:
        return None
    start, length = match.end(), int(match.group(1))
    name = identifier[start : start + length]
    return None if name in TOOLCHAIN else name


def extract(modules, module_maps, target, module, folder):
    command = ["swift-symbolgraph-extract", "-target", target, "-module-name", module, "-I", str(modules)]
    command += ["-output-dir", str(folder), "-minimum-access-level", "public", "-skip-synthesized-members"]
    for path in module_maps:
        command += ["-Xcc", f"-fmodule-map-file={path}"]
    subprocess.run(command, check=True)
    graphs = [json.loads(p.read_text()) for p in folder.glob(f"{module}*.symbols.json") if p.name.split("@")[0].split(".")[0] == module]
    return [symbol for graph in graphs for symbol in graph["symbols"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    parser.add_argument("--modules", type=pathlib.Path)
    options = parser.parse_args()
    root = options.root
    build = pathlib.Path(output("swift", "build", "--package-path", str(root), "--show-bin-path").strip())
    modules = options.modules or build / "Modules"
    info = json.loads(output("swiftc", "-print-target-info"))
    target = info["target"]["triple"]
    # Modules of C: those that the build made a map for, and those that bring their own.
    module_maps = [
        *build.glob("*.build/module.modulemap"), *root.glob("Sources/*/module.modulemap"),
        *root.glob(".build/checkouts/*/Sources/**/module.modulemap"),
    ]

    undocumented, foreign, count = {}, {}, 0
    with tempfile.TemporaryDirectory() as folder:
        graphs = {}
        for product, targets in libraries(root):
            for module in targets:
                if module not in graphs:
                    graphs[module] = extract(modules, module_maps, target, module, pathlib.Path(folder))
                    count += len(graphs[module])
            visible = reexports(root, targets[0])
            for module in targets:
                for symbol in graphs[module]:
                    name = f"{module}.{'.'.join(symbol['pathComponents'])}"
                    if "docComment" not in symbol:
                        undocumented[name] = symbol
                    for fragment in symbol.get("declarationFragments", []):
                        owner = module_of(fragment.get("preciseIdentifier", ""))
                        if owner and owner not in visible:
                            foreign[f"{name}: {fragment['spelling']} of {owner} does not come with import {targets[0]}"] = symbol
    for name in sorted(undocumented):
        location = undocumented[name].get("location", {})
        path = location.get("uri", "").removeprefix("file://")
        line = location.get("position", {}).get("line", -1) + 1
        print(f"{path}:{line}: {name} has no doc comment", file=sys.stderr)
    for line in sorted(foreign):
        print(line, file=sys.stderr)
    print(f"{count} public symbols, {len(undocumented)} without a doc comment, {len(foreign)} with a type that is not vended")
    sys.exit(1 if undocumented or foreign or count == 0 else 0)


if __name__ == "__main__":
    main()
