#!/usr/bin/env python3
"""Gradients of the adapter and of InfoNCE by PyTorch's autograd in float64, for Q3TrainingTests.

    Tests/EndToEnd/Tune/adapter_gradients.py > Tests/Fixtures/tune/adapter-gradients.json

Needs torch. The loss is written here from section 3.1 of the report on Qwen3-Embedding, term by term, and not from q3's source:
for each example the positive, its own negatives, the passages of others, the other queries and the answers of others; one is
left out where its score exceeds the positive's by more than the margin, and where it is an answer of the query.
"""
import json
import sys

import torch

torch.manual_seed(19)
COLUMNS, QUERIES, PASSAGES, RANK = 12, 5, 9, 3

# Which passage answers which query; the last two queries have answers in common with others.
EXAMPLES = [
    {"query": 0, "positive": 0, "negatives": [5], "otherAnswers": []},
    {"query": 1, "positive": 1, "negatives": [6, 7], "otherAnswers": [2]},
    {"query": 1, "positive": 2, "negatives": [6, 7], "otherAnswers": [1]},
    {"query": 2, "positive": 3, "negatives": [], "otherAnswers": []},
    {"query": 3, "positive": 3, "negatives": [8], "otherAnswers": []},
    {"query": 4, "positive": 4, "negatives": [5, 8], "otherAnswers": [0]},
]
BASE = {"temperature": 0.05, "margin": 0.1, "comparesQueries": True, "comparesAnswers": True, "sharesNegatives": True,
        "dimensions": [], "scope": "queries"}
CASES = [
    {}, {"margin": None}, {"margin": 0.0}, {"margin": -0.3}, {"temperature": 1.0}, {"temperature": 0.01},
    {"comparesQueries": False}, {"comparesAnswers": False}, {"sharesNegatives": False},
    {"comparesQueries": False, "comparesAnswers": False, "margin": None}, {"dimensions": [[12, 1.0], [8, 0.5], [3, 2.0]]},
    {"scope": "everything"}, {"scope": "everything", "dimensions": [[12, 1.0], [5, 1.0]], "margin": 0.05},
]


def float32(*shape):
    """Random values that float32 holds exactly, in float64."""
    return torch.randn(*shape, dtype=torch.float32).double()


def unit(x):
    return x / x.norm(dim=1, keepdim=True)


def loss_of_cut(queries, passages, case):
    q, p = unit(queries), unit(passages)
    answers = {}
    for example in EXAMPLES:
        answers.setdefault(example["query"], set()).update([example["positive"], *example["otherAnswers"]])
    positives = {example["positive"] for example in EXAMPLES}
    mined = {row for example in EXAMPLES for row in example["negatives"]}
    total = 0
    for example in EXAMPLES:
        i, answer = example["query"], example["positive"]
        score = q[i] @ p[answer]
        limit = float("inf") if case["margin"] is None else score.item() + case["margin"]
        terms = [score]
        rows = set(example["negatives"]) | positives | (mined if case["sharesNegatives"] else set())
        for j in sorted(rows - answers[i]):
            if (q[i] @ p[j]).item() <= limit:
                terms.append(q[i] @ p[j])
        if case["comparesQueries"]:
            for j in range(QUERIES):
                if j != i and not answers.get(j, set()) & answers[i] and (q[i] @ q[j]).item() <= limit:
                    terms.append(q[i] @ q[j])
        if case["comparesAnswers"]:
            for j in sorted(positives - answers[i]):
                if (p[answer] @ p[j]).item() <= limit:
                    terms.append(p[answer] @ p[j])
        logits = torch.stack(terms) / case["temperature"]
        total = total + torch.logsumexp(logits, 0) - logits[0]
    return total / len(EXAMPLES)


def loss_of(queries, passages, case):
    cuts = case["dimensions"] or [[COLUMNS, 1.0]]
    parts = [weight * loss_of_cut(queries[:, :count], passages[:, :count], case) for count, weight in cuts]
    return sum(parts) / sum(weight for _, weight in cuts)


def main():
    queries, passages = float32(QUERIES, COLUMNS), float32(PASSAGES, COLUMNS)
    # Answers are near their queries, as after training; a few negatives are nearer.
    for example in EXAMPLES:
        passages[example["positive"]] += queries[example["query"]]
    passages[5] += 2 * queries[0]
    passages, queries = passages.float().double(), queries.float().double()
    down, up = float32(RANK, COLUMNS) / 4, float32(RANK, COLUMNS) / 4
    cases = []
    for changes in CASES:
        case = BASE | changes
        q, p = queries.clone().requires_grad_(), passages.clone().requires_grad_()
        value = loss_of(q, p, case)
        value.backward()
        a, b = down.clone().requires_grad_(), up.clone().requires_grad_()
        changed = queries + queries @ a.T @ b
        searched = passages + passages @ a.T @ b if case["scope"] == "everything" else passages
        adapted = loss_of(changed, searched, case)
        adapted.backward()
        cases.append(case | {
            "loss": value.item(), "queryGradient": q.grad.flatten().tolist(), "passageGradient": p.grad.flatten().tolist(),
            "adaptedLoss": adapted.item(), "downGradient": a.grad.flatten().tolist(), "upGradient": b.grad.flatten().tolist(),
        })
    json.dump({
        "columns": COLUMNS, "rank": RANK, "queries": queries.flatten().tolist(), "passages": passages.flatten().tolist(),
        "down": down.flatten().tolist(), "up": up.flatten().tolist(), "examples": EXAMPLES, "cases": cases,
        "adamW": adam_w(),
    }, sys.stdout, indent=None, separators=(",", ":"))
    print()


def adam_w():
    """Twenty steps of torch.optim.AdamW in float32 with a linear schedule, on gradients that are written down."""
    values = torch.randn(6, dtype=torch.float32)
    start, gradients, steps = values.tolist(), [], []
    parameter = torch.nn.Parameter(values.clone())
    optimizer = torch.optim.AdamW([parameter], lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: step / 4 if step < 4 else max(0.0, (20 - step) / 16))
    for _ in range(20):
        parameter.grad = torch.randn(6, dtype=torch.float32)
        gradients.append(parameter.grad.tolist())
        optimizer.step()
        schedule.step()
        steps.append(parameter.detach().tolist())
    return {"start": start, "gradients": gradients, "steps": steps, "peak": 1e-2, "warmup": 0.2, "count": 20}


if __name__ == "__main__":
    main()
