"""The ladder against real references, and bugs that it must find and place: the rung, and the first module."""

import ast
import copy
import importlib
import pickle
import re
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

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
    reference = importlib.import_module("laddered.harness.verification.reference")
    yield SimpleNamespace(
        reference=reference,
        building=importlib.import_module("laddered.harness.training.build"),
        compare=partial(compare_outputs, reference),
        record=importlib.import_module("record_reference").record,
        attention=importlib.import_module("laddered.components.attention").MultiHeadAttention,
        repo=folder / "my-paper",
    )
    del sys.path[:2]


def compare_outputs(
    of: ModuleType, ours, theirs, inputs=None, tolerance: float = 1e-5, rules: list | None = None
) -> None:
    """The lowest rung alone, of any two models."""
    reference, recorded = of._load(theirs if isinstance(theirs, of.Reference) else of.Reference(theirs, rules))
    dtype = reference.dtypes[0]
    ours = copy.deepcopy(ours).to(dtype).eval()
    weights = of.Weights(ours, recorded["weights"], reference.rules)
    inputs = tuple(recorded["inputs"].values()) if inputs is None else inputs

    def forward(model: nn.Module) -> dict:
        arguments, rungs = inputs if isinstance(inputs, tuple | list) else [inputs], defaultdict(dict)
        with torch.random.fork_rng(), of._trace(model, rungs):
            torch.manual_seed(0)
            model(*(x.to(dtype) if x.is_floating_point() else x for x in arguments))
        return rungs

    mine, other = forward(ours), recorded if recorded["forward"] else forward(reference.model.to(dtype))
    largest, _, problem = of.compare(mine["forward"], other["forward"], tolerance)
    if problem:
        problem = of.first_difference(mine, other, weights, 1e-10 if dtype == torch.float64 else 1e-5) or problem
        raise AssertionError(f"{problem}\n\n{weights.summary}")
    print(f"max |Δ| {largest:.2g}\n{weights.summary}")


@pytest.fixture
def differs(baked):
    """What is said of two models that differ."""

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
    before, ours = copy.deepcopy(gpt2.state_dict()), GPT(baked.attention).train()
    own, generator = copy.deepcopy(ours.state_dict()), torch.get_rng_state()
    baked.compare(ours, baked.reference.Reference(gpt2, GPT2, logits), tokens)
    told = capsys.readouterr().out
    assert float(re.search(r"max \|Δ\| (\S+)\n", told)[1]) < 1e-9 and "weights: 197 loaded" in told
    # and nothing of it was changed
    assert torch.equal(generator, torch.get_rng_state()) and ours.training
    for model, weights in ((gpt2, before), (ours, own)):
        assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())


def test_an_encoder_layer_equals_torch(baked):
    theirs = nn.TransformerEncoderLayer(16, 4, 64, 0.1, activation="gelu", batch_first=True, norm_first=True)
    baked.compare(Block(baked.attention), theirs, torch.randn(2, 5, 16), rules=ENCODER_LAYER)


def test_attention_equals_torch(baked):
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    rules = [("in_proj_*", [f"{part}_proj.*" for part in "qkv"]), ("**", "**")]
    x = torch.randn(2, 5, 16)
    first = baked.reference.Reference(theirs, rules, lambda model, *inputs: model(*inputs)[0])
    baked.compare(baked.attention(16, 4), first, (x, x, x))
    with pytest.raises(ValueError, match="call="):  # it also returns weights
        baked.compare(baked.attention(16, 4), theirs, (x, x, x), rules=rules)


