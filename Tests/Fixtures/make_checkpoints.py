#!/usr/bin/env python3
"""Write the Hugging Face folders of the conversion tests: tiny Qwen3 models and what transformers computes with them.

    pip install torch transformers gguf tokenizers      (made with 2.15.0, 5.23.0, 0.19.0, 0.23.3)
    python3 Tests/Fixtures/make_checkpoints.py

Everything comes from this folder and fixed seeds; no file and no network is needed.

`checkpoints/tiny-embedding`: a Qwen3Model in F32 in one file, with prompts and pooling of sentence-transformers. Its weights
    are numbers that F16 has too, so that files of both types must give the same vectors.
`checkpoints/tiny-reranker`: a tied Qwen3ForCausalLM in BF16, in parts with an index.
`checkpoints/tiny-reranker-untied`: one with a matrix for its output, in F16, with vocab.json and merges.txt.
`checkpoints/tiny-adapter`: a PEFT LoRA adapter of tiny-embedding, with rank-stabilized scales, for some of its matrices.
`checkpoints/NAME.json`: {"model", "items"} as make.py writes them for models.
"""

import copy
import json
import pathlib
import shutil

import safetensors.torch
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3Model

import make
from generator import texts
from generator.tokenizer import CONTROL, USER_DEFINED, Vocabulary

HERE = pathlib.Path(__file__).resolve().parent / "checkpoints"
BASE_TOKENS = 480


def config(vocabulary, tied):
    return Qwen3Config(
        vocab_size=len(vocabulary.tokens) + 6, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=32, max_position_embeddings=4096, rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": 1_000_000.0, "rope_type": "default"}, attention_bias=False,
        use_sliding_window=False, tie_word_embeddings=tied)


def randomize(model, kind):
    """Weights that make attention and gains matter, rounded to the type that the folder keeps."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                mean = 2 if "q_norm" in name or "k_norm" in name else 1
                weight.copy_(mean + 0.1 * torch.randn_like(weight))
            else:
                deviation = 0.2 if "embed_tokens" in name or "lm_head" in name else 0.64 / weight.shape[1] ** 0.5
                weight.copy_(deviation * torch.randn_like(weight))
            weight.copy_(weight.to(kind).float())
    return model.eval()


def save(folder, model, kind, vocabulary, shard=None):
    shutil.rmtree(folder, ignore_errors=True)
    rounded = copy.deepcopy(model).to(kind)  # a copy: the model's own rotary frequencies stay in f32
    rounded.save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    decoder = {str(vocabulary.id(t)): {"content": t, "special": t in CONTROL} for t in CONTROL + USER_DEFINED}
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": decoder, "eos_token": "<|im_end|>",
         "pad_token": "<|endoftext|>", "chat_template": "{{ messages }}"}, indent=1))
    vocabulary.special.save(str(folder / "tokenizer.json"))


@torch.no_grad()
def last(model, ids):
    """The last token after the final norm [hidden]."""
    return model(torch.tensor([ids]), use_cache=False).last_hidden_state[0, -1]


def dump(name, items):
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    (HERE / f"{name}.json").write_text(f'{{"model": "{name}",\n"items": [\n{lines}\n]}}\n')


def embedding_items(vocabulary, model):
    items = []
    for name, text in texts.TEXTS[::3]:
        ids = vocabulary.encode(text) + [vocabulary.id("<|endoftext|>")]
        vector = torch.nn.functional.normalize(last(model, ids), dim=0)
        items.append({"name": name, "text": text, "ids": ids, "embedding": make.rounded(vector)})
    return items


def embedding(vocabulary):
    torch.manual_seed(1)
    model = randomize(Qwen3Model(config(vocabulary, tied=True)), torch.float16)
    folder = HERE / "tiny-embedding"
    save(folder, model, torch.float32, vocabulary)
    task = texts.QUERIES[0][0]
    (folder / "config_sentence_transformers.json").write_text(json.dumps(
        {"prompts": {"query": f"Instruct: {task}\nQuery:", "document": ""}, "default_prompt_name": None,
         "similarity_fn_name": "cosine"}, indent=1))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": 64, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False,
         "pooling_mode_lasttoken": True, "include_prompt": True}, indent=1))
    dump("tiny-embedding", embedding_items(vocabulary, model))
    adapter(vocabulary, model)


def adapter(vocabulary, merged):
    """Written by hand in PEFT's layout; `merged` becomes the model with W + scale * B A."""
    generator = torch.Generator().manual_seed(4)
    rank, alpha = 4, 6
    tensors = {}
    for name, weight in merged.named_parameters():
        if any(part in name for part in ("q_proj", "v_proj", "down_proj")):
            module = name.removesuffix(".weight")
            down = 0.2 * torch.randn((rank, weight.shape[1]), generator=generator)
            up = 0.2 * torch.randn((weight.shape[0], rank), generator=generator)
            tensors |= {f"base_model.model.{module}.lora_A.weight": down, f"base_model.model.{module}.lora_B.weight": up}
            with torch.no_grad():
                weight += alpha / rank**0.5 * (up @ down)
    folder = HERE / "tiny-adapter"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    safetensors.torch.save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(
        {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "use_rslora": True, "use_dora": False, "bias": "none",
         "fan_in_fan_out": False, "alpha_pattern": {}, "rank_pattern": {},
         "target_modules": ["q_proj", "v_proj", "down_proj"]}, indent=1))
    dump("tiny-adapter", embedding_items(vocabulary, merged))


def reranker(name, vocabulary, tied, kind, shard=None, parts=False):
    torch.manual_seed(2 if tied else 3)
    model = randomize(Qwen3ForCausalLM(config(vocabulary, tied)), kind)
    save(HERE / name, model, kind, vocabulary, shard)
    if parts:
        trained = json.loads((HERE / name / "tokenizer.json").read_text())["model"]
        (HERE / name / "tokenizer.json").unlink()
        (HERE / name / "vocab.json").write_text(json.dumps(trained["vocab"], ensure_ascii=False))
        (HERE / name / "merges.txt").write_text("#version: 0.2\n" + "\n".join(vocabulary.merges) + "\n")
    items = []
    for query, document, instruction in texts.PAIRS[:6]:
        ids = make.prompt_ids(vocabulary, query, document, instruction, "card")
        rows = model.lm_head.weight.detach()[[vocabulary.id("yes"), vocabulary.id("no")]]
        logits = rows @ last(model.model, ids)
        items.append({"query": query, "document": document, "instruction": instruction, "style": "card", "ids": ids,
                      "p_yes": make.rounded(torch.softmax(logits, 0))[0], "margin": make.rounded([logits[0] - logits[1]])[0],
                      "logits": make.rounded(logits)})
    dump(name, items)


def main():
    torch.set_num_threads(1)
    vocabulary = Vocabulary(texts.corpus(), BASE_TOKENS)
    embedding(vocabulary)
    reranker("tiny-reranker", vocabulary, True, torch.bfloat16, shard="60KB")
    reranker("tiny-reranker-untied", vocabulary, False, torch.float16, parts=True)


if __name__ == "__main__":
    main()
