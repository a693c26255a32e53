"""What holds for any loss, on a batch of the paper's data."""

import itertools
import math

import pytest
import torch
from conftest import Draws, as_given, build_procedure, loss_of, perturb
from lightning_utilities.core.apply_func import apply_to_collection
from splits import change_rows, default_float64, double, require_rows, tensors
from torch import Tensor

from {{ cookiecutter.package_name }}.harness.procedure import Procedure

COMPARED = "Is a softmax or sum taken over samples? If the paper does so, set facts.batch_interaction to any"


def test_the_loss_is_the_sum_of_its_terms(cfg, batch, evaluated, fact):
    """With the weights that ``facts.loss`` states, such as {reconstruction: 1, kl: 0.1}."""
    weights, terms = fact("loss"), loss_of(cfg, batch)
    missing = weights.keys() - terms.keys()
    assert not missing, f"PaperLoss returns {sorted(terms)}, but facts.loss names {sorted(missing)}"
    total = sum(weight * terms[name] for name, weight in weights.items())
    assert terms["loss"] == pytest.approx(total, rel=1e-4), f"the terms are {terms}, their weights {weights}"


def test_the_loss_is_a_mean_over_samples(cfg, batch, evaluated, facts, fact):
    """So that the learning rate does not depend on the batch size, unless ``facts.reduction`` is sum."""
    if fact("reduction") != "mean":
        pytest.skip(f"facts.reduction is {fact('reduction')}")
    samples, procedure, outputs = require_rows(batch), build_procedure(cfg).eval(), []
    procedure.model.register_forward_hook(lambda module, args, found: outputs.extend(tensors(found)))

    def terms(change) -> dict[str, float]:
        found = procedure.step(change_rows(batch, change, samples), procedure.val_metrics)
        return {name: found[name].item() for name in {"loss", *(facts["loss"] or {})} & found.keys()}

    with Draws() as draws:
        one = terms(lambda leaf: leaf)
    two = terms(lambda leaf: torch.cat([leaf, leaf]))
    assert two["loss"] != pytest.approx(2 * one["loss"], rel=1e-2), (
        "twice the samples give twice the loss. If the paper sums over samples, set facts.reduction to sum"
    )
    classified = any(output.shape[:2] == (samples, facts["classes"]) for output in outputs)
    if draws.found or not (facts["batch_interaction"] == "none" or classified):
        return  # the samples of a batch may be compared with each other
    for name in one:
        assert two[name] == pytest.approx(one[name], rel=0.05, abs=1e-7), (
            f"with each sample twice, {name} is {two[name]:.4g} instead of {one[name]:.4g}. {COMPARED}"
        )
    if not classified or samples < 8:
        return  # such as a baseline of rewards, which is the mean over a batch
    perturb(procedure.model)
    whole = terms(lambda leaf: leaf[:8])["loss"]
    try:
        each = [terms(lambda leaf, i=i: leaf[i : i + 1])["loss"] for i in range(8)]
    except (RuntimeError, ValueError, IndexError) as error:
        pytest.skip(f"the loss of a single sample is refused: {str(error).splitlines()[0]}")
    slack = 0.02 * max(map(abs, each)) + 1e-6
    assert math.isnan(sum(each)) or min(each) - slack < whole < max(each) + slack, (  # NaN: a covariance of one sample
        f"the loss of eight samples is {whole:.4g}, that of each of them {min(each):.4g} to {max(each):.4g}. {COMPARED}"
    )


def test_features_are_reduced_as_stated(cfg, batch, evaluated, fact):
    """``facts.over_features``: {reconstruction: sum, kl: sum} for terms of the loss, or mean."""
    stated, procedure, taken = fact("over_features"), build_procedure(cfg).eval(), []
    procedure.loss.register_forward_pre_hook(lambda _, *call: taken.append(call), with_kwargs=True)
    one = procedure.step(batch, procedure.val_metrics)
    args, kwargs = apply_to_collection(taken[0], Tensor, lambda x: torch.cat([x, x], 1) if x.dim() > 1 else x)
    two = procedure.loss(*args, **kwargs)  # (B, D, …) -> (B, 2 · D, …)
    for name, reduction in stated.items():
        share = (two[name] / one[name]).item()
        assert share == pytest.approx({"mean": 1, "sum": 2}[reduction], rel=1e-3), (
            f"with each feature twice, {name} is {share:.3g} times as large, so it is no {reduction} over them"
        )


