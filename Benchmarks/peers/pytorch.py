"""PyTorch as a worker process: Hugging Face's Qwen3Model in float32 or bfloat16 on the dequantized weights of the same file.

    {"model": path, "dtype": "float32", "threads": n, "lists": [[id, ...], ...], "vectors": false}
    -> {"seconds": s, "vectors": [[...], ...] | null}
"""

import json
import sys
import time

import torch
from generator.reference import Reference

WARM_UP_TOKENS = 512


def main():
    reference, loaded = None, None
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        wanted = (request["model"], request.get("dtype", "float32"))
        if loaded != wanted:
            reference, loaded = Reference(wanted[0], attention="sdpa"), wanted
            rotations = reference.model.rotary_emb
            reference.model.to(getattr(torch, wanted[1]))
            reference.model.rotary_emb = rotations.to(torch.float32)  # frequencies stay as a checkpoint of that type has them
        lists = request["lists"]
        if request.get("warm", True):
            reference.last(lists[0][:WARM_UP_TOKENS])
        start = time.perf_counter()
        results = [reference.last(ids) for ids in lists]
        seconds = time.perf_counter() - start
        vectors = [[float(x) for x in r] for r in results] if request.get("vectors") else None
        print(json.dumps({"seconds": seconds, "vectors": vectors}), flush=True)


if __name__ == "__main__":
    main()
