#!/usr/bin/env python3
"""Runs tasks of MTEB on models that `q3 serve` has, and BEIR folders that need no download.

    q3 serve -m embedding.gguf -m reranker.gguf
    python3 Benchmarks/mteb_q3.py --tasks SciFact NFCorpus --output results
    python3 Benchmarks/mteb_q3.py --beir Benchmarks/packages --rerank 100

Needs `pip install mteb`, and for --tasks what those download. As a library:

    import mteb, mteb_q3
    model = mteb_q3.Q3Encoder(url="http://127.0.0.1:8080")
    mteb.evaluate(model, mteb.get_tasks(["SciFact"]))

Instructions go with texts as in the evaluation of Qwen3-Embedding: queries carry the task's, documents none unless the
task is symmetric, and the texts of every other kind of task all carry theirs. `prompts` has instructions by task name
that take the place of MTEB's.
"""

import argparse
import base64
import csv
import itertools
import json
import os
import pathlib
import sys
import tempfile

import mteb
import numpy as np
import requests
from datasets import Dataset
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.types import PromptType

# The reference words these for every data set of the kind.
STS = "Retrieve semantically similar text"
FIXED = {"STS": STS, "PairClassification": STS, "BitextMining": "Retrieve parallel sentences"}
# Queries and documents are texts of one kind.
SYMMETRIC = {"ArguAna", "CQADupstackGamingRetrieval", "CQADupstackUnixRetrieval"}
SEARCH = "Given a web search query, retrieve relevant passages that answer the query"


class Server:
    """A running `q3 serve`."""

    def __init__(self, url="http://127.0.0.1:8080", api_key=None, timeout=3600):
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        if api_key:
            self.session.headers["Authorization"] = f"Bearer {api_key}"

    def models(self):
        """{capability: [id, ...]} of the models that are served."""
        served = self._answer(self.session.get(f"{self.url}/v1/models", timeout=60))["data"]
        return {kind: [model["id"] for model in served if kind in model["capabilities"]] for kind in ("embed", "rerank")}

    def post(self, path, body):
        return self._answer(self.session.post(f"{self.url}{path}", json=body, timeout=self.timeout))

    @staticmethod
    def _answer(response):
        if not response.ok:
            raise RuntimeError(f"{response.url} answered {response.status_code}: {response.text[:500]}")
        return response.json()


def model_of(server, capability, name):
    """The named model, or the only one that can do it."""
    served = server.models()[capability]
    if name is None and len(served) == 1:
        return served[0]
    if name in served:
        return name
    raise ValueError(f"{server.url} serves {served or 'nothing'} for {capability}; name one of them")


def meta(name, **fields):
    """What MTEB files results under: a name of two parts."""
    fields = {"name": name if "/" in name else f"q3/{name}", "revision": "local", "use_instructions": True, **fields}
    return ModelMeta.create_empty(overwrites=fields)


class Q3Encoder(AbsEncoder):
    """An embedding model of `q3 serve`."""

    def __init__(self, model_name=None, revision=None, device=None, *, url="http://127.0.0.1:8080", api_key=None,
                 dimensions=None, batch_size=256, truncate=True, prompts=None):
        self.server = Server(url, api_key)
        self.model = model_of(self.server, "embed", model_name)
        self.dimensions = dimensions
        self.batch_size = batch_size
        self.truncate = truncate
        self.prompts_dict = dict(prompts or {})
        self.mteb_model_meta = meta(self.model, similarity_fn_name=ScoringFunction.COSINE, embed_dim=dimensions)

    def instruction(self, task_metadata, prompt_type):
        """The instruction of a text, None for a document."""
        if prompt_type == PromptType.document and task_metadata.name not in SYMMETRIC:
            return None
        if task_metadata.name in self.prompts_dict:
            return self.prompts_dict[task_metadata.name]
        kind = PromptType.query if prompt_type == PromptType.document else prompt_type
        return FIXED.get(task_metadata.type) or self.get_instruction(task_metadata, kind) or None

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
        texts = [text for batch in inputs for text in batch["text"]]
        body = {"model": self.model, "encoding_format": "base64"}
        instruction = self.instruction(task_metadata, prompt_type)
        if instruction:
            body["instruction"] = instruction
        if self.dimensions:
            body["dimensions"] = self.dimensions
        if self.truncate:
            body["truncate"] = True
        vectors = []
        for start in range(0, len(texts), self.batch_size):
            answer = self.server.post("/v1/embeddings", {**body, "input": texts[start : start + self.batch_size]})
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors += [np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in rows]
        return np.stack(vectors)


