"""OpenVINO as a worker process, on the weights of an F16 file: a JSON request per line in, a JSON answer per line out.

    {"model": path, "kind": "bf16" | "int8" | "int4", "exact": false, "threads": n, "lists": [[id, ...], ...], "vectors": false}
    -> {"seconds": s, "vectors": [[...], ...] | null}

nncf compresses the weights: int8 symmetric for a row, int4 with a minimum for every 32. Activations are rounded to 8 bits in groups of
32 then, which is faster than one group for a row and more exact; with `exact` nothing but the weights is rounded. The converted
model is kept beside the file. `vino.py --make MODEL KIND` converts, `vino.py --cold MODEL KIND IDS THREADS` does one list from
loading to vector.
"""

import json
import pathlib
import resource
import subprocess
import sys
import time

WARM_UP_TOKENS = 512
ROUNDED = {"bf16": {"INFERENCE_PRECISION_HINT": "bf16"}, "int8": {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "32"},
           "int4": {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "32"}}
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def place(path, kind):
    return pathlib.Path(path).with_suffix(f".{kind}.xml")


def make(path, kind):
    """Converts in a process of its own, whose memory ends with it."""
    import nncf
    import openvino
    import torch
    from generator.reference import Reference

    class LastState(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = Reference(path, attention="sdpa").model

        def forward(self, ids):
            return self.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).last_hidden_state[:, -1]

    with torch.no_grad():
        model = openvino.convert_model(LastState(), example_input=torch.randint(0, 1000, (1, 64)))
    modes = nncf.CompressWeightsMode
    if kind == "int8":
        model = nncf.compress_weights(model, mode=modes.INT8_SYM)
    if kind == "int4":
        model = nncf.compress_weights(model, mode=modes.INT4_ASYM, group_size=32, ratio=1.0)
    openvino.save_model(model, place(path, kind), compress_to_fp16=True)


def load(path, kind, exact, threads):
    import openvino

    if not place(path, kind).exists():
        print(f"converting {path} for OpenVINO, {kind}", file=sys.stderr)
        subprocess.run([sys.executable, __file__, "--make", path, kind], check=True, stdout=sys.stderr)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **(EXACT if exact else ROUNDED[kind])}
    return openvino.Core().compile_model(place(path, kind), "CPU", settings)


def run(compiled, ids):
    import numpy

    return compiled([numpy.array([ids], dtype=numpy.int64)])[0].ravel()


def serve():
    compiled, loaded = None, None
    for line in sys.stdin:
        request = json.loads(line)
        wanted = (request["model"], request["kind"], request.get("exact", False), request["threads"])
        if loaded != wanted:
            compiled = None
            compiled, loaded = load(*wanted), wanted
        lists = request["lists"]
        if request.get("warm", True):
            run(compiled, lists[0][:WARM_UP_TOKENS])
        start = time.perf_counter()
        results = [run(compiled, ids) for ids in lists]
        seconds = time.perf_counter() - start
        vectors = [[float(x) for x in r] for r in results] if request.get("vectors") else None
        print(json.dumps({"seconds": seconds, "vectors": vectors}), flush=True)


def cold(path, kind, ids, threads):
    start = time.perf_counter()
    run(load(path, kind, False, threads), ids)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "bytes": peak}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["--cold"]:
        cold(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), int(sys.argv[5]))
    else:
        serve()
