"""The programs behind one face: seconds for a case, vectors for texts, and the cost of a cold start."""

import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


class Worker:
    """A Python process that answers a JSON line with a JSON line."""

    def __init__(self, script):
        self.process = subprocess.Popen(
            [sys.executable, HERE / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[1].name} ended with status {self.process.wait()}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def repeats(lists):
    """Of one measurement: short texts take milliseconds, so the median of several runs counts, in every program."""
    return 5 if sum(map(len, lists)) <= 64 else 1


class Q3:
    """A process per measurement: it maps the file, runs once to warm up, and times the second run."""

    name = "q3"
    LONG = 8192  # tokens from which a first run times like a second

    def __init__(self, path):
        self.path = path

    def seconds(self, case, file, lists):
        command = [self.path, "bench", "--model", file, "--case", case.bench, "--threads", str(case.threads), "--precision",
                   case.precision, "--repeat", str(repeats(lists)), "--json"]
        if case.packed:
            command += ["--packed-weights", "65536"]
        if sum(map(len, lists)) >= self.LONG:
            command.append("--skip-warm-up")
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["seconds"]

    def vectors(self, file, texts, lists, precision):
        command = [self.path, "embed", "--model", file, "--format", "jsonl", "--precision", precision, "--input", "-"]
        lines = "\n".join(texts) + "\n"
        output = subprocess.run(command, check=True, capture_output=True, text=True, input=lines).stdout
        answers = [json.loads(line) for line in output.splitlines()]
        assert [a["tokens"] for a in answers] == [len(ids) for ids in lists], "q3 and Hugging Face tokenize differently"
        return [a["embedding"] for a in answers]

    def cold_start(self, file, text, threads):
        """From the start of a process to its end, and its peak of resident memory in bytes; the text is q3's own."""
        command = [self.path, "bench", "--model", file, "--case", "start", "--threads", str(threads), "--repeat", "1", "--json"]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return answer["seconds"], answer["peak_resident_bytes"]

    def close(self):
        pass


class Llama:
    """One process stays alive with the model loaded; each case runs with the settings that were fastest for it, but for
    one: llama.cpp repacks weights at load unless it is told not to, which pays on some processors only. So there is one
    of either kind."""

    # Pooling "none" asks for the state of the last token only, "last" marks every token as an output.
    BASE = {"flash": True, "pooling": "none", "sequences": 1, "unified": False}
    OPTIONS = {"flash": [False], "pooling": ["last"]}
    OPTIONS_OF_MANY = {"sequences": [16, 64], "unified": [True]}
    TRIALS = 2

    def __init__(self, repack):
        self.name = "llama.cpp" if repack else "llama.cpp, no repacking"
        self.repack, self.worker, self.best = repack, Worker("llama.py"), {}

    def tune(self, case, file, lists):
        """Changes one setting after the other and keeps what is faster; long cases take over what 512 tokens found."""
        key = (case.file, case.bench, case.threads)
        if key not in self.best:
            if case.tune:
                self.best[key] = self._search(case, file, lists[:64])
            else:
                known = self.best.get((case.file.removeprefix("rerank-"), "tokens:512", 2), self.BASE)
                self.best[key] = known | ({"sequences": 8} if len(lists) > 1 else {})
        return self.best[key]

    def _search(self, case, file, lists):
        def trial(settings):
            return min(self._run(case, file, lists, settings) for _ in range(self.TRIALS))

        best, seconds = self.BASE, trial(self.BASE)
        for name, values in (self.OPTIONS_OF_MANY if len(lists) > 1 else self.OPTIONS).items():
            for value in values:
                changed = best | {name: value}
                if (time_of_changed := trial(changed)) < seconds:
                    best, seconds = changed, time_of_changed
        return best

    def _run(self, case, file, lists, settings):
        return self.worker.ask(
            model=file, threads=case.threads, lists=lists, head=case.head, repack=self.repack, **settings)["seconds"]

    def seconds(self, case, file, lists):
        settings = self.best[case.file, case.bench, case.threads]
        return statistics.median(self._run(case, file, lists, settings) for _ in range(repeats(lists)))

    def vectors(self, file, texts, lists, precision):
        return [self.worker.ask(model=file, threads=2, lists=[ids], head="embed", repack=self.repack, vectors=True)["vectors"][0]
                for ids in lists]

    def cold_start(self, file, text, threads):
        """From the start of loading to the vector, without the start of Python, with a context of 512 tokens."""
        command = [sys.executable, HERE / "llama.py", "--cold", file, text, str(threads), str(int(self.repack))]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return answer["seconds"], answer["bytes"]

    def close(self):
        self.worker.close()


class PyTorch:
    """In float32 on the weights of any file; in bfloat16 as a checkpoint is usually run."""

    def __init__(self, dtype="float32"):
        self.name = {"float32": "PyTorch f32", "bfloat16": "PyTorch bf16"}[dtype]
        self.dtype, self.worker = dtype, Worker("pytorch.py")

    def seconds(self, case, file, lists):
        ask = {"model": file, "dtype": self.dtype, "threads": case.threads, "lists": lists}
        return statistics.median(self.worker.ask(**ask)["seconds"] for _ in range(repeats(lists)))

    def vectors(self, file, texts, lists, precision):
        answer = self.worker.ask(model=file, dtype=self.dtype, threads=2, lists=lists, warm=False, vectors=True)
        return answer["vectors"]

    def close(self):
        self.worker.close()


class OpenVINO:
    """In bfloat16, or with weights of 8 or 4 bits; always made from the F16 file, since it reads no other GGUF type."""

    def __init__(self, kind):
        self.name, self.kind, self.worker = f"OpenVINO {kind}", kind, Worker("vino.py")

    @staticmethod
    def source(file):
        return str(pathlib.Path(file).with_name("F16.gguf"))

    def _ask(self, file, **request):
        return self.worker.ask(model=self.source(file), kind=self.kind, **request)

    def seconds(self, case, file, lists):
        return statistics.median(self._ask(file, threads=case.threads, lists=lists)["seconds"] for _ in range(repeats(lists)))

    def vectors(self, file, texts, lists, precision):
        """With `precision` "exact" only the weights are rounded."""
        exact = precision == "exact"
        return self._ask(file, threads=2, lists=lists, exact=exact, warm=False, vectors=True)["vectors"]

    def cold_start(self, file, text, threads):
        """From the start of loading to the vector, without the start of Python; a list of ids as long as the text's."""
        ids = json.dumps(list(range(100, 108)))
        command = [sys.executable, HERE / "vino.py", "--cold", self.source(file), self.kind, ids, str(threads)]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return answer["seconds"], answer["bytes"]

    def close(self):
        self.worker.close()