@pytest.mark.parametrize(
    ("change", "module", "theirs", "equal"),
    [
        ({"eps": 1e-3}, "6.norms.0", "6.ln_1", "5.feed_forward.2"),
        ({"activation": nn.GELU}, "6.feed_forward.2", "6.mlp.c_proj", "6.feed_forward.0"),
        ({"causal": False}, "6.attention.out_proj", "6.attn.c_proj", "6.norms.0"),
    ],
    ids=["eps", "activation", "mask"],
)
def test_the_seventh_layer_computes_something_else(baked, gpt2, tokens, differs, change, module, theirs, equal):
    ours = GPT(baked.attention, odd=6, **change)
    told = differs(ours, baked.reference.Reference(gpt2, GPT2, logits), tokens)
    assert f"first in blocks.{module} (transformer.h.{theirs} of the reference); equal up to blocks.{equal}\n" in told


@pytest.mark.parametrize("module", ["feed_forward.0", "feed_forward.2", "attention.v_proj", "norms.1"])
def test_the_seventh_layer_has_other_weights(baked, tokens, differs, module):
    ours = GPT(baked.attention)
    theirs = copy.deepcopy(ours)
    with torch.no_grad():
        theirs.get_submodule(f"blocks.6.{module}").weight.flatten()[3] += 1e-3
    told = differs(ours, theirs, tokens, tolerance=1e-8)
    assert f"first in blocks.6.{module};" in told and f"blocks.6.{module}.weight differs by 0.001" in told


def test_counters_are_no_difference(baked):
    ours = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    theirs = copy.deepcopy(ours)
    theirs[1].num_batches_tracked += 5
    baked.compare(ours, theirs, torch.randn(2, 4))


def test_a_model_that_insists_on_float32(baked, differs):
    class Fixed(nn.Linear):
        def forward(self, x):
            return super().forward(x @ torch.eye(4, dtype=torch.float32))

    def reference(model):
        return baked.reference.Reference(model, dtypes=(torch.float32,))

    baked.compare(Fixed(4, 4), reference(nn.Linear(4, 4)), torch.randn(2, 4))
    ours, theirs = (nn.Sequential(Fixed(4, 4), activation(), Fixed(4, 4)) for activation in (nn.ReLU, nn.GELU))
    assert "first in 2; equal up to 0\n" in differs(ours, reference(theirs), torch.randn(2, 4))


def test_rounding_of_float32_is_no_difference(baked, gpt2, tokens):
    baked.compare(GPT(baked.attention), baked.reference.Reference(gpt2, GPT2, logits), tokens, tolerance=1e-9)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_differs(differs, value):
    ours = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    theirs = copy.deepcopy(ours)
    with torch.no_grad():
        ours[1].bias[0] = value
    assert "first in 1; equal up to 0\n" in differs(ours, theirs, torch.randn(2, 4))


def test_other_shapes_are_both_told(differs):
    ours, theirs = nn.Sequential(nn.Linear(4, 6), nn.Flatten(0)), nn.Sequential(nn.Linear(4, 6), nn.MaxPool1d(2))
    assert "torch.Size([12]) != torch.Size([2, 3])" in differs(ours, theirs, torch.randn(2, 4))


# --- weights


def test_all_weights_without_a_counterpart_are_named(baked):
    ours, theirs = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(4, 2)}), nn.ModuleDict({"c": nn.Linear(4, 3)})
    theirs.register_buffer("mask", torch.ones(7))
    rules = [("c.weight", "a.weight"), ("mask", "missing")]
    with pytest.raises(ValueError) as raised:
        baked.compare(ours, theirs, torch.randn(1, 3), rules=rules)
    for part in (
        'Missing key(s) in state_dict: "a.bias", "b.weight", "b.bias"',
        'Unexpected key(s) in state_dict: "missing"',
        "size mismatch for a.weight: copying a param with shape torch.Size([3, 4])",
        "Nothing uses these weights of the reference: c.bias",
    ):
        assert part in str(raised.value)


def test_what_is_left_out_on_purpose(baked):
    ours, theirs = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
    nn.init.zeros_(ours.bias)
    theirs.register_buffer("mask", torch.ones(7))
    baked.compare(ours, theirs, torch.randn(2, 3), rules=[("mask", None), (None, "bias"), ("weight", "weight")])


