"""Ours beside PyTorch's own Transformer, for no file of the official code is at hand."""

import math

import torch
from torch import nn

from grokking.components.positional import SinusoidalPositionalEncoding
from grokking.harness.verification.reference import Reference, climb


class Theirs(nn.Module):
    """``nn.TransformerEncoder`` with a causal mask is a decoder-only Transformer, Appendix A.1.2."""

    def __init__(self, vocab_size: int, context: int, d_model: int, n_layers: int, n_heads: int, d_ff: int, **_):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.encoding = SinusoidalPositionalEncoding(d_model, context)
        how = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True, "bias": False}
        layer = nn.TransformerEncoderLayer(d_model, n_heads, d_ff, **how)
        norm = nn.LayerNorm(d_model, bias=False)
        self.encoder = nn.TransformerEncoder(layer, n_layers, norm, enable_nested_tensor=False)
        self.head = nn.Linear(d_model, vocab_size, bias=False)

    def forward(self, tokens):
        x = self.encoding(self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim))
        later = torch.ones(2 * tokens.shape[1:], dtype=torch.bool).triu(1)
        return self.head(self.encoder(x, mask=later))


def test_every_rung_equals_the_reference(cfg, data):
    """Appendix A.1.2: from the outputs to the weights after five updates."""
    ours, theirs = "blocks.*", "encoder.layers.*"
    attention = [f"{ours}.attention.{part}_proj.weight" for part in "qkv"]
    rules = [
        (f"{theirs}.self_attn.in_proj_weight", attention),
        (f"{theirs}.self_attn.out_proj.weight", f"{ours}.attention.out_proj.weight"),
        (f"{theirs}.norm1.weight", f"{ours}.attention_norm.weight"),
        (f"{theirs}.norm2.weight", f"{ours}.feed_forward_norm.weight"),
        (f"{theirs}.linear1.weight", f"{ours}.feed_forward.0.weight"),
        (f"{theirs}.linear2.weight", f"{ours}.feed_forward.2.weight"),
        ("encoder.norm.weight", "norm.weight"),
        ("embedding.weight", "embedding.weight"),
        ("head.weight", "head.weight"),
    ]
    settings = {key: value for key, value in cfg.model.items() if key != "_target_"}
    climb(cfg, Reference(Theirs(**settings), rules=rules), data)