class Q3CrossEncoder:
    """A reranker of `q3 serve`. Scores are differences of logits, which do not saturate."""

    def __init__(self, model_name=None, revision=None, device=None, *, url="http://127.0.0.1:8080", api_key=None,
                 batch_size=128, truncate=True, prompts=None):
        self.server = Server(url, api_key)
        self.model = model_of(self.server, "rerank", model_name)
        self.batch_size = batch_size
        self.truncate = truncate
        self.prompts = dict(prompts or {})
        self.mteb_model_meta = meta(self.model, model_type=["cross-encoder"])

    def predict(self, inputs1, inputs2, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
        queries = [text for batch in inputs1 for text in batch["text"]]
        documents = [text for batch in inputs2 for text in batch["text"]]
        prompt = self.prompts.get(task_metadata.name) or task_metadata.prompt
        if isinstance(prompt, dict):
            prompt = prompt.get("query")
        body = {"model": self.model, "raw_scores": True, "truncate": self.truncate, "instruction": prompt or SEARCH}
        scores = []
        # The prompt begins with the query, which is computed once for all of its documents.
        for query, pairs in itertools.groupby(zip(queries, documents), key=lambda pair: pair[0]):
            texts = [document for _, document in pairs]
            for start in range(0, len(texts), self.batch_size):
                answer = self.server.post(
                    "/rerank", {**body, "query": query, "documents": texts[start : start + self.batch_size]})
                rows = sorted(answer["results"], key=lambda row: row["index"])
                scores += [row["relevance_score"] for row in rows]
        return np.array(scores, dtype=np.float32)


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def local_metadata(name, kind, main_score, split="test", prompt=None):
    """What MTEB wants to know about a task that is not one of its own."""
    return TaskMetadata(
        name=name, description="Data in a local folder.", type=kind, main_score=main_score, prompt=prompt,
        dataset={"path": "local", "revision": "local"}, eval_splits=[split], eval_langs=["eng-Latn"], modalities=["text"],
        category="t2t")


def beir_task(folder, name=None, split="test", instruction=SEARCH):
    """A retrieval task of the data in BEIR's layout: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv."""
    folder = pathlib.Path(folder)

    class FolderRetrieval(AbsTaskRetrieval):
        metadata = local_metadata(name or folder.resolve().name, "Retrieval", "ndcg_at_10", split, {"query": instruction})

        def load_data(self, num_proc=None, **kwargs):
            if self.data_loaded:
                return
            qrels = {}
            with open(folder / "qrels" / f"{split}.tsv", encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                    qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
            corpus = [
                {"id": str(row["_id"]), "title": row.get("title") or "", "text": row["text"]}
                for row in lines(folder / "corpus.jsonl")
            ]
            queries = [{"id": str(row["_id"]), "text": row["text"]} for row in lines(folder / "queries.jsonl")]
            data = RetrievalSplitData(
                corpus=Dataset.from_list(corpus), relevant_docs=qrels, top_ranked=None,
                queries=Dataset.from_list([query for query in queries if query["id"] in qrels]))
            self.dataset = {"default": {split: data}}
            self.data_loaded = True

    return FolderRetrieval()


def run(model, tasks, output=None, rerank=None, cross_encoder=None):
    """Results of all tasks; with `rerank` also those of the first documents of each query scored by the reranker."""
    cache = mteb.ResultCache(output) if output else None
    results = []
    with tempfile.TemporaryDirectory() as predictions:
        for task in tasks:
            answer = mteb.evaluate(
                model, task, cache=cache, overwrite_strategy="always",
                prediction_folder=predictions if rerank else None)
            results += [("embeddings", result) for result in answer.task_results]
            if rerank and isinstance(task, AbsTaskRetrieval):
                task.convert_to_reranking(predictions, top_k=rerank)
                answer = mteb.evaluate(cross_encoder, task, cache=cache, overwrite_strategy="always")
                results += [(f"first {rerank} reranked", result) for result in answer.task_results]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where q3 serve listens (%(default)s)")
    parser.add_argument("--model", help="id of the embedding model, if several are served")
    parser.add_argument("--reranker", help="id of the reranker, if several are served")
    parser.add_argument("--tasks", nargs="+", default=[], metavar="NAME", help="tasks of MTEB")
    parser.add_argument("--beir", nargs="+", default=[], metavar="FOLDER", help="folders in BEIR's layout")
    parser.add_argument("--split", default="test", help="split of the folders (%(default)s)")
    parser.add_argument("--instruct", default=SEARCH, help="instruction of the folders' queries")
    parser.add_argument("--prompts", metavar="FILE.json", help="instructions by task name, instead of MTEB's")
    parser.add_argument("--dimensions", type=int, help="values to keep of each vector")
    parser.add_argument("--rerank", type=int, metavar="N", help="also rerank the first N documents of each query")
    parser.add_argument("--output", metavar="FOLDER", help="keep MTEB's result files here")
    arguments = parser.parse_args()
    if not arguments.tasks and not arguments.beir:
        parser.error("give --tasks or --beir")
    key = os.environ.get("API_KEY")
    prompts = json.loads(pathlib.Path(arguments.prompts).read_text()) if arguments.prompts else {}
    try:
        model = Q3Encoder(
            arguments.model, url=arguments.url, api_key=key, dimensions=arguments.dimensions, prompts=prompts)
        cross_encoder = None
        if arguments.rerank:
            cross_encoder = Q3CrossEncoder(arguments.reranker, url=arguments.url, api_key=key, prompts=prompts)
        tasks = [beir_task(folder, None, arguments.split, arguments.instruct) for folder in arguments.beir]
        tasks += mteb.get_tasks(arguments.tasks) if arguments.tasks else []
        results = run(model, tasks, arguments.output, arguments.rerank, cross_encoder)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
    for how, result in results:
        for split, scores in result.scores.items():
            for score in scores:
                print(f"{result.task_name} ({split}, {score['hf_subset']}), {how}: {score['main_score']:.5f}")


if __name__ == "__main__":
    main()