def test_weights_by_order_and_shape(baked, differs, capsys):
    class Network(nn.Module):
        def __init__(self, first, second):
            super().__init__()
            for name in (first, second):
                self.add_module(name, nn.Linear(4, 4))
            self.names, self.last = ("query", "key") if first in ("query", "key") else (first, second), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(getattr(self, self.names[1])(getattr(self, self.names[0])(x).tanh()))

    x = torch.randn(2, 4)
    baked.compare(Network("a", "b"), Network("query", "key"), x)
    told = capsys.readouterr().out
    assert '  ("query.weight", "a.weight")' in told and "last" not in told  # the only one of its shape
    # defined in another order than they are called, and so carried over crosswise
    assert '("key.weight", "a.weight")' in differs(Network("a", "b"), Network("key", "query"), x)


def test_two_of_theirs_in_one_of_ours(baked):
    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.k, self.v = nn.Linear(4, 2), nn.Linear(4, 3)

        def forward(self, x):
            return torch.cat([self.k(x), self.v(x)], -1)

    baked.compare(nn.Linear(4, 5), Apart(), torch.randn(2, 4), rules=[(["k.*", "v.*"], "*")])


def test_weights_tied_in_ours_alone(differs):
    ours = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    ours[1].weight = ours[0].weight
    theirs = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    assert "first in 0;" in differs(ours, theirs, torch.randn(2, 4))


# --- the ladder


class Official(nn.Module):
    """The skeleton's model as somebody else might write it."""

    def __init__(self, width=16):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width)
        self.fc = nn.Linear(32 * width, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(F.dropout(F.adaptive_max_pool2d(x, 4).flatten(1), 0.3, self.training))


RULES = [("conv1.*", "features.0.*"), ("bn1.*", "features.1.*"), ("conv2.*", "features.3.*"), ("bn2.*", "features.4.*")]
RULES += [("fc.*", "classifier.2.*")]
OFFICIAL = {
    "rules": RULES,
    "loss": F.cross_entropy,
    "metric": lambda logits, labels: (logits.argmax(-1) == labels).double().mean(),
    "optimizer": lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1),
    "scheduler": lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 4)),
}


def detach(module, args, output):
    return output.detach()


def planted_model(bug, **settings):
    model = importlib.import_module("laddered.model").PaperModel(**settings)
    if bug == "slope":
        model.features[5] = nn.LeakyReLU(1e-3)
    if bug == "detach":
        model.features[2].register_forward_hook(detach)
    if bug == "momentum":
        model.features[1].momentum = 0.01
    return model


def planted_metric():
    from torchmetrics import MetricCollection
    from torchmetrics.classification import MulticlassAccuracy

    return MetricCollection({"accuracy": MulticlassAccuracy(10, average="macro")})


class PlantedLoss(nn.Module):
    def forward(self, logits, labels):
        return {"loss": F.cross_entropy(logits, labels, reduction="sum")}


# what is planted in our configuration, the rung that must differ, and what it must name
BUGS = {
    "another activation": (
        "model",
        {"_target_": f"{__name__}.planted_model", "bug": "slope"},
        "forward",
        "classifier.2",
    ),
    "average over classes": ("metrics", {"_target_": f"{__name__}.planted_metric"}, "metric", "accuracy"),
    "sum instead of mean": ("loss", {"_target_": f"{__name__}.PlantedLoss"}, "loss", "loss"),
    "detached branch": (
        "model",
        {"_target_": f"{__name__}.planted_model", "bug": "detach"},
        "gradients",
        "features.1.bias",
    ),
    "coupled weight decay": ("optimizer", {"_target_": "torch.optim.Adam"}, "one step", "classifier.2.bias"),
    "other betas": ("optimizer", {"betas": [0.8, 0.999]}, "5 steps", "classifier.2.bias"),
    "shorter warm-up": ("scheduler", {"warmup_steps": 3}, "one step", "learning rate"),
    "schedule dropped": ("scheduler", {"warmup_steps": 0}, "one step", "learning rate"),
    "schedule that begins too late": ("scheduler", {"warmup_steps": 4, "frequency": 2}, "5 steps", "learning rate"),
    "momentum": ("model", {"_target_": f"{__name__}.planted_model", "bug": "momentum"}, "one step", "features.1."),
}
RUNGS = ["forward", "metric", "loss", "gradients", "one step", "5 steps"]


