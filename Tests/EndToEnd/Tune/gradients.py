#!/usr/bin/env python3
"""Writes the fixture of the gradient tests: what PyTorch's autograd finds in float64 for LoRA on the tiny models.

    pip install torch transformers peft gguf tokenizers      (made with 2.15.0, 5.23.0, 0.21.2, 0.19.0, 0.23.3)
    python3 Tests/EndToEnd/Tune/gradients.py

Nothing else is needed. `Tests/Fixtures/tune/gradients.json`, one case per line:
    {"name", "model", "layers": number of last layers, "rank", "alpha", "texts": token lists, "loss", "offset", "count"}
    and for embeddings "examples": [{"query", "positive", "negatives", "otherAnswers"}], rows counted among queries and passages,
    "queries": number of texts that are queries, which come first, "temperature", "margin", "dimensions": [[count, weight]];
    for rerankers "labels": one for each text.
`gradients.f32` has for each case, from `offset` floats on: for each of the layers and of q k v o gate up down the gradients of A
[rank, inputs] and B [outputs, rank], then for embeddings that of the states before the first of the layers [tokens, hidden].

The factors are 0.3 / sqrt(inputs) * sin(0.37 i + 1.3 m) for value i of A and 0.05 * cos(0.61 i + 0.7 m) for that of B, rounded to f32,
where m counts the matrices. Norms, rotations and attention are computed in float64 too, which transformers does not do by itself; the
angles of rotations are rounded to f32, as transformers has them in every type.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "Fixtures"
sys.path.insert(0, str(FIXTURES))

import numpy as np
import peft
import torch
from transformers.models.qwen3 import modeling_qwen3

from generator.reference import Reference

MODULES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
           "mlp.down_proj"]
RANK, ALPHA = 4, 6


def norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


@torch.no_grad()
def rotations(self, x, position_ids):
    angles = (self.inv_freq[None, None, :].float() * position_ids[:, :, None].float()).double()
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().float().to(x.dtype), angles.sin().float().to(x.dtype)


def adapted(model, layers):
    """The model in float64 with LoRA on its last layers, and the factors in the order of the fixture."""
    count = model.config.num_hidden_layers
    names = [f"layers.{layer}.{module}" for layer in range(count - layers, count) for module in MODULES]
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=names, lora_dropout=0.0, bias="none")
    wrapped = peft.get_peft_model(model, config).double()
    parameters = dict(wrapped.named_parameters())
    factors = []
    for number, name in enumerate(names):
        for side in "AB":
            factor = parameters[f"base_model.model.{name}.lora_{side}.default.weight"]
            i = np.arange(factor.numel(), dtype=np.float64)
            values = (0.3 / factor.shape[1] ** 0.5 * np.sin(0.37 * i + 1.3 * number) if side == "A"
                      else 0.05 * np.cos(0.61 * i + 0.7 * number))
            with torch.no_grad():
                factor.copy_(torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(factor.shape))
            factors.append(factor)
    return wrapped, factors


def states(wrapped, texts, first):
    """The last token's state of each text after the final norm, and the states before layer `first`."""
    inputs, last = [], []

    def keep(_, arguments, keywords):
        state = arguments[0] if arguments else keywords["hidden_states"]
        if not state.requires_grad:
            state = state.clone().requires_grad_(True)
        else:
            state.retain_grad()
        inputs.append(state)
        return (state, *arguments[1:]), keywords

    hook = wrapped.base_model.model.layers[first].register_forward_pre_hook(keep, with_kwargs=True)
    for ids in texts:
        last.append(wrapped(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0, -1])
    hook.remove()
    return torch.stack(last), inputs


