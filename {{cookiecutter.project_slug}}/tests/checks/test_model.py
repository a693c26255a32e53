"""What holds for any model, on a batch of the paper's data."""

import itertools
import sys
from contextlib import nullcontext
from functools import partial
from inspect import isfunction

import pytest
import torch
from conftest import QUIET, build_procedure, evaluate, perturb, precision_plugin, same, skip_if_refused
from hydra.utils import instantiate
from lightning.pytorch.plugins import Precision
from splits import change_rows, has_rows, number_of_samples, require_rows, tensors
from torch import Tensor, nn
from torch._C._functorch import is_batchedtensor
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from {{ cookiecutter.package_name }}.harness.identity import PACKAGE
from {{ cookiecutter.package_name }}.harness.training.build import build_trainer


class CalledModel:
    """The model with the inputs that ``PaperProcedure.step`` gives it for a batch, in float64 if possible.

    Where ``step`` does not call ``forward``, that is the first method that it calls with tensors, such as ``log_prob``.

    Args:
        cfg: the configuration.
        batch: of the training split.
    """

    def __init__(self, cfg, batch):
        procedure, seen = build_procedure(cfg), []
        note(procedure.model, seen)
        procedure.step(batch, procedure.train_metrics)
        calls = [call for call in seen if tensors(call[1:])]
        if not calls:
            pytest.skip("PaperProcedure.step calls no method of PaperModel with tensors")
        method, *given = min(calls, key=lambda call: call[0] != "forward")

        def build() -> nn.Module:  # a new model, since a model may keep its inputs
            model = build_procedure(cfg).model
            model.forward = getattr(model, method)
            return model

        self.model, self.inputs, self.noise, self.precision = build(), tuple(given), 1e-4, Precision()
        with skip_if_refused("the model, called by itself,"):  # with inputs of a call inside torch.vmap, for example
            if not self():
                pytest.skip("the model returns no tensors of real numbers")
        self.samples = number_of_samples(self.inputs) if has_rows(self.inputs) else 0
        if has_rows(batch) and self.samples % number_of_samples(batch):
            self.samples = 0  # another dimension comes first, such as time or the members of an ensemble
        float32 = vars(self).copy()
        self.precision, self.noise = precision_plugin("64-true"), 1e-9
        self.model = self.precision.convert_module(build())
        self.inputs = self.precision.convert_input(self.inputs)
        try:
            supported = all(output.dtype == torch.float64 for output in self())
        except RuntimeError:
            supported = False
        if not supported:
            vars(self).update(float32)

    def __call__(self, inputs=None, seed: int = 0) -> list[Tensor]:
        """The outputs, with the same random numbers for the same seed, and the buffers as they were before training moved any."""
        torch.manual_seed(seed)
        buffers = {name: x.clone() for name, x in self.model.named_buffers()} if self.model.training else {}
        refused = skip_if_refused("a changed sample") if inputs else nullcontext()  # as of those sorted by length
        with refused, self.precision.forward_context():
            outputs = functional_call(self.model, buffers, *(inputs or self.inputs))
        return [output.detach() for output in tensors(outputs) if output.is_floating_point()]

    def changed(self, change) -> tuple:
        """The inputs, with ``change`` applied to each tensor that has one row per sample."""
        if not self.samples:
            pytest.skip("the inputs of the model do not each have one row per sample")
        return change_rows(self.inputs, lambda leaf: change(leaf.detach().clone()), self.samples)


def note(model: nn.Module, seen: list[tuple]) -> None:
    """Note the calls of the model's own methods: each name, and what it was given."""

    def noted(name: str, method, *given, **named):
        seen.append((name, given, named))
        return method(*given, **named)

    for name in {*dir(type(model))} - {*dir(nn.Module)} | {"forward"}:
        if isfunction(getattr(type(model), name)):
            setattr(model, name, partial(noted, name, getattr(model, name)))


