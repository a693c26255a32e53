"""Optimizer, schedule and batch size against the facts in ``configs/paper.yaml``."""

import contextlib
import math
from unittest.mock import patch

import pytest
import torch
from conftest import Enough, build_procedure, draws_numbers, evaluate, first_batch, fit, rates_of, with_schedule
from lightning import Callback
from splits import change_rows, has_rows, loaders, number_of_samples, require_rows
from torch.nn.utils import parameters_to_vector
from torch.utils._pytree import tree_leaves

from {{ cookiecutter.package_name }}.harness.identity import identity


class Schedule(Callback):
    """The learning rates of the groups that the configured schedule sets for the first steps; ends the training before it begins."""

    def __init__(self, steps: int):
        self.steps, self.rates = steps, []

    def on_train_start(self, trainer, pl_module):
        epoch = -(-trainer.num_training_batches // trainer.accumulate_grad_batches)  # in optimizer steps
        for step in range(1, self.steps + 1):
            self.rates.append(rates_of(trainer.optimizers[0]))
            for config in trainer.lr_scheduler_configs:
                done = step if config.interval == "step" else step / epoch
                if not config.reduce_on_plateau and done % config.frequency == 0:
                    config.scheduler.step()
        raise Enough


class Steps(Callback):
    """The first steps of a training with one optimizer, which ends after them.

    Args:
        steps: their number.
        scale: a factor on the loss.
        each: whether to compute the gradient of each batch by itself, too.
    """

    def __init__(self, steps: int, scale: float = 1.0, each: bool = False):
        self.steps, self.scale, self.each = steps, scale, each
        self.rates, self.batches, self.gradients = [], [], []  # of each step; a gradient is one vector
        self.shares: list[float] = []  # of each step: its gradient by the mean of those of its batches
        self.parts: list[torch.Tensor] = []  # the gradients of the batches since the last step
        self.seen, self.just_stepped, self.not_zeroed = 0, False, False

    def on_train_start(self, trainer, pl_module):
        if len(trainer.optimizers) != 1:
            raise Enough
        if self.scale != 1:
            pl_module.loss.register_forward_hook(lambda _, inputs, terms: {k: self.scale * v for k, v in terms.items()})

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen += 1
        if self.seen > 50 * self.steps:
            raise Enough
        if self.each:
            loss = pl_module.step(batch, pl_module.train_metrics)["loss"]
            gradients = torch.autograd.grad(loss, parameters_of(trainer.optimizers[0]), materialize_grads=True)
            self.parts.append(torch.cat([g.flatten() for g in gradients]))

    def on_before_backward(self, trainer, pl_module, loss):
        self.not_zeroed |= self.just_stepped and bool(gradient(trainer.optimizers[0]).any())
        self.just_stepped = False

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.just_stepped = True
        self.rates.append(rates_of(optimizer))
        self.batches.append(self.seen)
        self.gradients.append(gradient(optimizer))
        if self.parts:
            mean = torch.stack(self.parts).mean(0)
            self.shares.append(((self.gradients[-1] @ mean) / (mean @ mean)).item())
            self.parts = []
        if len(self.rates) == self.steps:
            raise Enough


def first_steps(cfg, steps: Steps, **settings) -> Steps:
    with contextlib.suppress(Enough):
        fit(cfg, steps.steps, steps, **(settings or paper_budget(cfg)))
    return steps


def manual_steps(cfg, steps: Steps) -> Steps:
    """The first steps; none with automatic optimization."""
    return steps if build_procedure(cfg).automatic_optimization else first_steps(cfg, steps)


def parameters_of(optimizer) -> list[torch.Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


def gradient(optimizer) -> torch.Tensor:
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters_of(optimizer)]
    return torch.cat([g.detach().flatten() for g in gradients] or [torch.zeros(1)])


def paper_budget(cfg) -> dict:
    return {"max_steps": cfg.trainer.max_steps, "max_epochs": cfg.trainer.max_epochs}


def scheduled(cfg, steps: int, **budget) -> list[list[float]]:
    schedule = Schedule(steps)
    with pytest.raises(Enough):
        fit(cfg, steps, schedule, **budget)
    return schedule.rates


@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step")  # the schedule steps alone, no optimizer does
def test_learning_rate_is_as_stated(cfg, trained, needs_gradients, fact):
    """``facts.learning_rate`` by optimizer step, counted from 1: {1: 1.75e-7, 4000: 7.0e-4}; of several groups a list."""
    stated = {int(step): rate if isinstance(rate, list) else [rate] for step, rate in fact("learning_rate").items()}
    rates, watched = scheduled(cfg, max(stated), **paper_budget(cfg)), [*trained[1].rates.values()][:5]
    if trained[0].lightning_module.automatic_optimization:
        expected = scheduled(cfg, 5)[: len(watched)]
        assert watched == [pytest.approx(rate) for rate in expected], (
            f"the first steps have the learning rates {watched}, the schedule sets {expected}. Is it moved by hand as well?"
        )
    else:  # PaperProcedure steps its schedule itself
        taken = manual_steps(cfg, Steps(10)).rates
        rates[: len(taken)] = taken[: len(rates)]
    wrong = [
        f"the learning rate of step {s} is {listed(rates[s - 1])}, the paper states {listed(rate)}"
        for s, rate in stated.items()
        if rates[s - 1] != pytest.approx(sorted(rate), rel=5e-3)
    ]
    assert not wrong, "; ".join(wrong)


def listed(rates: list[float]) -> str:
    return " and ".join(f"{rate:.4g}" for rate in rates)


def test_each_parameter_is_optimized_once(trained, needs_gradients):
    trainer, procedure = trained[0], trained[0].lightning_module
    names = listed_parameters(procedure) | {parameter: name for name, parameter in procedure.named_parameters()}
    optimized = [[p for group in optimizer.param_groups for p in group["params"]] for optimizer in trainer.optimizers]
    twice = {names.get(p, "?") for parameters in optimized for p in parameters if sum(p is q for q in parameters) > 1}
    assert not twice, f"an optimizer has {sorted(twice)} twice"
    known = {p for parameters in optimized for p in parameters}
    left_out = [name for p, name in names.items() if p.requires_grad and p not in known]
    advice = "Put layers into an nn.ModuleList, or set requires_grad_(False) on what is not trained"
    assert not left_out, f"no optimizer has {left_out}. {advice}"


def listed_parameters(procedure) -> dict[torch.Tensor, str]:
    """The parameters of layers in plain lists and dicts, which PyTorch does not find."""
    found = {}
    for name, module in procedure.named_modules():
        for attribute, value in vars(module).items():
            for item in tree_leaves(value) if isinstance(value, dict | list | tuple) and attribute[0] != "_" else ():
                layers = item.parameters() if isinstance(item, torch.nn.Module) else [item]
                found |= {p: f"{name}.{attribute}" for p in layers if isinstance(p, torch.nn.Parameter)}
    return found


def test_optimizer_is_as_stated(trained, fact):
    stated, found = fact("optimizer"), {type(optimizer).__name__ for optimizer in trained[0].optimizers}
    assert stated in found, f"the optimizer is {', '.join(sorted(found))}, the paper states {stated}"


def test_weight_decay_is_as_stated(trained, fact, facts):
    """``facts.weight_decay`` for all parameters except those that ``facts.weight_decay_excludes`` names."""
    stated, excludes = fact("weight_decay"), facts["weight_decay_excludes"] or []
    trainer, procedure = trained[0], trained[0].lightning_module
    norms = {p for m in procedure.modules() if "Norm" in type(m).__name__ for p in m.parameters(recurse=False)}
    names = {parameter: name for name, parameter in procedure.named_parameters()}
    wrong = []
    for group in (group for optimizer in trainer.optimizers for group in optimizer.param_groups):
        for p in group["params"]:
            name = names.get(p, "?")
            excluded = {"bias": name.rpartition(".")[2] == "bias", "norm": p in norms}
            expected = 0 if any(excluded.get(rule, rule in name) for rule in excludes) else stated
            found = group.get("weight_decay", 0)
            if found != pytest.approx(expected):
                wrong.append(f"{name} has {found:g} instead of {expected:g}")
    assert not wrong, f"weight decay: {', '.join(wrong[:6])}{', …' if len(wrong) > 6 else ''}"


def test_clipping_is_as_stated(cfg, fact):
    """``facts.gradient_clip``: {norm: 1.0} or {value: 0.5}."""
    ((algorithm, value),) = fact("gradient_clip").items()
    if build_procedure(cfg).automatic_optimization:
        found = {cfg.trainer.gradient_clip_algorithm: cfg.trainer.gradient_clip_val}
        assert found == {algorithm: value}, f"the gradient is clipped to {found}, the paper states {algorithm}: {value}"
        return
    found = [
        g.norm() if algorithm == "norm" else g.abs().max() for g in manual_steps(cfg, Steps(2, scale=1e4)).gradients
    ]
    assert max(found, default=0) <= 1.01 * value, f"the {algorithm} of the gradient is {found}, not at most {value}"


def test_batch_size_is_as_stated(cfg, data, fact):
    """``facts.batch_size``: the samples of one optimizer step, over accumulated batches and processes."""
    stated, trainer = fact("batch_size"), cfg.trainer
    batch, drawn = first_batch(data.train_dataloader()), getattr(loaders(data, "train")[0], "batch_size", None)
    # the weight of a batch may be a number of other things, such as the objects in its images
    sizes = [number_of_samples(batch)] if has_rows(batch) else [drawn or 0, build_procedure(cfg).weight_of(batch)]
    steps = manual_steps(cfg, Steps(2)).batches
    accumulated = max(1, steps[1] - steps[0]) if len(steps) == 2 else trainer.accumulate_grad_batches
    each = [[size, accumulated, identity(cfg)["trainer"]["devices"], trainer.num_nodes] for size in sizes]
    assert stated in map(math.prod, each), (
        f"{' × '.join(map(str, each[-1]))} (batch, accumulated, devices, machines) is not the {stated} that the paper states"
    )


def test_a_step_is_the_mean_of_its_batches(cfg, trained, needs_step, needs_gradients, facts):
    """Also the last step of an epoch, which may accumulate fewer batches; what earlier steps left is zeroed."""
    trainer, window = trained[0], trained[0].accumulate_grad_batches
    manual = not trainer.lightning_module.automatic_optimization
    if window == 1 and not manual or len(trainer.optimizers) > 1:
        pytest.skip("no batches are accumulated, or there are several optimizers")
    if manual:
        found = manual_steps(cfg, Steps(2, scale=1e-4, each=True))  # too small to be clipped
    else:
        few = window + (1 if trainer.num_training_batches % window else window)
        found = first_steps(cfg, Steps(2, each=True), max_epochs=1, limit_train_batches=few)
    assert not found.not_zeroed, "the gradients of a step remain in the next one. Call optimizer.zero_grad()"
    if manual and (found.batches[:1] in ([], [1]) or facts["reduction"] != "mean"):
        return
    assert all(0.75 < share < 1.4 for share in found.shares), (
        f"the gradients of two steps are {found.shares[0]:.2f} and {found.shares[-1]:.2f} of the mean over their batches. Divide "
        "the loss once: by hand with manual optimization, else by accumulate_grad_batches and super().training_step(…) alone"
    )


def test_the_objective_does_not_need_the_whole_batch(cfg, batch, trained, untrained):
    """A step over parts, accumulated or on several devices, is one of the joined batch if their losses average."""
    accumulated, samples = trained[0].accumulate_grad_batches, require_rows(batch)
    if accumulated * identity(cfg)["trainer"]["devices"] * cfg.trainer.num_nodes == 1 or samples < 4:
        pytest.skip("a step takes one batch, on one device")
    if draws_numbers(untrained, batch) or (accumulated == 1 and asks_other_processes(untrained, batch)):
        pytest.skip("the loss draws random numbers, or the processes join their batches")
    half = samples // 2
    ranges = (slice(2 * half), slice(half), slice(half, 2 * half))
    parts = [change_rows(batch, lambda x, rows=rows: x[rows], samples) for rows in ranges]
    joined, *each = (evaluate(build_procedure(cfg).eval(), part)["loss"].item() for part in parts)
    assert sum(each) / 2 == pytest.approx(joined, rel=0.03), (
        f"the loss of a batch is {joined:.4g}, that of its halves {each}: its samples are compared with each other, which "
        "accumulated batches and devices do not replace. Gather the samples of all devices, or raise data.batch_size"
    )


def asks_other_processes(procedure, batch) -> bool:
    """Whether a step as of one of two processes calls for what the other one has, which is an error without it."""
    two = {"is_initialized": lambda: True, "get_world_size": lambda *_: 2, "get_rank": lambda *_: 0}
    with contextlib.suppress(RuntimeError, ValueError), patch.multiple(torch.distributed, **two):
        evaluate(procedure, batch)
        return False
    return True


def test_copies_follow_as_stated(cfg, fact):
    """``facts.follows``: {average: {model: 0.999}}, a decay, or {target: {model: 100}}, copied after each 100 steps."""
    for copy, stated in fact("follows").items():
        ((source, rate),) = stated.items()
        if rate > 300:
            pytest.skip(f"{rate} steps take too long for a test")
        trained = [fit(with_schedule(cfg, "constant"), n) for n in ([4, 5] if rate < 1 else [1, rate + 1])]
        each = [[t.lightning_module.get_submodule(name).parameters() for name in (copy, source)] for t in trained]
        (one, start), (two, end) = [map(parameters_to_vector, pair) for pair in each]
        shares = [((two - one) @ (x - one) / (x - one).square().sum()).item() for x in (start, end)]
        assert any(s == pytest.approx(1 - rate, rel=0.1) for s in shares) if rate < 1 else not torch.equal(one, two), (
            f"facts.follows states {stated}, but in the last of {max(5, rate + 1)} steps {copy} went {shares[1]:.3g} of its way to "
            f"{source}. An average with decay d goes 1 - d of it: copy.lerp_(trained, 1 - d)"
        )
