"""The training texts as token lists, those of them that have the teacher's vectors, and the batches that they make."""

import json

import numpy
import torch
from torch.nn import functional as F

from figures import task
from student import WIDTH
from teacher import SHARD, longest

# How often a kind's pairs count in an epoch of pairs.
REPEATS = {"package": 1.5, "manual": 3, "trivia": 0.5, "gloss": 0.7, "dictionary": 0.4, "encyclopedia": 1.5, "facts": 2, "documentation": 1.5}


class Texts:
    def __init__(self, work, tokenizer, rotation):
        self.work, self.rotation = work, rotation
        rows = [json.loads(line) for line in open(work / "texts.jsonl")]
        self.texts, self.kinds = [row["text"] for row in rows], [row["kind"] for row in rows]
        pairs = [json.loads(line) for line in open(work / "pairs.jsonl")]
        self.pairs, kinds = numpy.array([pair[1:] for pair in pairs]), numpy.array([pair[0] for pair in pairs])
        # What is asked of the model afterwards is not trained on, should a source have it too.
        asked = {text.lower().rstrip("?. ") for pair in task("general") for text in pair}
        hidden = numpy.array([text.lower().rstrip("?. ") in asked for text in self.texts])
        self.chosen = self.choose(kinds)
        hidden[numpy.concatenate(list(self.chosen.values())).ravel()] = True
        alone = ~hidden
        alone[self.pairs.ravel()] = False
        self.alone, open_pairs = numpy.flatnonzero(alone), ~hidden[self.pairs].any(1)
        self.pairs, self.kinds_of_pairs = self.pairs[open_pairs], kinds[open_pairs]
        self.order = numpy.load(work / "order.npy")
        self.end = tokenizer.token_to_id("<|endoftext|>")
        self.place = numpy.full(len(rows), -1)  # of a text's target
        self.load()
        self.forms = [self.tokens(tokenizer, name, change) for name, change in (("as-is", str), ("lower", str.lower))]

    def choose(self, kinds):
        """{task: pairs} that are kept out of the training to choose by: 400 of a kind, the first in the order of the files, which are shuffled."""
        chosen = {}
        for name, kind in (("question", "encyclopedia"), ("gloss", "gloss"), ("manual", "manual"), ("package", "package")):
            rows = self.pairs[kinds == kind]
            if name == "question":
                rows = [row for row in rows if self.texts[row[0]].lower().startswith(("what ", "who ", "where ", "when ", "which ", "why ", "how "))]
            seen, chosen[name] = set(), []
            for a, b in rows:
                if not seen & {a, b} and len(self.texts[b]) > 20 and len(chosen[name]) < 400:
                    chosen[name].append((int(a), int(b)))
                    seen |= {a, b}
        return chosen

    def tokens(self, tokenizer, name, change):
        """(tokens of all texts in one row, where each begins), kept in WORK."""
        path = self.work / f"tokens-{name}.npz"
        if not path.exists():
            lists = []
            for first in range(0, len(self.texts), 20_000):
                lists += [numpy.array(e.ids[:128], numpy.uint16) for e in tokenizer.encode_batch([change(t) for t in self.texts[first : first + 20_000]])]
            numpy.savez(path, tokens=numpy.concatenate(lists), starts=numpy.cumsum([0] + [len(tokens) for tokens in lists]))
        arrays = numpy.load(path)
        return arrays["tokens"], arrays["starts"]

    def load(self):
        """Takes the teacher's vectors that are there, and the texts and pairs that have them."""
        parts = []
        for path in sorted(self.work.glob("vectors-*.npy")):
            parts.append((numpy.load(path).astype(numpy.float32) @ self.rotation).astype(numpy.float16))
            first = int(path.stem.split("-")[1]) * SHARD
            self.place[self.order[first : first + SHARD]] = sum(map(len, parts[:-1])) + numpy.arange(len(parts[-1]))
        self.targets = numpy.concatenate(parts)
        known = self.place >= 0
        self.known_alone = self.alone[known[self.alone]]
        both = known[self.pairs].all(1)
        self.known_pairs, self.known_kinds = self.pairs[both], self.kinds_of_pairs[both]

    def target(self, rows):
        return torch.from_numpy(self.targets[self.place[rows]].astype(numpy.float32))

    def lists(self, rows, random, dropped):
        """Token lists, without the end. The teacher does not see case, so texts lose theirs at random; and some lose tokens."""
        lists, forms, loses = [], random.random(len(rows)) < 0.4, random.random(len(rows)) < 0.5
        for row, form, loose in zip(rows, forms, loses):
            tokens, starts = self.forms[int(form)]
            # The teacher saw no more of its own tokens, which are about as long.
            ids = tokens[starts[row] : min(starts[row + 1], starts[row] + longest(row))]
            if loose and len(ids) > 6:
                ids = ids[random.random(len(ids)) > dropped]
            lists.append(ids)
        return lists

    def epoch(self, random, part):
        """Pairs with vectors, each as often as its kind counts, those together whose second texts are alike: that makes wrong answers that
        teach. Of `part` (number, parts) of all."""
        often = numpy.array([REPEATS.get(kind, 1) for kind in self.known_kinds])
        times = (often + random.random(len(often))).astype(int)
        rows = random.permutation(numpy.repeat(numpy.arange(len(often)), times))[part[0] :: part[1]]
        pairs = self.known_pairs[rows]
        vectors = self.targets[self.place[pairs[:, 1]]].astype(numpy.float32)
        return pairs[numpy.concatenate(groups(vectors, random))]


def groups(vectors, random, size=32):
    """Rows in groups of up to `size` with like vectors, in random order, by halving along the line between two random members."""
    def halves(rows):
        if len(rows) <= size:
            return [rows]
        a, b = random.choice(rows, 2, replace=False)
        rows = rows[numpy.argsort(vectors[rows] @ (vectors[a] - vectors[b]))]
        return halves(rows[: len(rows) // 2]) + halves(rows[len(rows) // 2 :])

    found = halves(numpy.arange(len(vectors)))
    random.shuffle(found)
    return found
