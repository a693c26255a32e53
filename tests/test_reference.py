"""The ladder against real references, and bugs that it must find and place: the rung, and the first module."""

import ast
import copy
import importlib
import pickle
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TEMPLATE, cookiecutter, run
from torch import nn

RECORDER = TEMPLATE / "{{cookiecutter.project_slug}}/tests/record_reference.py"


@pytest.fixture(scope="module")
def baked(tmp_path_factory):
    """The modules of a bake."""
    folder = tmp_path_factory.mktemp("ladder")
    cookiecutter(folder, package_name="laddered", components="all")
    sys.path[:0] = [str(folder / "my-paper/src"), str(folder / "my-paper/tests")]
    names = ["reference", "building", "settings"]
    found = {name: importlib.import_module(f"laddered.harness.{name}") for name in names}
    yield SimpleNamespace(
        **found,
        compare=found["reference"].compare_with_reference,
        record=importlib.import_module("record_reference").record,
        attention=importlib.import_module("laddered.components.attention").MultiHeadAttention,
        repo=folder / "my-paper",
    )
    del sys.path[:2]


@pytest.fixture
def differs(baked):
    """What ``compare_with_reference`` says of two models that differ."""

    def differs(*args, **kwargs) -> str:
        with pytest.raises(AssertionError) as raised:
            baked.compare(*args, **kwargs)
        return str(raised.value)

    return differs


# --- models of three libraries, and ours

QKV = [f"attention.{part}_proj.*" for part in "qkv"]
ENCODER_LAYER = [
    ("self_attn.in_proj_*", QKV),
    ("self_attn.out_proj.*", "attention.out_proj.*"),
    ("norm1.*", "norms.0.*"),
    ("norm2.*", "norms.1.*"),
    ("linear1.*", "feed_forward.0.*"),
    ("linear2.*", "feed_forward.2.*"),
]
GPT2 = [
    ("transformer.wte.*", "embedding.*"),
    ("transformer.wpe.weight", "positions"),
    ("transformer.h.*.attn.c_attn.*", [f"blocks.*.{name}" for name in QKV], torch.t),
    ("transformer.h.*.attn.c_proj.*", "blocks.*.attention.out_proj.*", torch.t),
    ("transformer.h.*.ln_1.*", "blocks.*.norms.0.*"),
    ("transformer.h.*.ln_2.*", "blocks.*.norms.1.*"),
    ("transformer.h.*.mlp.c_fc.*", "blocks.*.feed_forward.0.*", torch.t),
    ("transformer.h.*.mlp.c_proj.*", "blocks.*.feed_forward.2.*", torch.t),
    ("transformer.ln_f.*", "norm.*"),
    ("lm_head.*", "head.*"),
]


class Block(nn.Module):
    def __init__(self, attention, activation=nn.GELU, causal=False, width=16, eps=1e-5):
        super().__init__()
        self.attention, self.causal = attention(width, 4, dropout=0.1), causal
        self.norms = nn.ModuleList([nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)])
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), activation(), nn.Linear(4 * width, width))

    def forward(self, x):
        h = self.norms[0](x)
        x = x + self.attention(h, h, h, is_causal=self.causal)
        return x + self.feed_forward(self.norms[1](x))


class GPT(nn.Module):
    def __init__(self, attention, odd=None, depth=12, **changes):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(20, 16), nn.Parameter(torch.randn(10, 16))
        tanh = {"activation": lambda: nn.GELU("tanh"), "causal": True}
        self.blocks = nn.ModuleList(
            Block(attention, **(tanh | changes if layer == odd else tanh)) for layer in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 20, bias=False)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


@pytest.fixture(scope="module")
def gpt2():
    """A GPT-2 of twelve layers with random weights."""
    transformers = pytest.importorskip("transformers", reason="reference for a decoder")
    torch.manual_seed(0)
    shape = {"n_embd": 16, "n_layer": 12, "n_head": 4, "n_positions": 10, "vocab_size": 20}
    config = transformers.GPT2Config(**shape, use_cache=False, initializer_range=0.3, tie_word_embeddings=False)
    return transformers.GPT2LMHeadModel(config)