def difference(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """The largest difference in each sample's outputs (B,), relative to the largest output."""
    scale = max(output.abs().max() for output in one).clamp(min=torch.finfo(torch.float32).tiny)
    changes = [(a - b).abs().reshape(len(a), -1).amax(1) for a, b in zip(one, other, strict=True)]
    return torch.stack(changes).amax(0) / scale


@pytest.fixture
def called(cfg, batch, untrained) -> CalledModel:
    return CalledModel(cfg, batch)


@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_a_sample_depends_on_no_other(called, fact, mode):
    """Samples of a batch do not interact, except as ``facts.batch_interaction`` states."""
    fact("batch_interaction", "any", *(["batch_norm"] if mode == "training" else []))
    called.model.train(mode == "training")
    one = called()
    if called.samples < 2 or any(output.dim() == 0 or output.shape[0] != called.samples for output in one):
        pytest.skip("the model does not give one output per sample")

    def replace_first(leaf: Tensor) -> Tensor:
        leaf[0] = leaf[-1]
        return leaf

    change = difference(one, called(called.changed(replace_first)))
    has_batch_norm = mode == "training" and any(isinstance(m, _BatchNorm) for m in called.model.modules())
    assert change[1:].max() < called.noise, (
        f"in {mode}, a sample's output depends on another sample. If the paper's model does so, set facts.batch_interaction to "
        f"{'batch_norm' if has_batch_norm else 'any'}"
    )
    if mode == "evaluation" and not difference(one, called(seed=1)).any():  # nothing is drawn for each place
        rolled = called(called.changed(lambda leaf: leaf.roll(1, 0)))
        moved = difference([output.roll(1, 0) for output in one], rolled).max()
        assert moved < called.noise, "a sample's output depends on its place: an encoding or a state has the batch axis"


def test_step_keeps_samples_apart(untrained, batch, fact):
    """In evaluation, what ``PaperProcedure.step`` gives the model of one sample depends on no other."""
    fact("batch_interaction", "any")
    samples, given = require_rows(batch), []
    if samples < 4:
        pytest.skip("a batch has hardly a sample")
    untrained.model.register_forward_pre_hook(lambda _, *call: given.append(tensors(call)), with_kwargs=True)
    larger = change_rows(batch, lambda x: torch.cat([4 * x[:1], x[1:]]) if x.is_floating_point() else x, samples)
    for one in (batch, larger):
        torch.manual_seed(0)
        given.append([])
        with skip_if_refused("a larger sample"):
            evaluate(untrained, one)
    calls = len(given) // 2
    for a, b in zip(itertools.chain(*given[:calls]), itertools.chain(*given[calls:]), strict=False):
        if a.dim() > 1 and a.shape == b.shape and len(a) % samples == 0 and not is_batchedtensor(a):
            changed = (~a.double().isclose(b.double(), rtol=1e-3, equal_nan=True)).flatten(1).any(1).sum().item()
            assert changed <= len(a) // samples, (
                f"in evaluation, {changed} of the model's {len(a)} inputs change with one sample of the batch. If the paper mixes "
                "or scales them by the batch, set facts.batch_interaction to any"
            )


def test_dropout_is_as_stated(cfg, fact):
    """``facts.dropout`` is the share that is dropped: 0.1, or [0.1, 0.5] if layers differ."""
    stated, modules = fact("dropout"), build_procedure(cfg).model.modules()
    found = {m.p if isinstance(m, nn.modules.dropout._DropoutNd) else getattr(m, "dropout", 0.0) for m in modules}
    found = sorted(p for p in found if isinstance(p, float) and p > 0)
    assert found == pytest.approx(sorted(stated if isinstance(stated, list) else filter(None, [stated]))), (
        f"the model drops {found}, the paper states {stated}. Some papers and libraries state the share that is kept"
    )


