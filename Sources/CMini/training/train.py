"""Step 4: the student follows the teacher, first as a mean of token vectors, then whole.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 train.py --work WORK --minutes 70     # a process for each core

Reads the texts, pairs and as many WORK/vectors-NNN.npy as there are (new ones while it runs), writes the model as a Hugging Face folder,
WORK/static after the first part and WORK/q3-mini every few minutes after it. The rate of learning falls to zero over the minutes.

The teacher's vectors are rotated so that their first components vary most (PCA without centering: cosines stay), and the first 256 are
the student's targets. So the first 64 or 128 of a student's vector are a vector too. Losses, each at 64, 128 and 256 dimensions: the
cosine to the target; the choice of a pair's second text by the first one among all of the batch; the teacher's distribution over them.

Processes train apart and take the mean of their weights every few steps, so that a process that gets no core now and then does not stop
the other at each step.
"""

import argparse
import json
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
from texts import Texts, neighbours_together

PREFIXES = (64, 128, 256)
TEMPERATURE = 0.05
APART = 8  # steps


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


def choice_alone(first, second):
    """The choice of a pair's second text where there are no targets."""
    total, answers = torch.zeros(()), torch.arange(len(second))
    for size in PREFIXES:
        scores = F.normalize(first[:, :size], dim=-1) @ F.normalize(second[:, :size], dim=-1).T / TEMPERATURE
        total = total + F.cross_entropy(scores, answers) + F.cross_entropy(scores.T, answers)
    return total / (2 * len(PREFIXES))


def static_part(texts, table, bias, seconds, random):
    """Trains the mean of token vectors, which costs little: `table` [VOCABULARY, WIDTH] and `bias` in place."""
    table, bias = torch.nn.Parameter(table), torch.nn.Parameter(bias)
    optimizer = torch.optim.Adam([{"params": [table], "lr": 3e-3}, {"params": [bias], "lr": 1e-3}], betas=(0.9, 0.99))
    rates = [group["lr"] for group in optimizer.param_groups]
    texts.load()
    pairs, singles = texts.all_pairs(), texts.singles()
    started, step = time.time(), 0
    while (left := 1 - (time.time() - started) / seconds) > 0:
        if step % 50 == 0:
            texts.load()
            pairs, singles = texts.all_pairs(), texts.singles()
        chosen = [pairs[i] for i in random.integers(len(pairs), size=512)]
        first = [a for a, _ in chosen] + [singles[i] for i in random.integers(len(singles), size=512)]
        second = [b for _, b in chosen]

        def means(rows):
            lists = [tokens[:-1] or [0] for tokens in texts.lists(rows, random)]
            lengths = torch.tensor([len(tokens) for tokens in lists])
            offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]])
            sums = F.embedding_bag(torch.tensor(sum(lists, [])), table, offsets, mode="sum")
            return sums / (lengths[:, None] + 1) + bias

        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * min(1, left * 2)
        distance, choice, distribution = losses(means(first), means(second), texts.target(first), texts.target(second))
        # Here, where a text costs next to nothing, the pairs that the teacher has not come to are used too.
        more = choice_alone(*map(means, zip(*[texts.pairs[i] for i in random.integers(len(texts.pairs), size=512)])))
        optimizer.zero_grad()
        (4 * distance + 0.3 * choice + 0.5 * distribution + 0.2 * more).backward()
        optimizer.step()
        step += 1
        if step % 25 == 0:
            print(f"static step {step}, {time.time() - started:.0f} s, {len(texts.targets)} texts, distance {distance.item():.4f}, "
                  f"choice {choice.item():.3f}, distribution {distribution.item():.3f}", flush=True)
    return table.detach(), bias.detach()


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