@pytest.fixture
def cfg(baked, tmp_path):
    import hydra

    with hydra.initialize_config_dir(str(baked.repo / "configs"), version_base="1.3"):
        cfg = hydra.compose("train", ["experiment=paper", "name=test", f"run.dir={tmp_path}", "results=null"])
    baked.building.prepare(cfg)
    cfg.optimizer = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 1e-3, "weight_decay": 0.1}
    cfg.scheduler.warmup_steps = 4
    return cfg


@pytest.fixture
def climb(baked, cfg):
    def climb(model, **parts):
        data = baked.building.build_data(cfg)
        data.setup("fit")
        baked.reference.climb(cfg, baked.reference.Reference(model, **parts), data)

    return climb


def verdicts(told: str) -> list[str]:
    return re.findall(rf"^  (?:{'|'.join(RUNGS)}) +(equal|differs|not compared|–)", told, flags=re.MULTILINE)


def test_another_implementation_climbs_the_ladder(climb, capsys):
    climb(Official(), **OFFICIAL)
    told = capsys.readouterr().out
    assert verdicts(told) == ["equal"] * 6 and "float64" in told and "float32" in told


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_stops_at_its_rung(climb, cfg, name):
    group, planted, rung, where = BUGS[name]
    cfg[group] = planted if group in ("loss", "metrics") else {**cfg[group], **planted}
    with pytest.raises(AssertionError) as raised:
        climb(Official(), **OFFICIAL)
    told = str(raised.value)
    assert told.startswith(f"{rung}: float64 differs, first in {where}"), told
    reached = RUNGS.index(rung)
    assert verdicts(told) == ["equal"] * reached + ["differs"] + ["not compared"] * (5 - reached)


class Reversed(nn.Conv2d):
    """The same sums in another order, and so with another rounding."""

    def forward(self, x):
        return F.conv2d(x.flip(1), self.weight.flip(1), self.bias, padding=self.padding)


def test_rounding_is_no_difference_on_any_rung(climb, capsys):
    """Though Adam makes whole steps of the rounding of a gradient that is zero: that of a bias before batch norm."""
    theirs = Official()
    theirs.conv2.__class__ = Reversed
    climb(theirs, **OFFICIAL, steps=20)
    numbers = re.findall(r"20 steps +equal +(\S+) +\S+ +(\S+) +(\S+)", capsys.readouterr().out)
    exact, rounded, allowed = map(float, numbers[0])
    assert 0 < exact < 1e-7 < 1e-4 < rounded < allowed


def test_a_module_alone_is_trained_by_our_parts(climb, cfg, capsys):
    climb(Official(), rules=RULES)
    assert verdicts(capsys.readouterr().out) == ["equal"] * 6


def test_tolerances_can_be_changed(climb, cfg):
    cfg.optimizer.lr = 1.0001e-3
    with pytest.raises(AssertionError, match="one step: float64 differs"):
        climb(Official(), **OFFICIAL)
    wide = {torch.float64: 1e-2, torch.float32: 1e-2}
    climb(Official(), **OFFICIAL, tolerance={"one step": wide, "k steps": wide}, steps=2)