@pytest.fixture
def tokens():
    return torch.randint(20, (3, 7), generator=torch.Generator().manual_seed(0))


def logits(model, tokens):
    return model(tokens).logits


def test_a_decoder_equals_gpt2(baked, gpt2, tokens, capsys):
    before, generator, ours = copy.deepcopy(gpt2.state_dict()), torch.get_rng_state(), GPT(baked.attention).train()
    own = copy.deepcopy(ours.state_dict())
    generator = torch.get_rng_state()
    baked.compare(ours, baked.reference.Reference(gpt2, GPT2, logits), tokens)
    told = capsys.readouterr().out
    assert float(re.search(r"max \|Δ\| (\S+),", told)[1]) < 1e-5 and "mean |Δ|" in told
    assert "weights: 198 carried over by rule" in told
    # and nothing of it was changed
    assert torch.equal(generator, torch.get_rng_state()) and ours.training
    for model, weights in ((gpt2, before), (ours, own)):
        assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())


def test_an_encoder_layer_equals_torch(baked):
    theirs = nn.TransformerEncoderLayer(16, 4, 64, 0.1, activation="gelu", batch_first=True, norm_first=True)
    baked.compare(Block(baked.attention), theirs, torch.randn(2, 5, 16), rules=ENCODER_LAYER)
    baked.compare(Block(baked.attention), theirs.eval(), {"x": torch.randn(2, 5, 16)}, rules=ENCODER_LAYER) if 0 else None


def test_attention_equals_torch(baked):
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    rules = [("in_proj_*", [f"{part}_proj.*" for part in "qkv"]), ("**", "**")]
    x = torch.randn(2, 5, 16)
    first = baked.reference.Reference(theirs, rules, lambda model, *inputs: model(*inputs)[0])
    baked.compare(baked.attention(16, 4), first, (x, x, x))
    with pytest.raises(ValueError, match="call="):  # it also returns weights
        baked.compare(baked.attention(16, 4), theirs, (x, x, x), rules=rules)


@pytest.mark.parametrize(
    ("change", "module", "theirs"),
    [
        ({"eps": 1e-3}, "blocks.6.norms.0", "transformer.h.6.ln_1"),
        ({"activation": nn.GELU}, "blocks.6.feed_forward.1", "transformer.h.6.mlp.act"),
        ({"causal": False}, "blocks.6.attention", "transformer.h.6.attn"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_seventh_layer_computes_something_else(baked, gpt2, tokens, differs, change, module, theirs):
    ours = GPT(baked.attention, odd=6, **change)
    told = differs(ours, baked.reference.Reference(gpt2, GPT2, logits), tokens)
    assert f"first in {module} ({theirs} of the reference)\n" in told
    table = [line.split() for line in told.split("from the input")[1].split("\n\n")[0].splitlines()[1:]]
    assert table[0][0] == "embedding" and table[-1][:2] == [module, theirs] and float(table[-1][-2]) > 1e-7
    assert all(float(row[-2]) < 1e-12 for row in table[:-1] if row[0].startswith("blocks") and "compared" not in row)
    assert len(table) <= 9 and "Its input is equal" in told


@pytest.mark.parametrize("module", ["feed_forward.0", "feed_forward.2", "attention.v_proj", "norms.1"])
def test_the_seventh_layer_has_other_weights(baked, tokens, differs, module):
    ours = GPT(baked.attention)
    theirs = copy.deepcopy(ours)
    with torch.no_grad():
        theirs.get_submodule(f"blocks.6.{module}").weight.flatten()[3] += 1e-3
    told = differs(ours, theirs, tokens, atol=1e-7)
    assert f"first in blocks.6.{module}\n" in told and f"blocks.6.{module}.weight by 0.001" in told