def begin(work, options):
    """The student without training in WORK/average, with the first part of it in WORK/static and WORK/q3-mini."""
    folder, random = work / "q3-mini", numpy.random.default_rng(0)
    if not (work / "table.npy").exists():
        make_table(work)
    rotation, table = numpy.load(work / "rotation.npy"), torch.from_numpy(numpy.load(work / "table.npy"))
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    texts = Texts(work, tokenizer, rotation)
    print("tokenizer and table made", flush=True)
    for name, seconds in (("average", 0), ("static", 60 * options.static_minutes)):
        bias = torch.zeros(WIDTH)
        if seconds:
            if options.more:
                table, bias = student.table_of(Qwen3Model.from_pretrained(work / name), texts.end)
            table, bias = static_part(texts, table, bias, seconds, random)
        model = student.make_model(table, tokenizer.token_to_id("<|endoftext|>"), bias)
        student.save(model, tokenizer, work / name, {"static": seconds})
        print(name, Figures(work, tokenizer, rotation).of(model), flush=True)
    student.save(model, tokenizer, folder, {})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="of the second part")
    parser.add_argument("--static-minutes", type=float, default=8)
    parser.add_argument("--pairs", type=int, default=128, help="pairs a step and process")
    parser.add_argument("--singles", type=int, default=64, help="texts without a pair a step and process")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--more", action="store_true", help="go on with the first part in WORK/static")
    parser.add_argument("--resume", action="store_true", help="begin with the student in WORK/q3-mini")
    options = parser.parse_args()
    distributed.init_process_group("gloo")
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    torch.manual_seed(0)
    random = numpy.random.default_rng(int(time.time()) + rank)
    work, folder = options.work, options.work / "q3-mini"
    if rank == 0 and not options.resume:
        begin(work, options)
    distributed.barrier()

    rotation = numpy.load(work / "rotation.npy")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = Qwen3Model.from_pretrained(folder, dtype=torch.float32)
    texts = Texts(work, tokenizer, rotation)
    figures = Figures(work, tokenizer, rotation) if rank == 0 else None
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed_tokens" not in name]
    others = [p for name, p in model.named_parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.02, "lr": options.rate}, {"params": others, "weight_decay": 0.0, "lr": options.rate},
         {"params": [model.embed_tokens.weight], "weight_decay": 0.0, "lr": options.rate / 2}], betas=(0.9, 0.98))
    rates = [group["lr"] for group in optimizer.param_groups]

    def agree(value):
        value = torch.tensor(value)
        distributed.all_reduce(value, distributed.ReduceOp.MIN)
        return value.item()

    started, step, tokens, pairs, singles, sums, told = time.time(), 0, 0, [], [], numpy.zeros(4), time.time()
    log, left = [], 1.0
    while True:
        if step % APART == 0:
            with torch.no_grad():
                weights = torch.cat([p.flatten() for p in model.parameters()])
                distributed.all_reduce(weights)
                for p, part in zip(model.parameters(), (weights / ranks).split([p.numel() for p in model.parameters()])):
                    p.copy_(part.view_as(p))
            left = agree(1 - (time.time() - started) / (60 * options.minutes))
            if left <= 0:
                break
            if rank == 0 and time.time() - told > 600:
                told = time.time()
                log.append({"steps": step, "tokens": ranks * tokens, "minutes": (time.time() - started) / 60, **figures.of(model)})
                print(log[-1], flush=True)
                student.save(model, tokenizer, folder, log)
        if len(pairs) < options.pairs:
            texts.load()
            pairs = texts.all_pairs()
            pairs = [pairs[i] for i in random.permutation(len(pairs))[: len(pairs) // ranks]]
            pairs = neighbours_together(pairs, texts.target([b for _, b in pairs]).numpy(), random)
            singles = texts.singles()
            print(f"process {rank}: {len(pairs)} pairs, {len(singles)} texts alone", flush=True)
        chosen, pairs = pairs[: options.pairs], pairs[options.pairs :]
        first = [a for a, _ in chosen] + [singles[i] for i in random.integers(len(singles), size=options.singles)]
        second = [b for _, b in chosen]
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * min(1, (step + 1) / 50, max(0.01, left))
        lists = texts.lists(first + second, random)
        x, y = student.embed(model, lists).split([len(first), len(second)])
        distance, choice, distribution = losses(x, y, texts.target(first), texts.target(second))
        optimizer.zero_grad()
        (4 * distance + 0.3 * choice + 0.5 * distribution).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        tokens += sum(map(len, lists))
        sums += [distance.item(), choice.item(), distribution.item(), 1]
        if rank == 0 and step % 20 == 0:
            print(f"step {step}, {(time.time() - started) / 60:.1f} min, {ranks * tokens / (time.time() - started):.0f} tokens/s, "
                  f"distance {sums[0] / sums[3]:.4f}, choice {sums[1] / sums[3]:.3f}, distribution {sums[2] / sums[3]:.3f}", flush=True)
            sums[:] = 0
    if rank == 0:
        log.append({"steps": step, "tokens": ranks * tokens, "minutes": options.minutes, **figures.of(model)})
        print(log[-1], flush=True)
        student.save(model, tokenizer, folder, log)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
