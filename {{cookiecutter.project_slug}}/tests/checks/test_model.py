"""What holds of any model and loss, on a batch of the paper's data: through the configuration, before any training."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from conftest import fit
from lightning import Callback
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning_utilities.core.apply_func import apply_to_collection
from omegaconf import OmegaConf
from splits import tensors
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from {{ cookiecutter.package_name }}.harness.identity import ROOT
from {{ cookiecutter.package_name }}.harness.training.build import build_data, build_procedure, build_trainer

QUIET = {"enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu", "devices": 1}


@contextmanager
def in_float64() -> Iterator[None]:
    """What is made without a dtype is of float64, such as noise that is drawn."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Called:
    """The model as ``PaperProcedure.step`` calls it first for a batch, in float64 where it can be.

    Args:
        cfg: the configuration.
        batch: of the training split.
    """

    def __init__(self, cfg, batch):
        procedure, seen = build_procedure(cfg), []
        hook = procedure.model.register_forward_pre_hook(lambda _, *given: seen.append(given), with_kwargs=True)
        procedure.step(batch, procedure.train_metrics)
        hook.remove()
        if not seen:
            pytest.skip("PaperProcedure.step does not call the model")
        # built anew, since a model may keep what it was called with
        self.model, self.inputs, self.noise = build_procedure(cfg).model.double(), double(seen[0]), 1e-9
        self.samples = next((leaf.shape[0] for leaf in tensors(self.inputs) if leaf.dim()), 1)
        try:
            float32 = any(output.dtype == torch.float32 for output in self())
        except RuntimeError:
            float32 = True
        if float32:  # the model insists on it
            self.model, self.inputs, self.noise = build_procedure(cfg).model, seen[0], 1e-4

    def __call__(self, inputs=None, seed: int = 0) -> list[Tensor]:
        """The outputs, with the same random numbers each time."""
        torch.manual_seed(seed)
        args, kwargs = inputs or self.inputs
        with in_float64() if self.noise < 1e-6 else nullcontext():
            outputs = self.model(*args, **kwargs)
        return [output.detach() for output in tensors(outputs) if output.is_floating_point()]

    def replaced(self, change) -> tuple:
        """The inputs, with ``change`` applied to each tensor that has a row for each sample."""
        per_sample = lambda leaf: leaf.dim() > 0 and leaf.shape[0] == self.samples  # noqa: E731
        return apply_to_collection(
            self.inputs, Tensor, lambda leaf: change(leaf.detach().clone()) if per_sample(leaf) else leaf
        )


def double(tree):
    """Each tensor of real numbers in float64, and without a past."""
    return apply_to_collection(tree, Tensor, lambda t: t.detach().double() if t.is_floating_point() else t)


def difference(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """The largest difference of each sample's outputs, (B,), as a share of the largest output."""
    scale = max(output.abs().max() for output in one)
    changes = [
        (a - b).abs().flatten(1).amax(1) if a.dim() > 1 else (a - b).abs() for a, b in zip(one, other, strict=True)
    ]
    return torch.stack(changes).amax(0) / scale


@pytest.fixture
def batch(data):
    torch.manual_seed(0)
    return next(iter(data.train_dataloader()))


@pytest.fixture
def validated(data) -> None:
    if not is_overridden("val_dataloader", data):
        pytest.skip("the paper has no validation split")


@pytest.fixture
def called(cfg, batch) -> Called:
    return Called(cfg, batch)


@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_a_sample_depends_on_no_other(called, fact, mode):
    """Nothing leaks over the batch dimension; where it is meant, ``facts.batch_interaction`` says so."""
    if fact("batch_interaction") == "any" or (mode == "training" and fact("batch_interaction") == "batch_norm"):
        pytest.skip(f"facts.batch_interaction={fact('batch_interaction')}")
    called.model.train(mode == "training")
    one = called()
    if called.samples < 2 or any(output.dim() == 0 or output.shape[0] != called.samples for output in one):
        pytest.skip("the model's outputs are not one for each sample")

    def first_is_another(leaf: Tensor) -> Tensor:
        leaf[0] = leaf[-1]
        return leaf

    change = difference(one, called(called.replaced(first_is_another)))
    statistics = sorted({type(m).__name__ for m in called.model.modules() if isinstance(m, _BatchNorm)})
    why = (
        f"; {', '.join(statistics)}? Then facts.batch_interaction: batch_norm"
        if mode == "training" and statistics
        else ""
    )
    why = why or "; where the paper means it, facts.batch_interaction: any"
    assert change[1:].max() < called.noise, f"in {mode}, a sample's output depends on another sample of the batch{why}"


def test_the_output_depends_on_the_input(called):
    called.model.eval()
    one, other = called(), called(called.replaced(lambda leaf: leaf.roll(1, 0)))
    if called.samples < 2 or all(torch.equal(leaf, leaf.roll(1, 0)) for leaf in tensors(called.inputs) if leaf.dim()):
        pytest.skip("the batch has no two different samples")
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True)), "the model does not see its input"


