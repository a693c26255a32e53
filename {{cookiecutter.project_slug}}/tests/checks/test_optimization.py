"""How the weights are moved: optimizer, schedule and batches, against what ``configs/paper.yaml`` states of them."""

import contextlib

import pytest
import torch
from conftest import fit
from lightning import Callback
from torch.utils._pytree import tree_leaves

from {{ cookiecutter.package_name }}.harness.identity import identity
from {{ cookiecutter.package_name }}.harness.training.build import build_procedure


class Enough(Exception):
    """All is known."""


class Schedule(Callback):
    """The learning rate of each optimizer step, as the configured schedule moves; ends the training before it starts.

    Args:
        steps: as many of them.
    """

    def __init__(self, steps: int):
        self.steps, self.rates = steps, []

    def on_train_start(self, trainer, pl_module):
        epoch = -(-trainer.num_training_batches // trainer.accumulate_grad_batches)  # optimizer steps
        for step in range(1, self.steps + 1):
            self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
            for config in trainer.lr_scheduler_configs:
                done = step if config.interval == "step" else step / epoch
                if not config.reduce_on_plateau and done % config.frequency == 0:
                    config.scheduler.step()
        raise Enough


class Rates(Callback):
    """The learning rate of each optimizer step that is taken."""

    def __init__(self):
        self.rates = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


class ByHand(Callback):
    """The steps of a procedure that steps itself, with one optimizer; ends the training after them.

    Args:
        steps: as many of them.
        scale: of the loss.
        each: whether to look at each batch of the first step alone, too.
    """

    def __init__(self, steps: int, scale: float, each: bool):
        self.steps, self.scale, self.each = steps, scale, each
        self.rates, self.batches, self.gradients = [], [], []  # of each step; gradients as one vector
        self.alone: list[torch.Tensor] = []  # the size of the gradient of each batch of the first step
        self.seen, self.fresh, self.left = 0, False, False  # left: whether gradients of a step were there in the next

    def on_train_start(self, trainer, pl_module):
        if len(trainer.optimizers) > 1:
            raise Enough
        pl_module.loss.register_forward_hook(lambda _, inputs, terms: {k: self.scale * v for k, v in terms.items()})

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen += 1
        if self.seen > 50 * self.steps:
            raise Enough
        if self.each and not self.rates:
            parameters = [p for group in trainer.optimizers[0].param_groups for p in group["params"] if p.requires_grad]
            loss = pl_module.step(batch, pl_module.train_metrics)["loss"]
            gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
            self.alone.append(torch.cat([g.flatten() for g in gradients]).norm())

    def on_before_backward(self, trainer, pl_module, loss):
        self.left = self.left or (self.fresh and bool(gradient(trainer.optimizers[0]).any()))
        self.fresh = False

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.fresh = True
        self.rates.append(optimizer.param_groups[0]["lr"])
        self.batches.append(self.seen)
        self.gradients.append(gradient(optimizer))
        if len(self.rates) == self.steps:
            raise Enough


def gradient(optimizer) -> torch.Tensor:
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return torch.cat([p.grad.detach().flatten() for p in parameters] or [torch.zeros(1)])


def by_hand(cfg, steps: int, scale: float = 1.0, each: bool = False) -> ByHand:
    """What it did; without any step where Lightning steps, or where there are several optimizers."""
    found = ByHand(steps, scale, each)
    if not build_procedure(cfg).automatic_optimization:
        with contextlib.suppress(Enough):
            fit(cfg, steps, found, **paper_budget(cfg))
    return found


def paper_budget(cfg) -> dict:
    return {"max_steps": cfg.trainer.max_steps, "max_epochs": cfg.trainer.max_epochs}


# The schedule moves alone
alone = pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step")


def scheduled(cfg, steps: int, **settings) -> list[float]:
    schedule = Schedule(steps)
    with pytest.raises(Enough):
        fit(cfg, steps, schedule, **settings)
    return schedule.rates


@alone
def test_learning_rate_is_as_stated(cfg, fact):
    """``facts.learning_rate``, by optimizer step, counted from 1: {1: 1.75e-7, 4000: 7.0e-4}."""
    stated = {int(step): rate for step, rate in fact("learning_rate").items()}
    rates = scheduled(cfg, max(stated), **paper_budget(cfg))
    taken = by_hand(cfg, 10).rates  # the first steps, where the procedure itself moves its schedule
    rates[: len(taken)] = taken[: len(rates)]
    wrong = [
        f"step {s}: {rates[s - 1]:.4g}, stated {rate:.4g}"
        for s, rate in stated.items()
        if rates[s - 1] != pytest.approx(rate, rel=5e-3)
    ]
    assert not wrong, "; ".join(wrong)


@alone
def test_the_schedule_is_followed(cfg):
    """Each step is taken with the learning rate that the schedule has for it."""
    if not build_procedure(cfg).automatic_optimization:
        pytest.skip("PaperProcedure moves its schedules itself")
    taken = Rates()
    fit(cfg, 5, taken)
    assert taken.rates[:5] == pytest.approx(scheduled(cfg, 5)[: len(taken.rates)])


def test_each_parameter_is_optimized_once(cfg):
    trainer = fit(cfg, 1)
    names = {parameter: name for name, parameter in trainer.lightning_module.named_parameters()}
    optimized = [[p for group in optimizer.param_groups for p in group["params"]] for optimizer in trainer.optimizers]
    twice = {names.get(p, "?") for parameters in optimized for p in parameters if sum(p is q for q in parameters) > 1}
    assert not twice, f"twice in an optimizer: {sorted(twice)}"
    known = {p for parameters in optimized for p in parameters}
    left_out = [name for p, name in names.items() if p.requires_grad and p not in known]
    assert not left_out, f"in no optimizer: {left_out}; requires_grad_(False) where that is meant"


def test_optimizer_is_as_stated(cfg, fact):
    stated, found = fact("optimizer"), {type(optimizer).__name__ for optimizer in fit(cfg, 1).optimizers}
    assert stated in found, f"{', '.join(sorted(found))}; the paper states {stated}"


def test_weight_decay_is_as_stated(cfg, fact):
    """``facts.weight_decay``, for all but ``facts.weight_decay_excludes``: bias, norm, or a part of a parameter's name."""
    stated = fact("weight_decay")
    trainer = fit(cfg, 1)
    procedure = trainer.lightning_module
    excludes = cfg.paper.facts.get("weight_decay_excludes") or []
    norms = {p for m in procedure.modules() if "Norm" in type(m).__name__ for p in m.parameters(recurse=False)}
    names = {parameter: name for name, parameter in procedure.named_parameters()}
    wrong = []
    for group in (group for optimizer in trainer.optimizers for group in optimizer.param_groups):
        for p in group["params"]:
            name = names.get(p, "?")
            kinds = {"bias"} & {name.rpartition(".")[2]} | ({"norm"} if p in norms else set())
            expected = (
                0
                if any(rule in kinds or (rule not in ("bias", "norm") and rule in name) for rule in excludes)
                else stated
            )
            if group.get("weight_decay", 0) != pytest.approx(expected):
                wrong.append(f"{name} {group.get('weight_decay', 0):g} instead of {expected:g}")
    assert not wrong, f"weight decay: {', '.join(wrong[:6])}{', …' if len(wrong) > 6 else ''}"


def test_clipping_is_as_stated(cfg, fact):
    """``facts.gradient_clip``: {norm: 1.0} or {value: 0.5}."""
    ((algorithm, value),) = fact("gradient_clip").items()
    if not build_procedure(cfg).automatic_optimization:
        found = [g.norm() if algorithm == "norm" else g.abs().max() for g in by_hand(cfg, 2, scale=1e4).gradients]
        assert all(size <= 1.01 * value for size in found), (
            f"the gradients of two steps have a {algorithm} of {found}, the paper states {value}"
        )
        return
    found = {cfg.trainer.gradient_clip_algorithm: cfg.trainer.gradient_clip_val}
    assert found == {algorithm: value}, f"configured is {found}, the paper states {algorithm}: {value}"


def test_batch_size_is_as_stated(cfg, data, fact):
    """``facts.batch_size``: samples of an optimizer step, over accumulated batches and processes."""
    stated, trainer = fact("batch_size"), cfg.trainer
    first = next(leaf for leaf in tree_leaves(next(iter(data.train_dataloader()))) if hasattr(leaf, "shape"))
    steps = by_hand(cfg, 2).batches
    accumulated = max(1, steps[1] - steps[0]) if len(steps) == 2 else trainer.accumulate_grad_batches
    factors = [len(first), accumulated, identity(cfg)["trainer"]["devices"], trainer.num_nodes]
    found = factors[0] * factors[1] * factors[2] * factors[3]
    said = " × ".join(map(str, factors))
    assert found == stated, f"{said} = {found} (batch, accumulated, devices, nodes); the paper states {stated}"


def test_gradient_of_a_step_is_that_of_its_batches(cfg, fact):
    """Where the procedure itself steps, and accumulates: nothing is left of the step before, and the mean is taken."""
    found = by_hand(cfg, 2, scale=1e-4, each=True)  # so small that nothing is clipped
    if not found.rates:
        pytest.skip("Lightning steps, or there are several optimizers")
    assert not found.left, "the gradients of a step are there when the next begins: optimizer.zero_grad()"
    count = len(found.alone)
    if fact("reduction") == "mean" and count > 1:
        share = found.gradients[0].norm().item() / torch.stack(found.alone).mean().item()  # at most 1, but for noise
        assert share < count**0.5, f"the gradient of {count} batches is {share:.2g} times that of one: a sum"