def test_a_recorded_reference_climbs_to_the_gradients(baked, climb, cfg, tmp_path, capsys):
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(9, 1, 8, 8, generator=generator), torch.randint(10, (9,), generator=generator)
    for model, name in ((Official(), "reference.npz"), (Official().double(), "double.npz")):
        inputs = images.to(model.fc.weight.dtype)
        baked.record(tmp_path / name, model, inputs, targets=labels, loss=F.cross_entropy)
        climb(tmp_path / name, rules=RULES)
        told = capsys.readouterr().out
        assert verdicts(told) == ["equal", "–", "equal", "equal", "–", "–"] and str(inputs.dtype)[6:] in told
    cfg.loss = {"_target_": f"{__name__}.PlantedLoss"}
    with pytest.raises(AssertionError, match="loss: float64 differs"):
        climb(tmp_path / "double.npz", rules=RULES)
    cfg.model = {**cfg.model, "_target_": f"{__name__}.planted_model", "bug": "slope"}
    with pytest.raises(AssertionError, match=r"forward: float64 differs, first in classifier\.2 \(fc of the reference"):
        climb(tmp_path / "double.npz", rules=RULES)


# --- from a file


def test_a_recorded_layer(baked, differs, tmp_path):
    theirs = nn.TransformerEncoderLayer(16, 4, 64, 0.1, activation="gelu", batch_first=True, norm_first=True)
    state = torch.get_rng_state()
    baked.record(tmp_path / "reference.npz", theirs, torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0)))
    assert theirs.training and torch.equal(state, torch.get_rng_state())
    baked.compare(Block(baked.attention), tmp_path / "reference.npz", rules=ENCODER_LAYER)
    told = differs(Block(baked.attention, eps=1e-2), tmp_path / "reference.npz", rules=ENCODER_LAYER)
    assert "first in norms.0 (norm1 of the reference)" in told


def test_a_file_cannot_run_code(baked, tmp_path):
    class Hostile:
        def __reduce__(self):
            return Path(tmp_path / "ran").touch, ()

    np.savez(tmp_path / "objects.npz", **{"outputs/0": np.array([Hostile()], dtype=object)})
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Hostile()))
    for name in ("objects", "pickle"):
        with pytest.raises(ValueError, match="pickle"):
            baked.compare(nn.Linear(3, 3), tmp_path / f"{name}.npz")
    assert not (tmp_path / "ran").exists()


def test_a_file_without_weights_leaves_none_of_ours_alone(baked, tmp_path):
    x, model = torch.randn(2, 3), nn.Linear(3, 3)
    arrays = {"inputs/0": x, "outputs/0": model(x)}
    np.savez(tmp_path / "reference.npz", **{name: array.detach().numpy() for name, array in arrays.items()})
    with pytest.raises(ValueError, match=r'Missing key\(s\) in state_dict: "weight", "bias"'):
        baked.compare(model, tmp_path / "reference.npz")
    baked.compare(model, tmp_path / "reference.npz", rules=[(None, "*")])


def test_the_recorder_stands_alone():
    text = RECORDER.read_text()
    imported = [node for node in ast.walk(ast.parse(text, feature_version=(3, 7))) if isinstance(node, ast.Import)]
    assert {name.name for node in imported for name in node.names} == {"numpy", "torch"}
    assert "from " not in re.sub('""".*?"""', "", text, flags=re.DOTALL)


# --- in a repository


def test_without_a_reference_it_is_left_to_do(repo):
    done = run("pytest", "-rs", "tests/test_reference.py", cwd=repo).stdout
    assert re.search(r"^SKIPPED .*: there is no reference to compare with$", done, flags=re.MULTILINE), done
    assert "  tests/test_reference.py:" in run("python", "report.py", cwd=repo).stdout
    path = repo / "tests/test_reference.py"
    text = path.read_text()
    assert text.count("return None  # TODO(paper)") == 1
    filled = "from my_paper.model import PaperModel\n\n    return Reference(PaperModel(1, 16, 10))  # by nobody else"
    path.write_text(text.replace("return None  # TODO(paper)", filled))
    assert "1 passed" in run("pytest", "tests/test_reference.py", cwd=repo).stdout
    assert "tests/test_reference.py:" not in run("python", "report.py", cwd=repo).stdout
