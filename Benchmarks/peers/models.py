"""The model files: a 0.6B shape with random weights and a vocabulary as large as Qwen3's, quantized by llama.cpp where it can."""

import ctypes
import pathlib
import random
import sys

import gguf
import llama_cpp as llama
from gguf import GGMLQuantizationType as Type, LlamaFileType as FileType

from generator import model, texts
from generator.tokenizer import CONTROL, USER_DEFINED, Vocabulary

SHAPE = model.Shape(layers=28, hidden=1024, heads=16, kv_heads=8, head_dim=128, feed_forward=3072)
TRAINED_TOKENS, BASE_TOKENS = 480, 151_643
QUANTIZED = {
    "Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0, "Q6_K": llama.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q5_K_M": llama.LLAMA_FTYPE_MOSTLY_Q5_K_M, "Q5_0": llama.LLAMA_FTYPE_MOSTLY_Q5_0,
    "Q4_K_M": llama.LLAMA_FTYPE_MOSTLY_Q4_K_M, "Q4_0": llama.LLAMA_FTYPE_MOSTLY_Q4_0,
}
# Types that llama.cpp makes only with an importance matrix or for mixtures of experts: our own files, with random codes.
LOW_BITS = {
    "IQ3_S": (Type.IQ3_S, FileType.MOSTLY_IQ3_S), "IQ2_XS": (Type.IQ2_XS, FileType.MOSTLY_IQ2_XS),
    "MXFP4": (Type.MXFP4, FileType.MOSTLY_MXFP4_MOE),
}


class LargeVocabulary:
    """What the fixtures' texts train, and merges of random tokens up to Qwen3's size."""

    def __init__(self):
        small = Vocabulary(texts.corpus(), TRAINED_TOKENS)
        r = random.Random(7)
        base, self.merges = small.tokens[:TRAINED_TOKENS], small.merges
        known = set(base)
        while len(base) < BASE_TOKENS:
            left, right = r.choice(base), r.choice(base)
            if len(left) + len(right) <= 12 and left + right not in known:
                base.append(left + right)
                known.add(left + right)
                self.merges.append(f"{left} {right}")
        self.tokens = base + CONTROL + USER_DEFINED
        self.types = [gguf.TokenType.NORMAL] * len(base) + small.types[TRAINED_TOKENS:]

    def id(self, token):
        return self.tokens.index(token)


class Files:
    """Makes each file when it is first asked for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        path = self.folder / f"{name}.gguf"
        if not path.exists():
            part = path.with_suffix(".part")
            print(f"making {path.name}", file=sys.stderr)
            if name in ("F16", "rerank-F16"):
                recipe = model.Recipe(
                    f"peers-{name}", SHAPE, Type.F16, FileType.MOSTLY_F16,
                    head="cls" if name.startswith("rerank") else None, sharpness=1)
                model.write(part, recipe, LargeVocabulary(), seed=11)
            elif name in LOW_BITS:
                kind, file_type = LOW_BITS[name]
                recipe = model.Recipe(
                    f"peers-{name}", SHAPE, kind, file_type, others={"token_embd": Type.Q8_0}, sharpness=1)
                model.write(part, recipe, LargeVocabulary(), seed=11)
            else:
                kind = name.removeprefix("rerank-")
                self._quantize(self.path(name.replace(kind, "F16")), part, QUANTIZED[kind])
            part.rename(path)
        return path

    @staticmethod
    def _quantize(source, target, kind):
        params = llama.llama_model_quantize_default_params()
        params.ftype = kind
        status = llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
        if status:
            raise SystemExit(f"llama_model_quantize returned {status} for {source}")