def test_each_position_predicts_the_next_one(cfg, batch, evaluated, fact):
    """If ``facts.causal`` is true and the targets are the inputs, the data or the loss shift them, by one in all."""
    if not fact("causal"):
        pytest.skip("facts.causal is false")
    procedure, given, taken = build_procedure(cfg).eval(), [], []
    if procedure.loss is None:
        pytest.skip("the paper has no loss module")
    procedure.model.register_forward_pre_hook(lambda _, *call: given.extend(tensors(call)), with_kwargs=True)
    procedure.loss.register_forward_pre_hook(lambda _, *call: taken.append(call), with_kwargs=True)
    procedure.step(batch, procedure.val_metrics)
    is_tokens = lambda x: x.dim() == 2 and x.shape[1] > 4 and not x.is_floating_point()  # noqa: E731
    inputs = next(filter(is_tokens, given), None)
    targets = next(filter(is_tokens, tensors(taken)), None)
    outputs = next((x for x in tensors(taken) if x.requires_grad and x.dim() > 2), None)
    if inputs is None or targets is None or outputs is None or len(inputs) != len(targets):
        pytest.skip("model and loss are not given tokens (B, T)")
    leaf, middle = outputs.detach().requires_grad_(), targets.shape[1] // 2
    moved = targets.clone()
    moved[:, middle] = moved[:, middle].roll(1)

    def gradient(targets_now: Tensor) -> Tensor:
        parts = {id(outputs): leaf, id(targets): targets_now}
        args, kwargs = apply_to_collection(taken[0], Tensor, lambda x: parts.get(id(x), x))
        return torch.autograd.grad(procedure.loss(*args, **kwargs)["loss"], leaf)[0]

    change = (gradient(targets) - gradient(moved)).abs().amax((0, *range(2, leaf.dim())))  # (B, T, V) -> (T,)
    shares = {}
    for shift in range(4):
        length = min(targets.shape[1], inputs.shape[1] - shift)
        counts = targets[:, :length] >= 0  # others are ignored
        equal = (targets[:, :length] == inputs[:, shift : shift + length])[counts]
        shares[shift] = equal.float().mean().item()
    found = [shift + middle - int(change.argmax()) for shift, share in shares.items() if share > 0.99]
    if len(found) != 1 or not change.any():
        pytest.skip("the targets are not the inputs")
    assert found == [1], (
        f"the output at position t is trained to be the input at t + {found[0]}: the targets are shifted "
        f"{'by neither data nor loss' if found == [0] else 'by the data and by the loss'}. Shift them once, by one position"
    )


def test_gradient_is_that_of_the_loss(cfg, batch, evaluated, differentiated, fact):
    """Compared with finite differences along a random direction: nothing between weights and loss is detached.

    Skipped if ``facts.stop_gradient`` is true, as for target networks or straight-through estimators.
    """
    if fact("stop_gradient"):
        pytest.skip("facts.stop_gradient is true")
    procedure, batch = build_procedure(cfg).double(), double(batch)
    trained = [parameter for parameter in procedure.model.parameters() if parameter.requires_grad]
    directions = [torch.randn_like(parameter) for parameter in trained]
    for module in procedure.model.modules():
        if getattr(module, "padding_idx", None) is not None:  # that row has no gradient
            next(d for p, d in zip(trained, directions, strict=True) if p is module.weight)[module.padding_idx] = 0

    def loss_after(step: float) -> Tensor:
        for parameter, direction in zip(trained, directions, strict=True):
            parameter.data += step * direction
        torch.manual_seed(0)
        with default_float64():
            return procedure.step(batch, procedure.train_metrics)["loss"]

    try:
        here = loss_after(0.0)
    except RuntimeError as error:
        pytest.skip(f"the loss cannot be computed in float64: {str(error).splitlines()[0]}")
    gradients = torch.autograd.grad(here, trained, materialize_grads=True)
    slope = sum((g * direction).sum().item() for g, direction in zip(gradients, directions, strict=True))
    tolerance = 1e-5 * math.sqrt(sum(g.square().sum().item() for g in gradients))
    ahead, behind = loss_after(1e-8).item(), loss_after(-2e-8).item()
    sides = [(ahead - here.item()) / 1e-8, (here.item() - behind) / 1e-8]
    if pytest.approx(slope, abs=tolerance) not in sides:  # a ReLU may have its kink on one side
        if abs(sides[0] - sides[1]) > 10 * tolerance:
            pytest.skip("the loss is not smooth here, or not computed in float64")
        pytest.fail(
            f"by its gradient, the loss has a slope of {slope:.4g}, but it changes with {sides[0]:.4g}: something between "
            "the weights and the loss is detached. If the paper stops gradients, set facts.stop_gradient to true"
        )


def test_loss_at_initialisation(cfg, data, measured, stepped, fact):
    """The loss of an untrained model is ``facts.initial_loss``, such as log K for K classes."""
    stated, procedure = fact("initial_loss"), build_procedure(cfg).eval()
    if type(procedure).validation_step is not Procedure.validation_step:
        pytest.skip("PaperProcedure overrides validation_step, so its loss is not that of step")
    with torch.no_grad():
        batches = (as_given(data, batch) for batch in itertools.islice(data.val_dataloader(), 20))
        losses = [procedure.step(batch, procedure.val_metrics)["loss"] for batch in batches]
    assert torch.stack(losses).mean().item() == pytest.approx(stated, rel=0.2)
