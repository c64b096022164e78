"""The training texts whose vectors exist, as token lists that are not twice the same, and the batches that they make."""

import json

import numpy
import torch

from figures import task
from student import WIDTH
from teacher import SHARD, longest


class Texts:
    def __init__(self, work, tokenizer, rotation):
        self.work, self.tokenizer, self.rotation = work, tokenizer, rotation
        rows = [json.loads(line) for line in open(work / "texts.jsonl")]
        # What is asked of the model afterwards is not trained on, should a source have it too.
        asked = {text.lower().rstrip("?. ") for pair in task("general") for text in pair}
        self.hidden = {number for number, row in enumerate(rows) if row["text"].lower().rstrip("?. ") in asked}
        self.texts = [row["text"] for row in rows]
        self.pairs = [json.loads(line)[1:] for line in open(work / "pairs.jsonl")]
        self.paired = {number for pair in self.pairs for number in pair}
        self.order = numpy.load(work / "order.npy")
        self.end = tokenizer.token_to_id("<|endoftext|>")
        self.place = numpy.full(len(rows), -1)  # of a text's target
        self.targets, self.shards = torch.zeros((0, WIDTH)), set()

    def load(self):
        """Takes the shards that have come since the last time; returns how many texts have vectors."""
        for path in sorted(self.work.glob("vectors-*.npy")):
            number = int(path.stem.split("-")[1])
            if number not in self.shards:
                vectors = torch.from_numpy(numpy.load(path).astype(numpy.float32) @ self.rotation)
                rows = self.order[number * SHARD : number * SHARD + len(vectors)]
                self.place[rows] = len(self.targets) + numpy.arange(len(rows))
                self.targets = torch.cat([self.targets, vectors])
                self.shards.add(number)
        return len(self.targets)

    def target(self, rows):
        return self.targets[self.place[rows]]

    def all_pairs(self):
        return [pair for pair in self.pairs if self.place[pair[0]] >= 0 and self.place[pair[1]] >= 0 and not self.hidden & set(pair)]

    def singles(self):
        known = self.paired | self.hidden
        return [number for number in range(len(self.texts)) if self.place[number] >= 0 and number not in known]

    def lists(self, rows, random):
        """Token lists, each with the end. The teacher does not see case, so texts lose theirs at random; and some lose a word."""
        texts = []
        for row in rows:
            text, chance = self.texts[row], random.random()
            if chance < 0.25:
                text = text.lower()
            elif chance < 0.3:
                text = text.title()
            elif chance < 0.35:
                text = text[:1].upper() + text[1:]
            if random.random() < 0.1:
                text = text.rstrip("?.")
            words = text.split(" ")
            if len(words) > 10 and random.random() < 0.3:
                kept = random.random(len(words)) > 0.08
                text = " ".join(word for word, keep in zip(words, kept) if keep)
            texts.append(text)
        # The teacher saw no more of its own tokens, which are about as long.
        return [e.ids[: longest(row)] + [self.end] for row, e in zip(rows, self.tokenizer.encode_batch(texts))]


def neighbours_together(pairs, vectors, random, size=32):
    """The pairs in groups of up to `size` with like second texts, groups in random order: what is alike makes wrong answers that teach.
    Groups come of halving along the line between two random members."""
    def halves(rows):
        if len(rows) <= size:
            return [rows]
        a, b = random.choice(rows, 2, replace=False)
        rows = rows[numpy.argsort(vectors[rows] @ (vectors[a] - vectors[b]))]
        return halves(rows[: len(rows) // 2]) + halves(rows[len(rows) // 2 :])

    groups = halves(numpy.arange(len(pairs)))
    random.shuffle(groups)
    return [pairs[i] for group in groups for i in group]
