"""The student: a small Qwen3 with its tokenizer, which begins as the weighted mean of its tokens' vectors.

A mean whose weights are learned is a Qwen3 when RMSNorm's epsilon is not small: norm(x) = x / sqrt(mean(x²) + 1) keeps how long a short x
is. So a token that says little has a short row in the table; the last layer's attention is about uniform, its values are the
normalized rows, and everything else adds nothing before it is trained.
"""

import copy
import json

import numpy
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional as F
from transformers import Qwen3Config, Qwen3Model
from transformers.models.qwen3.modeling_qwen3 import apply_rotary_pos_emb

VOCABULARY = 28_000
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WIDTH, LAYERS, HEADS, HIDDEN = 256, 3, 4, 1024
EPSILON = 1.0
GAIN = 5.0
SAVED_EPSILON = 0.1  # q3 takes no larger one
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


def make_model(table, end, bias):
    """A Qwen3 whose vector of a text is that of mean(table[tokens]) + bias. Its first layers and the last feed-forward have no effect, but since the
    mean is taken in the last layer, each token's vector counts, and they learn from the first step on."""
    model = Qwen3Model(config())
    length = table.pow(2).mean(1, keepdim=True).sqrt()
    scale = 0.9 / length.quantile(0.999)
    length = (length * scale).clamp(max=0.95)
    with torch.no_grad():
        model.embed_tokens.weight.copy_(F.normalize(table, dim=1) * WIDTH**0.5 * length / (1 - length**2).sqrt() * EPSILON**0.5)
        # A text's mean is several times shorter than its tokens; the output gets components of about unit length.
        model.embed_tokens.weight[end] = GAIN * scale * bias
        for layer in model.layers:
            begin(layer)
        last = model.layers[-1].self_attn
        last.q_proj.weight.mul_(0.1)
        last.v_proj.weight.copy_(torch.eye(WIDTH))
        last.o_proj.weight.copy_(GAIN * torch.eye(WIDTH))
    return model


def config():
    return Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, head_dim=WIDTH // HEADS, max_position_embeddings=512,
        rms_norm_eps=EPSILON, rope_parameters={"rope_theta": 10_000.0, "rope_type": "default"}, attention_bias=False,
        use_sliding_window=False, tie_word_embeddings=True)


def begin(layer):
    """Random weights, but zeros where the branches end."""
    for weight in (layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight, layer.self_attn.v_proj.weight, layer.mlp.gate_proj.weight,
                   layer.mlp.up_proj.weight):
        weight.normal_(std=WIDTH**-0.5)
    layer.self_attn.o_proj.weight.zero_()
    layer.mlp.down_proj.weight.zero_()


def rescaled(model, epsilon):
    """The same function with another epsilon of RMSNorm: what flows between layers, queries and keys are all scaled by one factor."""
    factor = (epsilon / model.config.rms_norm_eps) ** 0.5
    scaled_config = copy.deepcopy(model.config)
    scaled_config.rms_norm_eps = epsilon
    scaled = ("embed_tokens", "o_proj", "down_proj", "q_proj", "k_proj")
    other = Qwen3Model(scaled_config)
    other.load_state_dict({
        name: weight * factor if name.split(".")[-2] in scaled else weight for name, weight in model.state_dict().items()})
    return other


def save(model, tokenizer, folder, log):
    """The folder that `q3 convert` reads, with the settings of sentence-transformers."""
    folder.mkdir(exist_ok=True)
    rescaled(model, SAVED_EPSILON).save_pretrained(folder)
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
    (folder / "training.json").write_text(json.dumps(log))


def last_states(model, tokens, ends):
    """What model(tokens) gives at the ends [batch, WIDTH]; nothing else of the last layer's queries, values and feed-forward is computed."""
    hidden = model.embed_tokens(tokens)
    positions = torch.arange(tokens.shape[1])[None]
    cos, sin = model.rotary_emb(hidden, positions)
    rows = torch.arange(len(tokens))
    split = lambda x: x.unflatten(-1, (HEADS, WIDTH // HEADS))
    for number, layer in enumerate(model.layers):
        a = layer.self_attn
        normed = layer.input_layernorm(hidden)
        key = a.k_norm(split(a.k_proj(normed))).transpose(1, 2)
        key, _ = apply_rotary_pos_emb(key, key, cos, sin)
        if number < len(model.layers) - 1:
            query, value = a.q_norm(split(a.q_proj(normed))).transpose(1, 2), split(a.v_proj(normed)).transpose(1, 2)
            query, _ = apply_rotary_pos_emb(query, query, cos, sin)
            mixed = weights(query, key, positions <= positions.T).to(value.dtype) @ value
            mixed = mixed.transpose(1, 2).flatten(2)
        else:
            query = a.q_norm(split(a.q_proj(normed[rows, ends][:, None]))).transpose(1, 2)
            query, _ = apply_rotary_pos_emb(query, query, cos[0, ends][:, None], sin[0, ends][:, None])
            # The mean of the values is the value of the mean, one for each head.
            means = weights(query, key, (positions <= ends[:, None])[:, None, None])[:, :, 0].to(normed.dtype) @ normed
            mixed = torch.einsum("bhd,hkd->bhk", means, a.v_proj.weight.unflatten(0, (HEADS, WIDTH // HEADS))).flatten(1)[:, None]
            hidden = hidden[rows, ends][:, None]
        hidden = hidden + a.o_proj(mixed)
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return model.norm(hidden)[:, 0]


def weights(query, key, mask):
    """Attention's weights, in float32."""
    scores = (query @ key.transpose(2, 3)).float() * (WIDTH // HEADS) ** -0.5
    return scores.masked_fill(~mask, -1e9).softmax(-1)


def embed(model, lists, end, part=2048):
    """[texts, WIDTH], not normalized, of token lists without their end. Texts of like length are computed together, about `part` tokens at a time.
    Padding stands behind the text, where causal attention does not see it, so no mask is needed."""
    lengths = numpy.array([len(tokens) + 1 for tokens in lists])
    order = numpy.argsort(lengths, kind="stable")
    outputs, first = [], 0
    while first < len(order):
        last = first + 1
        while last < len(order) and (last - first + 1) * lengths[order[last]] <= part:
            last += 1
        rows = order[first:last]
        tokens = numpy.full((len(rows), lengths[rows[-1]]), end)
        for row, i in enumerate(rows):
            tokens[row, : len(lists[i])] = lists[i]
        with torch.autocast("cpu", torch.bfloat16):
            outputs.append(last_states(model, torch.from_numpy(tokens), torch.from_numpy(lengths[rows] - 1)).float())
        first = last
    return torch.cat(outputs)[torch.from_numpy(numpy.argsort(order))]
