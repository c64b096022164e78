"""What is measured: the shapes are those of `q3 bench`, the ids are random in every program."""

import dataclasses
import random

PROBE_VOCABULARY = 151_643  # base tokens of Qwen3: none of the random ids is an added token


@dataclasses.dataclass(frozen=True)
class Case:
    """One line of the table. `bench` is the case's name in `q3 bench`; `lists` gives the same shape to the others."""

    name: str
    file: str
    bench: str
    bar: float | None = None  # how many times llama.cpp's speed we aim at
    threads: int = 2
    precision: str = "auto"
    rounds: int | None = None  # of A B A B; None: as many as asked for
    beside: tuple = ()  # engines besides q3 and llama.cpp, by name
    llama: bool = True
    packed: bool = False  # q3 keeps weights packed, as its server does where memory allows
    tune: bool = True  # llama.cpp's settings are searched with this case, not taken over from 512 tokens

    @property
    def head(self):
        return "rerank" if self.bench == "rerank" else "embed"

    def lists(self):
        r = random.Random(3)

        def ids(count):
            return [r.randrange(PROBE_VOCABULARY) for _ in range(count)]

        if self.bench == "queries":
            instruction = ids(22)
            return [instruction + ids(r.randint(6, 14)) for _ in range(256)]
        if self.bench == "rerank":
            prefix, suffix = ids(90), ids(9)
            return [prefix + ids(150) + suffix for _ in range(100)]
        return [ids(int(self.bench.removeprefix("tokens:")))]


# What else computes with about as many bits.
FOUR_BITS, EIGHT_BITS = ("OpenVINO int4", "OpenVINO int8"), ("OpenVINO int8",)
SIXTEEN_BITS = ("OpenVINO bf16", "PyTorch bf16")

CASES = [
    Case("Q4_K_M, 512 tokens", "Q4_K_M", "tokens:512", 3.0, beside=FOUR_BITS),
    Case("Q4_K_M, 64 tokens", "Q4_K_M", "tokens:64", 2.5, beside=FOUR_BITS),
    Case("Q4_K_M, 16 tokens", "Q4_K_M", "tokens:16", 2.0, beside=FOUR_BITS),
    Case("Q8_0, 512 tokens", "Q8_0", "tokens:512", 2.0, beside=EIGHT_BITS),
    Case("F16, 512 tokens", "F16", "tokens:512", 3.0, beside=("PyTorch f32",) + SIXTEEN_BITS),
    Case("Q4_K_M exact, 512 tokens", "Q4_K_M", "tokens:512", 1.8, precision="exact"),
    Case("Q4_K_M fine, 512 tokens", "Q4_K_M", "tokens:512", 1.4, precision="fine"),
    Case("Q4_K_M, 256 instructed queries", "Q4_K_M", "queries", 5.0),
    Case("Q8_0 reranker, 1 x 100 x 150", "rerank-Q8_0", "rerank", 3.5, rounds=2, tune=False),
    Case("Q4_K_M, 2048 tokens", "Q4_K_M", "tokens:2048", 3.0, rounds=3, tune=False, beside=FOUR_BITS),
    Case("Q4_K_M, 8192 tokens", "Q4_K_M", "tokens:8192", 2.5, rounds=2, tune=False, beside=FOUR_BITS),
    Case("IQ3_S, 512 tokens", "IQ3_S", "tokens:512", rounds=3, tune=False),
    Case("IQ2_XS, 512 tokens", "IQ2_XS", "tokens:512", rounds=3, tune=False),
    Case("MXFP4, 512 tokens", "MXFP4", "tokens:512", rounds=3, tune=False),
    Case("Q4_K_M, 512 tokens, 1 thread", "Q4_K_M", "tokens:512", threads=1, rounds=3),
    *(Case(f"Q4_K_M fast, {n} tokens", "Q4_K_M", f"tokens:{n}", precision="fast", rounds=3, llama=False, beside=FOUR_BITS)
      for n in (16, 64, 512, 2048, 8192)),
    *(Case(f"{file} {step}, {n} tokens", file, f"tokens:{n}", precision=step, rounds=3, llama=False, beside=beside)
      for file, beside in (("Q8_0", EIGHT_BITS), ("F16", SIXTEEN_BITS)) for step in ("auto", "fast") for n in (16, 64, 512, 2048)),
    *(Case(f"{file} {step} packed, {n} tokens", file, f"tokens:{n}", precision=step, rounds=3, llama=False, beside=beside, packed=True)
      for file, beside in (("Q4_K_M", FOUR_BITS), ("Q8_0", EIGHT_BITS), ("F16", SIXTEEN_BITS)) for step in ("auto", "fast")
      for n in (16, 64, 512)),
]
