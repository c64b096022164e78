"""Step 4: the student follows the teacher, first as a mean of token vectors, then whole.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 train.py --work WORK     # a process for each core

Reads the texts, the pairs and the teacher's vectors, writes the model as a Hugging Face folder: WORK/average before training, WORK/static after
the first part, WORK/q3-mini after the second one and on the way. Every --every steps each process saves WORK/PART-RANK.pt, from which the same
command goes on as if nothing had been; the schedule counts steps. Two runs with the same number of processes see the same batches.

The teacher's vectors are rotated so that their first components vary most (PCA without centering: cosines stay), and the first 256 are
the student's targets. So the first 64 or 128 of a student's vector are a vector too. Losses, each at 64, 128 and 256 dimensions: the
cosine to the target; the choice of a pair's second text by the first one among all of the batch; the teacher's distribution over them.
"""

import argparse
import json
import math
import pathlib
import time

import numpy
import torch
from tokenizers import Tokenizer
from torch import distributed
from torch.nn import functional as F
from transformers import Qwen3Model

import student
from figures import Figures
from student import WIDTH
from teacher import Teacher
from texts import Texts

PREFIXES = (64, 128, 256)
TEMPERATURE = 0.05


def losses(first, second, first_target, second_target):
    """Students against targets: (distance, choice, distribution), each the mean over the prefixes. The first len(second) rows of `first`
    ask for the rows of `second`; the rest stand alone."""
    distance = choice = distribution = torch.zeros(())
    answers = torch.arange(len(second))
    # Texts that are nearly the same are no wrong answers.
    twins = (F.normalize(second_target, dim=-1) @ F.normalize(second_target, dim=-1).T > 0.85).fill_diagonal_(False)
    for size in PREFIXES:
        a, b, at, bt = (F.normalize(x[:, :size], dim=-1) for x in (first, second, first_target, second_target))
        distance = distance + (1 - (a * at).sum(-1)).mean() + (1 - (b * bt).sum(-1)).mean()
        scores, wanted = a @ b.T / TEMPERATURE, at @ bt.T / TEMPERATURE
        asked = scores[: len(b)].masked_fill(twins, -1e4)
        choice = choice + F.cross_entropy(asked, answers) + F.cross_entropy(asked.T, answers)
        for x, y in ((scores, wanted), (scores.T, wanted.T)):
            distribution = distribution + F.kl_div(x.log_softmax(-1), y.log_softmax(-1), reduction="batchmean", log_target=True)
    return [loss / (2 * len(PREFIXES)) for loss in (distance, choice, distribution)]


class Mean(torch.nn.Module):
    """The mean of token vectors, which costs little."""

    def __init__(self, table, bias):
        super().__init__()
        self.table, self.bias = torch.nn.Parameter(table), torch.nn.Parameter(bias)

    def forward(self, lists):
        lengths = torch.tensor([len(tokens) for tokens in lists])
        starts = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]])
        tokens = torch.from_numpy(numpy.concatenate(lists).astype(numpy.int64))
        sums = F.embedding_bag(tokens, self.table, starts, mode="sum")
        # In the student the end has the bias for its vector and attends to itself too.
        return (sums + student.GAIN * self.bias) / (lengths[:, None] + 1) + self.bias


class Whole(torch.nn.Module):
    """The whole student; token lists get their end here."""

    def __init__(self, model, end):
        super().__init__()
        self.model, self.end = model, end

    def forward(self, lists):
        return student.embed(self.model, lists, self.end)


