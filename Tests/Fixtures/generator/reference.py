"""What Hugging Face Transformers computes in float32 for a Qwen3 GGUF, every tensor dequantized by the gguf package."""

import gguf
import numpy as np
import torch
from transformers import Qwen3Config, Qwen3Model
from transformers.models.qwen3 import modeling_qwen3

RENAMED = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
# Our names for what the modules of a layer give, in the order of computation.
NODES = [("attnNorm", "input_layernorm"), ("q", "self_attn.q_proj"), ("k", "self_attn.k_proj"),
         ("v", "self_attn.v_proj"), ("qNorm", "self_attn.q_norm"), ("kNorm", "self_attn.k_norm"),
         ("attnOut", "self_attn.o_proj"), ("ffnNorm", "post_attention_layernorm"), ("gate", "mlp.gate_proj"),
         ("up", "mlp.up_proj"), ("ffnDown", "mlp.down_proj")]


class Reference:
    def __init__(self, path, attention="eager"):
        reader = gguf.GGUFReader(path)
        self.tensors = {
            t.name: torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type), dtype=np.float32))
            for t in reader.tensors
        }

        def value(key):
            return reader.fields["qwen3." + key].contents()

        vocabulary, hidden = self.tensors["token_embd.weight"].shape
        config = Qwen3Config(
            vocab_size=vocabulary, hidden_size=hidden, intermediate_size=value("feed_forward_length"),
            num_hidden_layers=value("block_count"), num_attention_heads=value("attention.head_count"),
            num_key_value_heads=value("attention.head_count_kv"), head_dim=value("attention.key_length"),
            rms_norm_eps=value("attention.layer_norm_rms_epsilon"), rope_theta=value("rope.freq_base"),
            max_position_embeddings=value("context_length"), attention_bias=False, use_sliding_window=False)
        config._attn_implementation = attention
        with torch.device("meta"):
            self.model = Qwen3Model(config).eval()
        state = {"embed_tokens.weight": self.tensors["token_embd.weight"],
                 "norm.weight": self.tensors["output_norm.weight"]}
        for name, tensor in self.tensors.items():
            if name.startswith("blk."):
                _, layer, part, _ = name.split(".")
                state[f"layers.{layer}.{RENAMED[part]}.weight"] = tensor
        self.model.load_state_dict(state, strict=True, assign=True)
        self.model.rotary_emb = type(self.model.rotary_emb)(config)
        second = self.model.rotary_emb.inv_freq[1].item()
        wanted = value("rope.freq_base") ** (-2 / value("attention.key_length"))
        assert abs(second - wanted) < 1e-6 * wanted, "transformers did not take rope_theta from the configuration"

    @torch.no_grad()
    def last(self, ids):
        """The last token after the final norm [hidden]."""
        return self.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0, -1]

    def run(self, ids):
        """The last token after the final norm [hidden], and every node by name, each [tokens, width]."""
        nodes, hooks = {}, []

        def keep(name):
            def hook(_, inputs, output):
                output = output[0] if isinstance(output, tuple) else output
                nodes[name] = output[0].reshape(len(ids), -1).clone()
            return hook

        def keep_input(name):
            def hook(_, inputs):
                nodes[name] = inputs[0][0].reshape(len(ids), -1).clone()
            return hook

        hooks.append(self.model.embed_tokens.register_forward_hook(keep("embedding")))
        for i, layer in enumerate(self.model.layers):
            for name, module in NODES:
                hooks.append(layer.get_submodule(module).register_forward_hook(keep(f"{i}.{name}")))
            hooks.append(layer.self_attn.o_proj.register_forward_pre_hook(keep_input(f"{i}.attention")))
            hooks.append(layer.post_attention_layernorm.register_forward_pre_hook(keep_input(f"{i}.attnResidual")))
            hooks.append(layer.mlp.down_proj.register_forward_pre_hook(keep_input(f"{i}.swiglu")))
            hooks.append(layer.register_forward_hook(keep(f"{i}.output")))
        hooks.append(self.model.norm.register_forward_hook(keep("outputNorm")))
        last = self.last(ids)
        for hook in hooks:
            hook.remove()
        for i in range(len(self.model.layers)):
            nodes[f"{i}.qRope"], nodes[f"{i}.kRope"] = self._rotate(nodes[f"{i}.qNorm"], nodes[f"{i}.kNorm"])
        return last, nodes

    @torch.no_grad()
    def _rotate(self, q, k):
        tokens, size = len(q), self.model.config.head_dim
        heads = [x.reshape(1, tokens, -1, size).transpose(1, 2) for x in (q, k)]
        cos, sin = self.model.rotary_emb(q, torch.arange(tokens)[None])
        return [x.transpose(1, 2).reshape(tokens, -1)
                for x in modeling_qwen3.apply_rotary_pos_emb(*heads, cos, sin)]

    def logits(self, last, yes, no):
        """The pair (yes, no) that the reranker's head gives for a last hidden state."""
        if "cls.output.weight" in self.tensors:
            return self.tensors["cls.output.weight"] @ last
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return head[[yes, no]] @ last
