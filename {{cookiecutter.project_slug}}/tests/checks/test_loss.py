"""What holds for any loss, on a batch of the paper's data."""

import itertools
import math

import pytest
import torch
from conftest import as_given, build_procedure, draws_numbers, evaluate, perturb, precision_plugin, skip_if_refused
from lightning_utilities.core.apply_func import apply_to_collection
from splits import change_rows, require_rows, tensors
from torch import Tensor

from {{ cookiecutter.package_name }}.harness.procedure import Procedure

COMPARED = "Is a softmax or sum taken over samples? If the paper does so, set facts.batch_interaction to any"


def test_the_loss_is_the_sum_of_its_terms(untrained, batch, needs_loss, fact):
    """With the weights that ``facts.loss`` states, such as {reconstruction: 1, kl: 0.1}."""
    weights, terms = fact("loss"), evaluate(untrained, batch)
    if weights.keys() - terms.keys():  # some may be terms of training alone
        terms = evaluate(untrained.train(), batch)
    missing, terms = weights.keys() - terms.keys(), {name: term.item() for name, term in terms.items()}
    assert not missing, f"PaperProcedure.step returns {sorted(terms)}, but facts.loss names {sorted(missing)}"
    total = sum(weight * terms[name] for name, weight in weights.items())
    assert terms["loss"] == pytest.approx(total, rel=1e-4), f"the terms are {terms}, their weights {weights}"


def test_the_loss_is_a_mean_over_samples(untrained, batch, needs_loss, facts, fact):
    """So that the learning rate does not depend on the batch size, unless ``facts.reduction`` is sum."""
    fact("reduction", "sum")
    samples, outputs = require_rows(batch), []
    untrained.model.register_forward_hook(lambda module, args, found: outputs.extend(tensors(found)))

    def terms(change) -> dict[str, float]:
        found = evaluate(untrained, change_rows(batch, change, samples))
        return {name: found[name].item() for name in {"loss", *(facts["loss"] or {})} & found.keys()}

    one = terms(lambda leaf: leaf)
    two = terms(lambda leaf: torch.cat([leaf, leaf]))
    assert two["loss"] != pytest.approx(2 * one["loss"], rel=1e-2), (
        "twice the samples give twice the loss. If the paper sums over samples, set facts.reduction to sum"
    )
    classified = any(output.shape[:2] == (samples, facts["classes"]) for output in outputs)
    if draws_numbers(untrained, batch) or not (facts["batch_interaction"] == "none" or classified):
        return  # the samples of a batch may be compared with each other
    for name in one:
        assert two[name] == pytest.approx(one[name], rel=0.05, abs=1e-7), (
            f"with each sample twice, {name} is {two[name]:.4g} instead of {one[name]:.4g}. {COMPARED}"
        )
    if not classified or samples < 8:
        return  # such as a baseline of rewards, which is the mean over a batch
    perturb(untrained.model)
    whole = terms(lambda leaf: leaf[:8])["loss"]
    with skip_if_refused("a single sample"):
        each = [terms(lambda leaf, i=i: leaf[i : i + 1])["loss"] for i in range(8)]
    slack = 0.02 * max(map(abs, each)) + 1e-6
    assert math.isnan(sum(each)) or min(each) - slack < whole < max(each) + slack, (  # NaN: a covariance of one sample
        f"the loss of eight samples is {whole:.4g}, that of each {min(each):.4g} to {max(each):.4g}. {COMPARED}"
    )


def test_features_are_reduced_as_stated(untrained, batch, fact):
    """``facts.over_features``: {reconstruction: sum, kl: sum} for terms of the loss, or mean."""
    stated, taken = fact("over_features"), []
    untrained.loss.register_forward_pre_hook(lambda _, *call: taken.append(call), with_kwargs=True)
    one = evaluate(untrained, batch)
    args, kwargs = apply_to_collection(taken[0], Tensor, lambda x: torch.cat([x, x], 1) if x.dim() > 1 else x)
    two = untrained.loss(*args, **kwargs)  # (B, D, …) -> (B, 2 · D, …)
    for name, reduction in stated.items():
        share = (two[name] / one[name]).item()
        assert share == pytest.approx({"mean": 1, "sum": 2}[reduction], rel=1e-3), (
            f"with each feature twice, {name} is {share:.3g} times as large, so it is no {reduction} over them"
        )