def train(part, module, optimizers, texts, options, steps, sizes, save):
    """`steps` steps, or what is left of them, with `sizes`: pairs and texts alone of a step and process."""
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    checkpoint = options.work / f"{part}-{rank}.pt"
    random, step, told, log, tokens, seconds = numpy.random.default_rng(rank), 0, -1, [], 0, 0.0
    pairs, sums, figures = numpy.zeros((0, 2), int), numpy.zeros(4), Figures(texts)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        module.load_state_dict(state["module"])
        for optimizer, saved in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        random.bit_generator.state = state["random"]
        step, log, tokens, seconds, pairs, sums = (state[name] for name in ("step", "log", "tokens", "seconds", "pairs", "sums"))
        told = step
    rates = [[group["initial_lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    parameters = list(module.parameters())
    started = time.process_time() - seconds
    while True:
        seconds = time.process_time() - started
        if step != told and (step % options.every == 0 or step >= steps):
            if rank == 0:
                values = figures.of(lambda rows: module(texts.lists(rows, numpy.random.default_rng(0), 0)))
                log.append({"step": step, "tokens": ranks * tokens, "seconds": round(ranks * seconds), "texts": len(texts.targets), **values})
                print(json.dumps(log[-1]), flush=True)
                save(log)
            distributed.barrier()
            torch.save({"module": module.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "random": random.bit_generator.state,
                        "step": step, "log": log, "tokens": tokens, "seconds": seconds, "pairs": pairs, "sums": sums}, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").rename(checkpoint)
        if step >= steps:
            return
        share = min(1, (step + 1) / options.warm) * min(1, (steps - step) / (options.falling * steps))
        for optimizer, values in zip(optimizers, rates):
            for group, rate in zip(optimizer.param_groups, values):
                group["lr"] = rate * share
        if len(pairs) < sizes[0]:
            pairs = texts.epoch(random, (rank, ranks))
        chosen, pairs = pairs[: sizes[0]], pairs[sizes[0] :]
        first = numpy.concatenate([chosen[:, 0], random.choice(texts.known_alone, sizes[1])])
        lists = texts.lists(numpy.concatenate([first, chosen[:, 1]]), random, options.dropped)
        x, y = module(lists).split([len(first), len(chosen)])
        distance, choice, distribution = losses(x, y, texts.target(first), texts.target(chosen[:, 1]))
        loss = options.weights[0] * distance + options.weights[1] * choice + options.weights[2] * distribution
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        gradients = torch.cat([p.grad.flatten() for p in parameters])
        distributed.all_reduce(gradients)
        gradients *= min(1.0, options.clip / (gradients.norm().item() / ranks + 1e-9)) / ranks
        for p, gradient in zip(parameters, gradients.split([p.numel() for p in parameters])):
            p.grad = gradient.view_as(p)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        tokens += sum(map(len, lists))
        sums += [distance.item(), choice.item(), distribution.item(), 1]
        if rank == 0 and step % 25 == 0:
            print(f"{part} step {step}, {ranks * seconds:.0f} s of CPU, {ranks * tokens / 1e6:.2f} million tokens, "
                  f"distance {sums[0] / sums[3]:.4f}, choice {sums[1] / sums[3]:.3f}, distribution {sums[2] / sums[3]:.3f}", flush=True)
            sums[:] = 0


def make_table(work):
    """Tokenizer, rotation and the table of the static average: the teacher's vectors of the tokens, frequent ones shortened."""
    vectors = numpy.concatenate([numpy.load(path) for path in sorted(work.glob("vectors-*.npy"))]).astype(numpy.float32)
    rotation = numpy.linalg.svd(vectors.T @ vectors)[0][:, :WIDTH]
    numpy.save(work / "rotation.npy", rotation)
    # Short texts come before long ones, or the tokenizer would be that of manuals.
    corpus = [json.loads(line)["text"][:300] for line in open(work / "texts.jsonl")][::2]
    tokenizer = student.make_tokenizer(corpus)
    tokens = [tokenizer.decode([i]).strip() or "." for i in range(student.VOCABULARY - len(student.CONTROL))]
    counts = numpy.zeros(student.VOCABULARY)
    for encoding in tokenizer.encode_batch(corpus[::4]):
        numpy.add.at(counts, encoding.ids, 1)
    share = torch.from_numpy(counts / counts.sum()).float()
    table = torch.zeros((student.VOCABULARY, WIDTH))
    table[: len(tokens)] = F.normalize(torch.from_numpy(Teacher(work, torch.bfloat16).embed(tokens) @ rotation), dim=-1)
    table *= (1e-3 / (1e-3 + share))[:, None]
    tokenizer.save(str(work / "tokenizer.json"))
    numpy.save(work / "table.npy", table.numpy())


def adam(groups):
    """AdamW of (parameters, rate)."""
    groups = [{"params": p, "lr": rate, "initial_lr": rate} for p, rate in groups]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0, fused=True)


def optimizers_of(model, options):
    """Muon for the matrices of the layers, which needs about half of AdamW's steps, and AdamW for the rest."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed_tokens" not in name]
    muon = torch.optim.Muon([{"params": matrices, "lr": options.rate, "initial_lr": options.rate}], weight_decay=0.02, adjust_lr_fn="match_rms_adamw")
    others = [p for p in model.parameters() if p.dim() == 1]
    return [muon, adam([(others, options.rate / 3), ([model.embed_tokens.weight], options.rate / 2)])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--static-steps", type=int, default=800)
    parser.add_argument("--steps", type=int, default=1200, help="of the whole student; 0 stops after the mean")
    parser.add_argument("--rate", type=float, default=3e-3, help="of the whole student's matrices")
    parser.add_argument("--every", type=int, default=100, help="steps from one checkpoint, with figures, to the next")
    parser.add_argument("--warm", type=int, default=50, help="steps while the rate rises")
    parser.add_argument("--falling", type=float, default=0.9, help="part of the steps while it falls")
    parser.add_argument("--dropped", type=float, default=0.1, help="part of the tokens that half of the texts lose")
    parser.add_argument("--clip", type=float, default=2.0)
    parser.add_argument("--weights", type=float, nargs=3, default=(4, 0.3, 0.5), help="of distance, choice, distribution")
    options = parser.parse_args()
    torch.manual_seed(0)
    distributed.init_process_group("gloo")
    work = options.work
    if distributed.get_rank() == 0 and not (work / "table.npy").exists():
        make_table(work)
    distributed.barrier()
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    texts = Texts(work, tokenizer, numpy.load(work / "rotation.npy"))

    mean = Mean(torch.from_numpy(numpy.load(work / "table.npy")), torch.zeros(WIDTH))

    def save_mean(log):
        model = student.make_model(mean.table.detach(), texts.end, mean.bias.detach())
        student.save(model, tokenizer, work / ("static" if log[-1]["step"] else "average"), log)

    train("static", mean, [adam([([mean.table], 3e-3), ([mean.bias], 1e-3)])], texts, options, options.static_steps, (512, 512), save_mean)
    model = student.make_model(mean.table.detach(), texts.end, mean.bias.detach())
    if options.steps:
        train("whole", Whole(model, texts.end), optimizers_of(model, options), texts, options, options.steps, (224, 112),
              lambda log: student.save(model, tokenizer, work / "q3-mini", log))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
