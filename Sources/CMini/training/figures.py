"""Figures of a model on what is held out from training, in PyTorch: part of each search, so that they can be had every ten minutes."""

import json
import pathlib

import numpy
import torch

from student import embed

BENCHMARKS = pathlib.Path(__file__).parents[3] / "Benchmarks"
PREFIXES = (256, 128, 64)


def task(name):
    """[(query, document)] of a folder of Benchmarks, where the query at a line wants the document at the same line."""
    return list(zip(*([json.loads(line)["text"] for line in open(BENCHMARKS / name / file)] for file in ("queries.jsonl", "corpus.jsonl"))))


def ndcg(scores):
    """Mean nDCG@10 where query i wants document i alone. Of documents with equal scores the wanted one counts as the last."""
    ranks = (scores >= numpy.diagonal(scores)[:, None]).sum(1)
    return float(numpy.where(ranks <= 10, 1 / numpy.log2(ranks + 1), 0).mean())


def mrr(scores):
    """Mean reciprocal rank where query i wants document i alone."""
    return float((1 / (scores >= numpy.diagonal(scores)[:, None]).sum(1)).mean())


def cosines(queries, documents, size):
    queries, documents = (x[:, :size] / numpy.linalg.norm(x[:, :size], axis=1, keepdims=True) for x in (queries, documents))
    return queries @ documents.T


class Figures:
    def __init__(self, work, tokenizer, rotation, limit=500):
        held_out = json.loads((work / "held-out.json").read_text())
        self.tasks = {
            "gloss": held_out["glosses"][:limit], "manual": held_out["manuals"][:limit],
            "package": task("packages")[:limit],
        }
        self.tokenizer, self.end = tokenizer, tokenizer.token_to_id("<|endoftext|>")

    def vectors(self, model, texts):
        lists = [encoding.ids[:255] + [self.end] for encoding in self.tokenizer.encode_batch(list(texts))]
        with torch.inference_mode():
            return numpy.concatenate([embed(model, lists[i : i + 500]).numpy() for i in range(0, len(lists), 500)])

    def of(self, model):
        """{task: [nDCG@10 at 256, 128 and 64 dimensions]}."""
        figures = {}
        for name, pairs in self.tasks.items():
            queries, documents = (self.vectors(model, texts) for texts in zip(*pairs))
            figures[name] = [round(ndcg(cosines(queries, documents, size)), 4) for size in PREFIXES]
        return figures