def test_each_position_predicts_the_next_one(untrained, batch, needs_loss, fact):
    """If ``facts.causal`` is true, a model that knows the token at t + 1 has the least loss: data or loss shift by one."""
    fact("causal", False)
    ahead = torch.tensor(0)

    def foresee(model, given, outputs):
        """Logits (B, T, V) of the token that is so far ahead, where the model is given tokens (B, T)."""
        tokens = next(
            (x for x in tensors(given) if x.dim() == 2 and x.shape[1] > 4 and not x.is_floating_point()), None
        )

        def logits(x: Tensor) -> Tensor:
            if tokens is None or x.dim() != 3 or x.shape[:2] != tokens.shape or tokens.max() >= x.shape[2]:
                return x
            return 0 * x + 20 * torch.nn.functional.one_hot(tokens.roll(-int(ahead), 1), x.shape[2])

        return apply_to_collection(outputs, Tensor, logits)

    untrained.model.register_forward_hook(foresee)
    losses = []
    for _ in range(4):
        losses.append(evaluate(untrained, batch)["loss"].item())
        ahead += 1
    least = min(range(4), key=losses.__getitem__)
    if losses[least] > 0.5 * sorted(losses)[1]:
        pytest.skip("the model is not given tokens (B, T), or its targets are others")
    assert least == 1, (
        f"position t is trained to predict the input at t + {least}: shift the targets once, in data or loss"
    )


def test_gradient_is_that_of_the_loss(untrained, batch, needs_loss, needs_gradients, fact):
    """Compared with finite differences along a random direction: nothing between weights and loss is detached.

    Skipped if ``facts.stop_gradient`` is true, as for target networks or straight-through estimators.
    """
    fact("stop_gradient", True)
    double = precision_plugin("64-true")
    procedure, batch = double.convert_module(untrained.train()), double.convert_input(batch)
    trained = [parameter for parameter in procedure.model.parameters() if parameter.requires_grad]
    directions = [torch.randn_like(parameter) for parameter in trained]
    for module in procedure.model.modules():
        if getattr(module, "padding_idx", None) is not None:  # that row has no gradient
            next(d for p, d in zip(trained, directions, strict=True) if p is module.weight)[module.padding_idx] = 0

    def loss_after(step: float) -> Tensor:
        for parameter, direction in zip(trained, directions, strict=True):
            parameter.data += step * direction
        torch.manual_seed(0)
        with double.forward_context():
            return procedure.step(batch, procedure.train_metrics)["loss"]

    with skip_if_refused("float64"):
        here = loss_after(0.0)
    gradients = torch.autograd.grad(here, trained, materialize_grads=True)
    slope = sum((g * direction).sum().item() for g, direction in zip(gradients, directions, strict=True))
    tolerance = 1e-5 * math.sqrt(sum(g.square().sum().item() for g in gradients))
    ahead, behind = loss_after(1e-8).item(), loss_after(-2e-8).item()
    sides = [(ahead - here.item()) / 1e-8, (here.item() - behind) / 1e-8]
    if pytest.approx(slope, abs=tolerance) not in sides:  # a ReLU may have its kink on one side
        if abs(sides[0] - sides[1]) > 10 * tolerance:
            pytest.skip("the loss is not smooth here, or not computed in float64")
        pytest.fail(
            f"by its gradient, the loss has a slope of {slope:.4g}, but it changes with {sides[0]:.4g}: something is detached. "
            "If the paper stops gradients, set facts.stop_gradient to true"
        )


def test_loss_at_initialisation(cfg, data, needs_evaluation_data, needs_step, fact):
    """The loss of an untrained model is ``facts.initial_loss``, such as log K for K classes."""
    stated, procedure = fact("initial_loss"), build_procedure(cfg).eval()
    if type(procedure).validation_step is not Procedure.validation_step:
        pytest.skip("PaperProcedure overrides validation_step, so its loss is not that of step")
    with torch.no_grad():
        batches = (as_given(data, batch) for batch in itertools.islice(data.val_dataloader(), 20))
        losses = [evaluate(procedure, batch)["loss"] for batch in batches]
    assert torch.stack(losses).mean().item() == pytest.approx(stated, rel=0.2)
