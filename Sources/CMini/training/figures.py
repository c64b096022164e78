"""Figures of a search, and those of a model on pairs that are kept out to choose by, so that they can be had every few minutes."""

import json
import pathlib

import numpy
import torch

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
    """Searches among pairs that are kept out of the training to choose by: nothing of what the card's table measures."""

    def __init__(self, texts):
        self.texts = texts

    def of(self, vectors_of):
        """{task: [nDCG@10, or the mean reciprocal rank of questions, at 256, 128 and 64 dimensions], "distance": to the teacher}; `vectors_of`
        gives the model's vectors of texts by number."""
        figures, distances = {}, []
        for name, pairs in self.texts.chosen.items():
            rows = list(zip(*pairs))
            with torch.inference_mode():
                vectors = [vectors_of(numpy.array(r)).float().numpy() for r in rows]
            measure = mrr if name == "question" else ndcg
            figures[name] = [round(measure(cosines(*vectors, size)), 3) for size in PREFIXES]
            for r, found in zip(rows, vectors):
                known = self.texts.place[list(r)] >= 0
                wanted = self.texts.target(numpy.array(r)[known]).numpy()
                distances.append(1 - (found[known] * wanted).sum(1) / numpy.linalg.norm(found[known], axis=1) / numpy.linalg.norm(wanted, axis=1))
        return figures | {"distance": round(float(numpy.concatenate(distances).mean()), 4)}