def info_nce(h, case):
    """Qwen3-Embedding's loss (section 3.1 of its report), on vectors cut to each number of dimensions."""
    total = 0.0
    queries, tau, margin = case["queries"], case["temperature"], case["margin"]
    for size, weight in case["dimensions"]:
        unit = torch.nn.functional.normalize(h[:, :size], dim=1)
        q, p = unit[:queries], unit[queries:]
        answers = {}
        for e in case["examples"]:
            answers.setdefault(e["query"], set()).update([e["positive"], *e["otherAnswers"]])
        used = {e["positive"] for e in case["examples"]} | {n for e in case["examples"] for n in e["negatives"]}
        losses = []
        for e in case["examples"]:
            own, positive = answers[e["query"]], q[e["query"]] @ p[e["positive"]]
            logits = [positive]
            candidates = [q[e["query"]] @ p[j] for j in sorted(used) if j not in own]
            candidates += [q[e["query"]] @ q[j] for j in range(queries) if j != e["query"] and not answers.get(j, set()) & own]
            rivals = sorted({x["positive"] for x in case["examples"]})
            candidates += [p[e["positive"]] @ p[j] for j in rivals if j not in own]
            logits += [s for s in candidates if s.item() <= positive.item() + margin]
            logits = torch.stack(logits) / tau
            losses.append(torch.logsumexp(logits, 0) - logits[0])
        total = total + weight * torch.stack(losses).mean()
    return total / sum(weight for _, weight in case["dimensions"])


def yes_no(h, case, head):
    margins = h @ (head[0] - head[1])
    labels = torch.tensor(case["labels"], dtype=torch.float64)
    return torch.nn.functional.binary_cross_entropy_with_logits(margins, labels)


def main():
    torch.set_num_threads(1)
    modeling_qwen3.Qwen3RMSNorm.forward = norm
    modeling_qwen3.Qwen3RotaryEmbedding.forward = rotations
    embed = [item["ids"] for item in json.loads((FIXTURES / "tiny-embed-Q8_0.json").read_text())["items"]]
    embed = sorted({tuple(ids) for ids in embed if 4 <= len(ids) <= 30}, key=lambda ids: (len(ids), ids))
    texts = [list(ids) for ids in embed[::2][:7]]
    assert len(texts) == 7
    texts[1] = [token for ids in embed[-6:] for token in ids][:81]  # more than one block of queries
    examples = [{"query": 0, "positive": 0, "negatives": [3], "otherAnswers": []},
                {"query": 1, "positive": 1, "negatives": [], "otherAnswers": [2]},
                {"query": 2, "positive": 2, "negatives": [3], "otherAnswers": []}]
    common = {"rank": RANK, "alpha": ALPHA}
    contrast = {"texts": texts, "queries": 3, "examples": examples, "temperature": 0.07, "margin": 0.1,
                "dimensions": [[64, 1.0], [32, 0.5]]}
    pairs = [item["ids"] for item in json.loads((FIXTURES / "tiny-rerank-Q8_0.json").read_text())["items"]]
    pairs = sorted(pairs, key=len)[:4]
    cases = [
        {"name": "all layers", "model": "tiny-embed-Q8_0", "layers": 3, **common, **contrast},
        {"name": "the last two layers", "model": "tiny-embed-Q8_0", "layers": 2, **common, **contrast},
        {"name": "a reranker", "model": "tiny-rerank-Q8_0", "layers": 2, **common, "texts": pairs, "labels": [1, 0, 0, 1]},
    ]
    out, offset = [], 0
    folder = FIXTURES / "tune"
    folder.mkdir(exist_ok=True)
    for case in cases:
        reference = Reference(FIXTURES / f"{case['model']}.gguf", attention="sdpa")
        first = reference.model.config.num_hidden_layers - case["layers"]
        wrapped, factors = adapted(reference.model, case["layers"])
        h, inputs = states(wrapped, case["texts"], first)
        if "labels" in case:
            head = reference.tensors["cls.output.weight"].double()
            loss = yes_no(h, case, head)
        else:
            loss = info_nce(h, case)
        loss.backward()
        gradients = [f.grad for f in factors]
        if "labels" not in case:  # prompts are long
            gradients += [state.grad[0] for state in inputs]
        values = np.concatenate([g.detach().numpy().ravel() for g in gradients])
        assert np.isfinite(values).all() and all(np.abs(g.numpy()).max() > 0 for g in gradients)
        case |= {"loss": loss.item(), "offset": offset, "count": len(values)}
        offset += len(values)
        out.append(values.astype("<f4"))
        print(f"{case['name']}: loss {loss.item():.6f}, {len(values)} values", file=sys.stderr)
    np.concatenate(out).tofile(folder / "gradients.f32")
    lines = ",\n".join(json.dumps(case) for case in cases)
    (folder / "gradients.json").write_text(f'{{"model": "",\n"items": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
