"""llama.cpp as a worker process, driven through its C API: a JSON request per line in, a JSON answer per line out.

    {"model": path, "threads": n, "lists": [[id, ...], ...], "head": "embed" | "rerank", "vectors": false, ...settings}
    -> {"seconds": s, "vectors": [[...], ...] | null}

Model and context stay loaded while requests ask for the same ones. The clock runs from the first batch to the last
vector; loading, making the context and a pass to warm up are outside it. `llama.py --cold MODEL TEXT THREADS REPACK` does one
text from loading to vector.
"""

import ctypes
import json
import resource
import sys
import time

import llama_cpp as llama
import numpy as np

WARM_UP_TOKENS = 512
SETTINGS = {"pooling": "none", "flash": True, "ubatch": 512, "sequences": 1, "unified": False, "repack": False}
POOLING = {"none": llama.LLAMA_POOLING_TYPE_NONE, "last": llama.LLAMA_POOLING_TYPE_LAST,
           "rank": llama.LLAMA_POOLING_TYPE_RANK}


class Worker:
    """One model and one context; a batch holds as many whole lists as the context has sequences."""

    def __init__(self, path, repack):
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0
        params.use_extra_bufts = repack  # weights repacked at load for this CPU's integer instructions
        self.model = llama.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.width = llama.llama_model_n_embd(self.model)
        self.context, self.key = None, None

    def close(self):
        if self.context:
            llama.llama_free(self.context)
        llama.llama_model_free(self.model)

    def prepare(self, longest, threads, pooling, flash, ubatch, sequences, unified):
        """A context for batches of `sequences` lists of up to `longest` ids each."""
        cells = (longest + 255) // 256 * 256
        key = (cells, threads, pooling, flash, ubatch, sequences, unified)
        if key == self.key:
            return
        if self.context:
            llama.llama_free(self.context)
        p = llama.llama_context_default_params()
        p.n_ctx = p.n_batch = cells * sequences
        p.n_ubatch = min(ubatch, p.n_ctx)
        p.n_seq_max = sequences
        p.kv_unified = unified
        p.n_threads = p.n_threads_batch = threads
        p.embeddings = True
        p.pooling_type = POOLING[pooling]
        p.flash_attn_type = (
            llama.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else llama.LLAMA_FLASH_ATTN_TYPE_DISABLED)
        self.context = llama.llama_init_from_model(self.model, p)
        if not self.context:
            raise SystemExit(f"llama.cpp cannot make a context for {key}")
        self.key = key

    def run(self, lists, pooling, sequences):
        results = []
        for start in range(0, len(lists), sequences):
            results += self._batch(lists[start:start + sequences], pooling)
        return results

    def _batch(self, lists, pooling):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), False)
        batch = llama.llama_batch_init(sum(map(len, lists)), 0, 1)
        at, last = 0, []
        for number, ids in enumerate(lists):
            for position, token in enumerate(ids):
                batch.token[at], batch.pos[at] = token, position
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, number
                batch.logits[at] = position == len(ids) - 1 or pooling != "none"
                at += 1
            last.append(at - 1)
        batch.n_tokens = at
        status = llama.llama_decode(self.context, batch)
        if status:
            raise SystemExit(f"llama_decode returned {status} for {at} tokens")
        size = 1 if pooling == "rank" else self.width
        results = []
        for number in range(len(lists)):
            if pooling == "none":
                pointer = llama.llama_get_embeddings_ith(self.context, last[number])
            else:
                pointer = llama.llama_get_embeddings_seq(self.context, number)
            results.append(np.ctypeslib.as_array(pointer, (size,)).copy())
        llama.llama_batch_free(batch)
        return results

    def tokenize(self, text):
        """Ids of a text; the file's metadata decides that <|endoftext|> closes them."""
        vocabulary, data = llama.llama_model_get_vocab(self.model), text.encode()
        ids = (llama.llama_token * (len(data) + 2))()
        count = llama.llama_tokenize(vocabulary, data, len(data), ids, len(ids), True, False)
        return list(ids[:count])


def cold(path, text, threads, repack):
    start = time.perf_counter()
    llama.llama_backend_init()
    worker = Worker(path, repack)
    worker.prepare(512, threads, "none", True, 512, 1, False)
    worker.run([worker.tokenize(text)], "none", 1)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "bytes": peak}))


def serve():
    llama.llama_backend_init()
    worker, loaded = None, None
    for line in sys.stdin:
        request = json.loads(line)
        s = {name: request.get(name, value) for name, value in SETTINGS.items()}
        if loaded != (request["model"], s["repack"]):
            if worker:
                worker.close()
            worker = Worker(request["model"], s["repack"])
            loaded = (request["model"], s["repack"])
        pooling = "rank" if request["head"] == "rerank" else s["pooling"]
        lists = request["lists"]
        sequences = min(s["sequences"], len(lists))
        longest = max(map(len, lists))
        worker.prepare(longest, request["threads"], pooling, s["flash"], s["ubatch"], sequences, s["unified"])
        if request.get("warm", True):
            worker.run([ids[:WARM_UP_TOKENS] for ids in lists[:sequences]], pooling, sequences)
        start = time.perf_counter()
        results = worker.run(lists, pooling, sequences)
        seconds = time.perf_counter() - start
        vectors = [[float(x) for x in r] for r in results] if request.get("vectors") else None
        print(json.dumps({"seconds": seconds, "vectors": vectors}), flush=True)


def main():
    quiet = llama.llama_log_callback(lambda *_: None)
    llama.llama_log_set(quiet, ctypes.c_void_p())
    if sys.argv[1:2] == ["--cold"]:
        cold(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5] == "1")
    else:
        serve()


if __name__ == "__main__":
    main()
