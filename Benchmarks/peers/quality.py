"""How far each program's vectors are from float32 on the same file: 1 - cosine, median and largest over the texts."""

import gguf
import numpy as np

from generator import texts as fixtures
from generator.tokenizer import hugging_face

FILES = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_0", "Q4_K_M", "Q4_0"]
# A text per line is what q3 reads; <|...|> is text to q3 and a token to others.
TEXTS = [" ".join(text.split()) for _, text in fixtures.TEXTS if text.strip() and "<" not in text]


def distances(vectors, reference):
    a, b = (np.array([v / np.linalg.norm(v) for v in np.array(x, dtype=np.float64)]) for x in (vectors, reference))
    off = 1 - np.sum(a * b, axis=1)
    return {"median": float(np.median(off)), "maximum": float(off.max())}


OPENVINO_FILES = {"F16": ["OpenVINO bf16"], "Q8_0": ["OpenVINO int8"], "Q4_K_M": ["OpenVINO int4"]}


def measure(names, files, q3, llama, others):
    """OpenVINO's reference is its own float32 on its own weights, so that its figures, too, are those of its arithmetic."""
    rows = []
    pytorch = others["PyTorch f32"]

    def add(name, engine, vectors, reference):
        rows.append({"file": name, "engine": engine, **distances(vectors, reference)})
        print(rows[-1], flush=True)

    for name in names:
        path = str(files.path(name))
        fields = gguf.GGUFReader(path).fields
        encode = hugging_face(*(fields[f"tokenizer.ggml.{k}"].contents() for k in ("tokens", "token_type", "merges")))
        end = fields["tokenizer.ggml.eos_token_id"].contents()
        lists = [encode(text) + [end] for text in TEXTS]
        reference = pytorch.vectors(path, TEXTS, lists, None)
        for engine, precision in (*((q3, step) for step in ("auto", "fast", "fine", "exact")), (llama, None)):
            if engine:
                add(name, " ".join(filter(None, [engine.name, precision])), engine.vectors(path, TEXTS, lists, precision), reference)
        if name == "F16":
            bf16 = others["PyTorch bf16"]
            add(name, bf16.name, bf16.vectors(path, TEXTS, lists, None), reference)
        for engine in (others[known] for known in OPENVINO_FILES.get(name, [])):
            own = engine.vectors(path, TEXTS, lists, "exact")
            add(name, engine.name, engine.vectors(path, TEXTS, lists, None), own)
    return rows