def test_no_position_sees_a_later_one(called, fact):
    """Where ``facts.causal`` says so: outputs before a position do not depend on its input, and that at it does."""
    if not fact("causal"):
        pytest.skip("facts.causal: false")
    torch.manual_seed(0)
    for parameter in called.model.parameters():  # at its beginning, a model may say next to nothing
        parameter.data += 0.1 * torch.randn_like(parameter)
    called.model.eval()
    length = max(leaf.shape[1] for leaf in tensors(called.inputs) if leaf.dim() > 1)
    one = called()
    for position in sorted({1, length // 2, length - 1}):
        differs = []

        def another(leaf: Tensor, position: int = position, differs: list = differs) -> Tensor:
            if leaf.dim() > 1 and leaf.shape[1] == length:
                before = leaf[:, position].clone()
                leaf[:, position] = before.roll(1, 0)
                differs.append(
                    (leaf[:, position] != before).flatten(1).any(1) if before.dim() > 1 else leaf[:, position] != before
                )
            return leaf

        other = called(called.replaced(another))
        changed = torch.stack(differs).any(0)
        for a, b in zip(one, other, strict=True):
            change = (a - b).abs().flatten(2).amax(2)  # (B, T, …) -> (B, T)
            assert change[:, :position].max() < called.noise, (
                f"outputs before position {position} depend on its input; a model that may: facts.causal: false"
            )
            assert (change[changed, position] > 0).all(), (
                f"the output at position {position} does not depend on its input"
            )


def test_evaluation_is_deterministic(called, fact):
    """Neither dropout nor new statistics of a batch norm; ``facts.stochastic_inference: true`` where the paper's model draws."""
    if fact("stochastic_inference"):
        pytest.skip("facts.stochastic_inference: true")
    called.model.eval()
    before = {name: buffer.clone() for name, buffer in called.model.named_buffers()}
    same = all(torch.equal(a, b) for a, b in zip(called(seed=0), called(seed=1), strict=True))
    assert same, (
        "in evaluation the model draws random numbers: F.dropout without training=self.training? Where the paper's model "
        "draws, facts.stochastic_inference: true"
    )
    moved = [name for name, buffer in called.model.named_buffers() if not torch.equal(buffer, before[name])]
    assert not moved, f"changed by an evaluation: {moved}"


def test_dropout_drops_in_training(called):
    if not any(module.p > 0 for module in called.model.modules() if isinstance(module, nn.modules.dropout._DropoutNd)):
        pytest.skip("the model has no dropout")
    called.model.train()
    assert any(not torch.equal(a, b) for a, b in zip(called(seed=0), called(seed=1), strict=True)), (
        "the model has a dropout that drops nothing in training"
    )


def test_measuring_leaves_the_model_alone(cfg, data, validated, fact):
    """Validation is in evaluation mode, and changes no weight and no statistic."""
    modes = []

    class Mode(Callback):
        def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx):
            modes.append(pl_module.model.training)

    procedure = build_procedure(cfg)
    before = {name: value.clone() for name, value in procedure.model.state_dict().items()}
    build_trainer(cfg, [Mode()], limit_val_batches=2, **QUIET).validate(procedure, data, verbose=False)
    moved = [name for name, value in procedure.model.state_dict().items() if not torch.equal(value, before[name])]
    assert not moved, f"changed by a validation: {moved}"
    assert fact("stochastic_inference") or not any(modes), "validation measures the model in training mode"


def test_size_is_as_stated(called, fact):
    """``facts.parameters``, to the digits that are given: 65_000_000 also stands for 65,049,600."""
    stated, found = fact("parameters"), sum(p.numel() for p in called.model.parameters() if p.requires_grad)
    assert as_written(found, stated), f"{found:,} trained parameters; the paper states {stated:,}"


def test_operations_are_as_stated(called, fact):
    stated = fact("flops")
    called.model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        called(called.replaced(lambda leaf: leaf[:1]))
    found = counter.get_total_flops()
    assert as_written(found, stated), f"{found:,} operations for one sample; the paper states {stated:,}"


def as_written(found: int, stated: float) -> bool:
    """Whether ``found`` rounds to ``stated``, at the last digit of it that is not zero."""
    digits = len(str(int(stated)).rstrip("0"))
    return f"{found:.{digits - 1}e}" == f"{stated:.{digits - 1}e}"


def loss_of(cfg, batch, seed: int = 0) -> dict[str, float]:
    procedure = build_procedure(cfg).eval()
    torch.manual_seed(seed)
    return {name: term.item() for name, term in procedure.step(batch, procedure.val_metrics).items()}


def test_terms_of_the_loss_are_finite(cfg, batch):
    for name, term in loss_of(cfg, batch).items():
        assert math.isfinite(term), f"{name} is {term} on the first batch of an untrained model"


def test_the_loss_is_the_sum_of_its_terms(cfg, batch, fact):
    """With the weights that ``facts.loss`` states: {reconstruction: 1, kl: 0.1}."""
    weights, terms = OmegaConf.to_container(fact("loss"), resolve=True), loss_of(cfg, batch)
    missing = weights.keys() - terms.keys()
    assert not missing, f"PaperLoss gives {sorted(terms)}, and not {sorted(missing)}"
    total = sum(weight * terms[name] for name, weight in weights.items())
    assert terms["loss"] == pytest.approx(total, rel=1e-4), f"of {terms} with the weights {weights}"


def test_the_loss_is_a_mean_over_samples(cfg, batch, fact):
    """So that the learning rate does not depend on the batch size; ``facts.reduction: sum`` where the paper sums."""
    if fact("reduction") != "mean":
        pytest.skip(f"facts.reduction: {fact('reduction')}")
    samples = next((leaf.shape[0] for leaf in tensors(batch) if leaf.dim()), 1)
    twice = apply_to_collection(
        batch, Tensor, lambda leaf: torch.cat([leaf, leaf]) if leaf.shape[:1] == (samples,) else leaf
    )
    one, other = loss_of(cfg, batch)["loss"], loss_of(cfg, twice)["loss"]
    assert other != pytest.approx(2 * one, rel=1e-2), (
        "twice the samples, twice the loss. Where the paper sums: facts.reduction: sum"
    )


def test_metrics_begin_anew(cfg, batch):
    """Reset, they know nothing of what they were updated with before."""
    procedure, values = build_procedure(cfg).eval(), []
    for seed in (1, 0, 0):
        procedure.val_metrics.reset()
        torch.manual_seed(seed)
        other = apply_to_collection(batch, Tensor, lambda t: t[: max(1, len(t) // 3)] if t.dim() else t)
        procedure.step(other if seed else batch, procedure.val_metrics)
        if not any(metric.update_called for metric in procedure.val_metrics.values()):
            pytest.skip("PaperProcedure.step updates no metric")
        values.append(procedure.val_metrics.compute())
    for name, value in values[1].items():
        assert torch.equal(value, values[2][name]), f"{name} remembers what came before its reset"


def test_gradient_is_that_of_the_loss(cfg, batch, fact):
    """By finite differences along a random direction: nothing is detached between the weights and the loss.

    ``facts.stop_gradient: true`` where the paper does so, as with target networks or straight-through estimators.
    """
    if fact("stop_gradient"):
        pytest.skip("facts.stop_gradient: true")
    procedure, batch = build_procedure(cfg).double(), double(batch)
    trained = [parameter for parameter in procedure.model.parameters() if parameter.requires_grad]
    directions = [torch.randn_like(parameter) for parameter in trained]

    def loss_after(step: float) -> Tensor:
        for parameter, direction in zip(trained, directions, strict=True):
            parameter.data += step * direction
        torch.manual_seed(0)
        with in_float64():
            return procedure.step(batch, procedure.train_metrics)["loss"]

    try:
        here = loss_after(0.0)
    except RuntimeError as error:
        pytest.skip(f"the loss is not computed in float64: {str(error).splitlines()[0]}")
    gradients = torch.autograd.grad(here, trained, materialize_grads=True)
    slope = sum((g * direction).sum().item() for g, direction in zip(gradients, directions, strict=True))
    tolerance = 1e-5 * math.sqrt(sum(g.square().sum().item() for g in gradients))
    ahead, behind = loss_after(1e-8).item(), loss_after(-2e-8).item()
    sides = [(ahead - here.item()) / 1e-8, (here.item() - behind) / 1e-8]
    if pytest.approx(slope, abs=tolerance) not in sides:  # a ReLU may have its kink on one
        if abs(sides[0] - sides[1]) > 10 * tolerance:
            pytest.skip("the loss is not smooth here, or not computed in float64")
        raise AssertionError(
            f"the gradient says that the loss rises by {slope:.4g}, and it does by {sides[0]:.4g}: something between the "
            "weights and the loss is detached. Where the paper stops gradients: facts.stop_gradient: true"
        )


def test_loss_at_initialisation(cfg, data, validated, fact):
    """An untrained model knows nothing: ``facts.initial_loss``, such as log K for K classes."""
    procedure = build_procedure(cfg).eval()
    with torch.no_grad():
        batches = itertools.islice(data.val_dataloader(), 20)
        losses = [procedure.step(batch, procedure.val_metrics)["loss"] for batch in batches]
    assert torch.stack(losses).mean().item() == pytest.approx(fact("initial_loss"), rel=0.2)


def test_what_is_learned_holds_on_validation(cfg, validated, fact):
    """After ``facts.learns_within_steps`` steps, validation is better than untrained: inputs and targets belong together."""
    steps = fact("learns_within_steps")
    before, after = validation_loss(cfg, 0), validation_loss(cfg, steps)
    assert after < 0.9 * before, f"in {steps} steps val/loss went from {before:.3g} only to {after:.3g}"


def test_shuffled_labels_teach_nothing(cfg, batch, validated, fact):
    """What is measured must come from the labels: trained on shuffled ones, validation is no better than untrained."""
    fact("classes")
    steps = fact("learns_within_steps")
    if loss_of(cfg, batch)["loss"] == loss_of(cfg, shuffled(batch))["loss"]:
        pytest.skip("labels do not enter the loss")
    before, after = validation_loss(cfg, 0), validation_loss(cfg, steps, shuffled)
    assert after > 0.9 * before, f"trained on shuffled labels, val/loss went from {before:.3g} to {after:.3g}"


def shuffled(batch):
    """The batch, its labels (B,) in another order."""
    samples = next(leaf.shape[0] for leaf in tensors(batch) if leaf.dim())
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(0))
    is_labels = lambda leaf: leaf.shape == (samples,) and not leaf.is_floating_point()  # noqa: E731
    return apply_to_collection(batch, Tensor, lambda leaf: leaf[order] if is_labels(leaf) else leaf)


def validation_loss(cfg, steps: int, change=None) -> float:
    cfg = cfg.copy()
    cfg.scheduler = OmegaConf.load(ROOT / "configs/scheduler/constant.yaml")  # a warm-up may be longer
    data = build_data(cfg)
    if change:
        loader = data.train_dataloader
        data.train_dataloader = lambda: DataLoader([change(batch) for batch in loader()], batch_size=None, shuffle=True)
    procedure = fit(cfg, steps, data=data).lightning_module if steps else build_procedure(cfg)
    (logged,) = build_trainer(cfg, limit_val_batches=20, **QUIET).validate(procedure, build_data(cfg), verbose=False)
    return logged["val/loss"]
