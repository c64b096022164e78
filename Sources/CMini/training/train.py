"""Step 3: the student, a small Qwen3 that follows the teacher.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 train.py --work WORK --minutes 60     # a process for each core

Reads WORK/texts.jsonl and as many WORK/vectors-NNN.npy as there are (new ones while it runs), writes the tokenizer and the model as a
Hugging Face folder, WORK/q3-mini. The rate of learning rises, stays, and falls to zero over the second half of the minutes.

The teacher's vectors are rotated so that their first components vary most (PCA without centering: cosines stay), and the first 256 are
the student's targets. So the first 64 or 128 of a student's vector are a vector too. Losses, each at 64, 128 and 256 dimensions:
the cosine to the target; the choice of a package's description by its one line among all of the batch, both as it is and as the
teacher would distribute it. In every fourth step a few words of the description take the one line's place.

Texts lose words at random. Without that the student learned its texts by heart: on packages that it was trained on its nDCG@10 was
0.95, on others 0.85.
"""

import argparse
import json
import pathlib
import time

import numpy
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import distributed
from torch.nn import functional as F
from transformers import Qwen3Config, Qwen3Model
from transformers.models.qwen3.modeling_qwen3 import apply_rotary_pos_emb

from teacher import SHARD, Teacher

VOCABULARY = 20_000
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WIDTH, LAYERS, HEADS = 256, 3, 4
PREFIXES = (64, 128, 256)
TEMPERATURE = 0.05
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def make_tokenizer(texts):
    """Byte-level BPE with Qwen3's normalization and splits; the control tokens follow the trained ones."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(CONTROL), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CONTROL])
    assert tokenizer.get_vocab_size() == VOCABULARY
    return tokenizer


def make_model(tokenizer, teacher, rotation):
    """A student that begins as the mean of its tokens' vectors, which are the teacher's of their texts."""
    model = Qwen3Model(Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, head_dim=WIDTH // HEADS, max_position_embeddings=512,
        rms_norm_eps=1e-6, rope_parameters={"rope_theta": 10_000.0, "rope_type": "default"}, attention_bias=False,
        use_sliding_window=False, tie_word_embeddings=True))
    tokens = [tokenizer.decode([i]).strip() or "." for i in range(VOCABULARY - len(CONTROL))]
    vectors = torch.from_numpy(teacher.embed(tokens) @ rotation)
    with torch.no_grad():
        rows = model.embed_tokens.weight
        rows.normal_(std=0.5)
        rows[: len(tokens)] = 0.5 * WIDTH**0.5 * F.normalize(vectors, dim=-1)
        for number, layer in enumerate(model.layers):
            layer.self_attn.q_norm.weight.fill_(0.3)  # attends to all tokens about alike
            if number == 0:
                layer.self_attn.v_proj.weight.copy_(torch.eye(WIDTH))
                layer.self_attn.o_proj.weight.copy_(torch.eye(WIDTH))
            else:
                layer.self_attn.o_proj.weight.mul_(0.3)
            layer.mlp.down_proj.weight.mul_(0.3)
    return model


class Texts:
    """Words and targets of the texts whose vectors exist, and the packages that they make."""

    def __init__(self, work, tokenizer):
        self.work, self.tokenizer = work, tokenizer
        rows = [json.loads(line) for line in open(work / "texts.jsonl")]
        self.end = tokenizer.token_to_id("<|endoftext|>")
        self.words = [row["text"].split() for row in rows]
        self.pairs = {}
        for i, row in enumerate(rows):
            self.pairs.setdefault(row["pair"], {})[row["kind"]] = i
        self.targets = torch.zeros((len(rows), WIDTH))
        self.have = numpy.zeros(len(rows), bool)

    def load(self, rotation):
        for path in self.work.glob("vectors-*.npy"):
            first = int(path.stem.split("-")[1]) * SHARD
            if not self.have[first]:
                vectors = numpy.load(path).astype(numpy.float32) @ rotation
                self.targets[first : first + len(vectors)] = torch.from_numpy(vectors)
                self.have[first : first + len(vectors)] = True

    def packages(self, part, parts):
        """[(short, long)] of a part of the packages that have both."""
        return [
            (pair["short"], pair["long"]) for number, pair in self.pairs.items()
            if number % parts == part and len(pair) == 2 and self.have[pair["short"]] and self.have[pair["long"]]
        ]

    def lists(self, words):
        return [encoding.ids + [self.end] for encoding in self.tokenizer.encode_batch([" ".join(text) for text in words])]

    def titles(self, batch, random):
        """Token lists of the packages' one-line descriptions, and of their long ones. No text comes twice in the same form, or the
        student learns the training texts by heart: words are lost, and some long texts end early."""
        shorts, longs = [], []
        for short, long in batch:
            words = self.words[long]
            if random.random() < 0.3:
                words = words[: max(12, int(len(words) * random.uniform(0.4, 1)))]
            shorts.append(worn(self.words[short], 0.1, random))
            longs.append(worn(words, 0.15, random))
        return self.lists(shorts), self.lists(longs)

    def excerpts(self, batch, random):
        """The same with a few words of the long description for the one-line one; most often the long one lacks them then."""
        shorts, longs = [], []
        for _, long in batch:
            words = self.words[long]
            count = min(int(random.integers(4, 13)), max(1, len(words) // 3))
            first = int(random.integers(0, len(words) - count + 1))
            shorts.append(words[first : first + count])
            longs.append(worn(words if random.random() < 0.3 else words[:first] + words[first + count :], 0.15, random))
        return self.lists(shorts), self.lists(longs)


def worn(words, share, random):
    """The words without about that share of them."""
    return [word for word, number in zip(words, random.random(len(words))) if number >= share] or words


def last_states(model, tokens, ends):
    """What model(tokens) gives at the ends [batch, WIDTH]; nothing else of the last layer's queries and feed-forward is computed."""
    hidden = model.embed_tokens(tokens)
    positions = torch.arange(tokens.shape[1])[None]
    cos, sin = model.rotary_emb(hidden, positions)
    rows = torch.arange(len(tokens))
    for number, layer in enumerate(model.layers):
        a = layer.self_attn
        normed = layer.input_layernorm(hidden)
        split = lambda x: x.unflatten(-1, (HEADS, WIDTH // HEADS))
        key, value = a.k_norm(split(a.k_proj(normed))).transpose(1, 2), split(a.v_proj(normed)).transpose(1, 2)
        is_last = number == LAYERS - 1
        if is_last:
            hidden, normed = hidden[rows, ends][:, None], normed[rows, ends][:, None]
        query = a.q_norm(split(a.q_proj(normed))).transpose(1, 2)
        if is_last:
            query, _ = apply_rotary_pos_emb(query, query, cos[0, ends][:, None], sin[0, ends][:, None])
            key, _ = apply_rotary_pos_emb(key, key, cos, sin)
            mask = positions <= ends[:, None]
            mask = mask[:, None, None]
        else:
            query, key = apply_rotary_pos_emb(query, key, cos, sin)
            mask = positions <= positions.T
        scores = (query @ key.transpose(2, 3)).float() * (WIDTH // HEADS) ** -0.5
        mixed = scores.masked_fill(~mask, -1e9).softmax(-1).to(value.dtype) @ value
        hidden = hidden + a.o_proj(mixed.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return model.norm(hidden)[:, 0]


def neighbours_together(packages, vectors, random):
    """The packages in groups of up to 32 with like descriptions, groups in random order: what is alike makes wrong answers that teach.
    Groups come of halving along the line between two random members."""
    def halves(rows):
        if len(rows) <= 32:
            return [rows]
        a, b = random.choice(rows, 2, replace=False)
        rows = rows[numpy.argsort(vectors[rows] @ (vectors[a] - vectors[b]))]
        return halves(rows[: len(rows) // 2]) + halves(rows[len(rows) // 2 :])

    groups = halves(numpy.arange(len(packages)))
    random.shuffle(groups)
    return [packages[i] for group in groups for i in group]


def embed(model, lists, part=1024):
    """[texts, WIDTH], not normalized. Texts of like length are computed together, about `part` tokens at a time. Padding stands behind
    the text, where causal attention does not see it, so no mask is needed."""
    order = sorted(range(len(lists)), key=lambda i: len(lists[i]))
    outputs, first = [], 0
    while first < len(order):
        last = first
        while last < len(order) and (last - first + 1) * len(lists[order[last]]) <= max(part, len(lists[order[last]])):
            last += 1
        rows = order[first:last]
        lengths = torch.tensor([len(lists[i]) for i in rows])
        tokens = torch.zeros((len(rows), int(lengths.max())), dtype=torch.long)
        for row, i in enumerate(rows):
            tokens[row, : len(lists[i])] = torch.tensor(lists[i])
        with torch.autocast("cpu", torch.bfloat16):
            outputs.append(last_states(model, tokens, lengths - 1).float())
        first = last
    inverse = torch.empty(len(order), dtype=torch.long)
    inverse[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(outputs)[inverse]


def losses(short, long, short_target, long_target):
    """Students [batch, WIDTH] against targets: (distance, choice, distribution), each the mean over the prefixes. Without targets of
    the short texts there is no distribution."""
    distance = choice = distribution = torch.zeros(())
    has_targets = short_target is not None
    answers = torch.arange(len(short))
    # Packages that are nearly the same are no wrong answers.
    twins = (F.normalize(long_target, dim=-1) @ F.normalize(long_target, dim=-1).T > 0.85).fill_diagonal_(False)
    for size in PREFIXES:
        s, l, lt = (F.normalize(x[:, :size], dim=-1) for x in (short, long, long_target))
        distance = distance + (1 - (l * lt).sum(-1)).mean()
        scores = (s @ l.T / TEMPERATURE).masked_fill(twins, -1e4)
        choice = choice + F.cross_entropy(scores, answers) + F.cross_entropy(scores.T, answers)
        if has_targets:
            st = F.normalize(short_target[:, :size], dim=-1)
            distance = distance + (1 - (s * st).sum(-1)).mean()
            wanted = (st @ lt.T / TEMPERATURE).masked_fill(twins, -1e4)
            for a, b in ((scores, wanted), (scores.T, wanted.T)):
                distribution = distribution + F.kl_div(a.log_softmax(-1), b.log_softmax(-1), reduction="batchmean", log_target=True)
    return [loss / (2 * len(PREFIXES)) for loss in (distance, choice, distribution)]


def agree(value):
    """The least of the processes' values."""
    value = torch.tensor(value)
    distributed.all_reduce(value, distributed.ReduceOp.MIN)
    return value.item()


def save(model, tokenizer, folder, log):
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}))
    # Queries and documents are the texts alone: it was trained without instructions.
    (folder / "config_sentence_transformers.json").write_text(json.dumps(
        {"prompts": {"query": "", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False,
         "pooling_mode_lasttoken": True, "include_prompt": True}))
    (folder.parent / "training.json").write_text(json.dumps(log))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch", type=int, default=128, help="packages a step and process")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--resume", action="store_true", help="begin with the student in WORK/q3-mini")
    options = parser.parse_args()
    distributed.init_process_group("gloo")
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    torch.manual_seed(0)
    random = numpy.random.default_rng(int(time.time()) + rank)
    work, folder = options.work, options.work / "q3-mini"

    if rank == 0 and not options.resume:
        vectors = numpy.concatenate([numpy.load(path) for path in sorted(work.glob("vectors-*.npy"))]).astype(numpy.float32)
        rotation = numpy.linalg.svd(vectors.T @ vectors)[0][:, :WIDTH]
        numpy.save(work / "rotation.npy", rotation)
        tokenizer = make_tokenizer(json.loads(line)["text"] for line in open(work / "texts.jsonl"))
        folder.mkdir(exist_ok=True)
        save(make_model(tokenizer, Teacher(work, torch.bfloat16), rotation), tokenizer, folder, {})
    distributed.barrier()
    rotation = numpy.load(work / "rotation.npy")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = Qwen3Model.from_pretrained(folder, dtype=torch.float32)
    texts = Texts(work, tokenizer)
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed_tokens" not in name]
    others = [p for name, p in model.named_parameters() if p.dim() == 1 or "embed_tokens" in name]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}], lr=options.rate, betas=(0.9, 0.98))

    started, step, tokens, queue, saved, sums = time.time(), 0, 0, [], time.time(), numpy.zeros(4)
    while (left := agree(1 - (time.time() - started) / (60 * options.minutes))) > 0:
        if len(queue) < options.batch:
            texts.load(rotation)
            queue = texts.packages(rank, ranks)
            queue = neighbours_together(queue, texts.targets[torch.tensor([long for _, long in queue])].numpy(), random)
            print(f"process {rank}: {len(queue)} packages", flush=True)
        batch, queue = queue[: options.batch], queue[options.batch:]
        are_titles = step % 4 != 3
        shorts, longs = (texts.titles if are_titles else texts.excerpts)(batch, random)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 20, left * 2)
        short, long = embed(model, shorts + longs).split(len(batch))
        short_target, long_target = (texts.targets[torch.tensor(rows)] for rows in zip(*batch))
        distance, choice, distribution = losses(short, long, short_target if are_titles else None, long_target)
        optimizer.zero_grad()
        (4 * distance + choice + 0.5 * distribution).backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        distributed.all_reduce(gradient)
        gradient /= ranks
        for p, part in zip(model.parameters(), gradient.split([p.numel() for p in model.parameters()])):
            p.grad = part.view_as(p)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        tokens += ranks * sum(map(len, shorts + longs))
        if are_titles:
            sums += [distance.item(), choice.item(), distribution.item(), 1]
        log = {"steps": step, "packages": step * ranks * options.batch, "tokens": tokens, "minutes": (time.time() - started) / 60}
        if rank == 0 and step % 10 == 0:
            print(f"step {step}, {log['minutes']:.1f} min, {tokens / (time.time() - started):.0f} tokens/s, rate {group['lr']:.1e}, "
                  f"distance {sums[0] / sums[3]:.4f}, choice {sums[1] / sums[3]:.3f}, distribution {sums[2] / sums[3]:.3f}", flush=True)
            sums[:] = 0
        if rank == 0 and time.time() - saved > 180:
            saved = time.time()
            save(model, tokenizer, folder, log)
    if rank == 0:
        save(model, tokenizer, folder, log)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