def test_no_position_sees_a_later_one(called, fact):
    """If ``facts.causal`` is true, a position changes the outputs at itself and later, and none before."""
    fact("causal", False)
    called.model.eval()
    perturb(called.model)
    length = max(leaf.shape[1] for leaf in tensors(called.inputs) if leaf.dim() > 1)
    one = called()
    for position in sorted({1, length // 2, length - 1}):
        differs = []

        def exchange(leaf: Tensor, position: int = position, differs: list = differs) -> Tensor:
            if leaf.dim() > 1 and leaf.shape[1] == length:
                before = leaf[:, position].clone()
                leaf[:, position] = before.roll(1, 0)
                differs.append((leaf[:, position] != before).reshape(len(leaf), -1).any(1))
            return leaf

        other = called(called.changed(exchange))
        changed = torch.stack(differs).any(0)
        for a, b in zip(one, other, strict=True):
            change = (a - b).abs().reshape(*a.shape[:2], -1).amax(2)  # (B, T, …) -> (B, T)
            assert change[:, :position].max() < called.noise, f"outputs before position {position} depend on its input"
            assert (change[changed, position] > 0).all(), f"the output at position {position} ignores its input"


def test_evaluation_is_deterministic(called, fact):
    """Evaluation draws no random numbers, unless ``facts.stochastic_inference`` is true."""
    fact("stochastic_inference", True)
    called.model.eval()
    assert same(called(seed=0), called(seed=1)), (
        "in evaluation mode, the model draws random numbers. Does F.dropout lack training=self.training? If the paper's model "
        "draws, set facts.stochastic_inference to true"
    )


def test_dropout_drops_in_training(called):
    if not any(module.p > 0 for module in called.model.modules() if isinstance(module, nn.modules.dropout._DropoutNd)):
        pytest.skip("the model has no dropout")
    called.model.train()
    assert not same(called(seed=0), called(seed=1)), "the model has dropout, but it drops nothing in training"


def test_measuring_leaves_the_model_alone(cfg, data, needs_evaluation_data):
    """Validation changes no weight and no statistic."""
    procedure = build_procedure(cfg)
    before = {name: value.clone() for name, value in procedure.model.state_dict().items()}
    build_trainer(cfg, limit_val_batches=2, **QUIET).validate(procedure, data, verbose=False)
    moved = [name for name, value in procedure.model.state_dict().items() if not torch.equal(value, before[name])]
    assert not moved, f"a validation changes {moved}. Is the model in training mode there?"


def test_formulas_are_as_stated(cfg, data, fact):
    """``facts.values``, such as {"loss(torch.zeros(1, 10), torch.tensor([3]))['loss']": 2.3026}."""
    procedure = build_procedure(cfg).eval()
    names = {"model": procedure.model, "loss": procedure.loss, "metrics": instantiate(cfg.get("metrics"))}
    names |= {"procedure": procedure, "data": data, "torch": torch, PACKAGE.name: sys.modules[PACKAGE.name]}
    for formula, stated in fact("values").items():
        torch.manual_seed(0)
        found = torch.as_tensor(eval(formula, names)).double().detach()
        assert torch.allclose(found, torch.tensor(stated).double(), rtol=1e-3, atol=1e-6), (
            f"{found.tolist()} instead of the {stated} that facts.values states of {formula}"
        )


def test_size_is_as_stated(cfg, fact):
    """``facts.parameters``, to its precision: 65_000_000 also stands for 65,049,600."""
    model = build_procedure(cfg).model
    stated, found = fact("parameters"), sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert rounds_to(found, stated), f"the model has {found:,} trained parameters, the paper states {stated:,}"


def test_operations_are_as_stated(called, fact):
    stated = fact("flops")
    called.model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        called(called.changed(lambda leaf: leaf[:1]))
    found = counter.get_total_flops()
    assert rounds_to(found, stated), f"the model takes {found:,} operations for a sample, the paper states {stated:,}"


def rounds_to(found: int, stated: float) -> bool:
    """Whether ``found`` rounds to ``stated`` at its last digit that is not zero."""
    digits = max(1, len(str(int(stated)).rstrip("0")))
    return f"{found:.{digits - 1}e}" == f"{stated:.{digits - 1}e}"
