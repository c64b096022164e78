"""A byte-level BPE as small as a fixture wants it, with Qwen3's splitting rules and added tokens."""

import json

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
           "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
           "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
USER_DEFINED = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
                "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"]


def _bare(vocabulary=None, merges=None):
    """Qwen3's tokenizer before any token is added to it."""
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def hugging_face(tokens, types, merges):
    """Encodes text with the vocabulary of a GGUF file; what looks like an added token is text."""
    base = {token: i for i, token in enumerate(tokens) if types[i] == gguf.TokenType.NORMAL}
    tokenizer = _bare(base, [tuple(merge.split(" ")) for merge in merges])
    return lambda text: tokenizer.encode(text).ids


class Vocabulary:
    """Trains on `corpus` up to `size` base tokens; the added tokens follow them in Qwen3's order."""

    def __init__(self, corpus, size):
        bare = _bare()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        bare.train_from_iterator(corpus, trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=alphabet, show_progress=False))
        self.literal = bare
        trained = json.loads(bare.to_str())["model"]
        base = sorted(trained["vocab"], key=trained["vocab"].get)
        assert len(base) == size, f"the corpus gives only {len(base)} tokens of {size}"
        self.merges = [m if isinstance(m, str) else " ".join(m) for m in trained["merges"]]
        self.tokens = base + CONTROL + USER_DEFINED
        kinds = gguf.TokenType
        self.types = ([kinds.NORMAL] * len(base) + [kinds.CONTROL] * len(CONTROL)
                      + [kinds.USER_DEFINED] * len(USER_DEFINED))
        self.special = Tokenizer.from_str(bare.to_str())
        for token in CONTROL:
            self.special.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        for token in USER_DEFINED:
            self.special.add_tokens([AddedToken(token, normalized=False, special=False)])
        assert all(self.special.token_to_id(t) == i for i, t in enumerate(self.tokens))

    def id(self, token):
        return self.tokens.index(token)

    def encode(self, text):
        """Ids of text that a user wrote: what looks like an added token is text."""
        return self.literal.encode(text).ids

    def encode_template(self, text):
        """Ids of text that we wrote: added tokens are matched."""
        return self.special.encode(text).ids
