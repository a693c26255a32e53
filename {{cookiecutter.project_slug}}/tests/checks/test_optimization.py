"""Optimizer, schedule and batch size against the facts in ``configs/paper.yaml``."""

import contextlib
import itertools
import math
from unittest.mock import patch

import pytest
import torch
from conftest import Draws, Enough, build_procedure, first_batch, fit, loss_of, rates_of, with_schedule
from lightning import Callback
from splits import change_rows, has_rows, loaders, number_of_samples, require_rows
from torch.nn.utils import parameters_to_vector

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


class ManualSteps(Callback):
    """The first steps of a procedure with manual optimization and one optimizer; ends the training after them.

    Args:
        steps: their number.
        scale: a factor on the loss.
        each: whether to compute the gradient of each batch of the first step by itself, too.
    """

    def __init__(self, steps: int, scale: float, each: bool):
        self.steps, self.scale, self.each = steps, scale, each
        self.rates, self.batches, self.gradients = [], [], []  # of each step; a gradient is one vector
        self.batch_gradients: list[torch.Tensor] = []  # of each batch of the first step
        self.seen, self.just_stepped, self.not_zeroed = 0, False, False

    def on_train_start(self, trainer, pl_module):
        if len(trainer.optimizers) != 1:
            raise Enough
        pl_module.loss.register_forward_hook(lambda _, inputs, terms: {k: self.scale * v for k, v in terms.items()})

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen += 1
        if self.seen > 50 * self.steps:
            raise Enough
        if self.each and not self.rates:
            self.batch_gradients.append(gradient_of(batch, pl_module, trainer.optimizers[0]))

    def on_before_backward(self, trainer, pl_module, loss):
        self.not_zeroed |= self.just_stepped and bool(gradient(trainer.optimizers[0]).any())
        self.just_stepped = False

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.just_stepped = True
        self.rates.append(rates_of(optimizer))
        self.batches.append(self.seen)
        self.gradients.append(gradient(optimizer))
        if len(self.rates) == self.steps:
            raise Enough


def parameters_of(optimizer) -> list[torch.Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


def gradient(optimizer) -> torch.Tensor:
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters_of(optimizer)]
    return torch.cat([g.detach().flatten() for g in gradients] or [torch.zeros(1)])


def gradient_of(batch, procedure, optimizer) -> torch.Tensor:
    loss = procedure.step(batch, procedure.train_metrics)["loss"]
    gradients = torch.autograd.grad(loss, parameters_of(optimizer), materialize_grads=True)
    return torch.cat([g.flatten() for g in gradients])


def manual_steps(cfg, steps: int, scale: float = 1.0, each: bool = False) -> ManualSteps:
    """The first steps; none with automatic optimization or several optimizers."""
    found = ManualSteps(steps, scale, each)
    if not build_procedure(cfg).automatic_optimization:
        with contextlib.suppress(Enough):
            fit(cfg, steps, found, **paper_budget(cfg))
    return found


def paper_budget(cfg) -> dict:
    return {"max_steps": cfg.trainer.max_steps, "max_epochs": cfg.trainer.max_epochs}


# Only the schedule steps, no optimizer does
schedule_alone = pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step")


def scheduled(cfg, steps: int, **settings) -> list[list[float]]:
    schedule = Schedule(steps)
    with pytest.raises(Enough):
        fit(cfg, steps, schedule, **settings)
    return schedule.rates


@schedule_alone
def test_learning_rate_is_as_stated(cfg, differentiated, fact):
    """``facts.learning_rate`` by optimizer step, counted from 1: {1: 1.75e-7, 4000: 7.0e-4}; of several groups a list."""
    stated = {int(step): rate if isinstance(rate, list) else [rate] for step, rate in fact("learning_rate").items()}
    rates = scheduled(cfg, max(stated), **paper_budget(cfg))
    taken = manual_steps(cfg, 10).rates  # a procedure with manual optimization steps its schedule itself
    rates[: len(taken)] = taken[: len(rates)]
    wrong = [
        f"the learning rate of step {s} is {listed(rates[s - 1])}, the paper states {listed(rate)}"
        for s, rate in stated.items()
        if rates[s - 1] != pytest.approx(sorted(rate), rel=5e-3)
    ]
    assert not wrong, "; ".join(wrong)


def listed(rates: list[float]) -> str:
    return " and ".join(f"{rate:.4g}" for rate in rates)


@schedule_alone
def test_the_schedule_is_followed(cfg, trained, differentiated):
    """Each step has the learning rate that the schedule sets for it."""
    trainer, watch = trained
    if not trainer.lightning_module.automatic_optimization:
        pytest.skip("PaperProcedure uses manual optimization and steps its schedules itself")
    taken = [*watch.rates.values()][:5]
    one, other = (list(itertools.chain(*rates)) for rates in (taken, scheduled(cfg, 5)[: len(taken)]))
    assert one == pytest.approx(other), (
        f"the first steps have the learning rates {listed(one)}, the schedule sets {listed(other)}. Is it moved by hand as well?"
    )


def test_each_parameter_is_optimized_once(trained, differentiated):
    trainer, procedure = trained[0], trained[0].lightning_module
    names = listed_parameters(procedure) | {parameter: name for name, parameter in procedure.named_parameters()}
    optimized = [[p for group in optimizer.param_groups for p in group["params"]] for optimizer in trainer.optimizers]
    twice = {names.get(p, "?") for parameters in optimized for p in parameters if sum(p is q for q in parameters) > 1}
    assert not twice, f"an optimizer has {sorted(twice)} twice"
    known = {p for parameters in optimized for p in parameters}
    left_out = [name for p, name in names.items() if p.requires_grad and p not in known]
    assert not left_out, (
        f"no optimizer has {left_out}. Put layers into an nn.ModuleList, or set requires_grad_(False) on what is not trained"
    )


def listed_parameters(procedure) -> dict[torch.Tensor, str]:
    """The parameters of layers in plain lists and dicts, which PyTorch does not find."""
    found = {}
    for name, module in procedure.named_modules():
        for attribute, value in vars(module).items():
            items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
            for item in items if not attribute.startswith("_") else ():
                layers = item.parameters() if isinstance(item, torch.nn.Module) else [item]
                found |= {p: f"{name}.{attribute}" for p in layers if isinstance(p, torch.nn.Parameter)}
    return found


def test_optimizer_is_as_stated(trained, fact):
    stated, found = fact("optimizer"), {type(optimizer).__name__ for optimizer in trained[0].optimizers}
    assert stated in found, f"the optimizer is {', '.join(sorted(found))}, the paper states {stated}"


def test_weight_decay_is_as_stated(trained, fact, facts):
    """``facts.weight_decay`` for all parameters except those that ``facts.weight_decay_excludes`` names."""
    stated, excludes = fact("weight_decay"), facts["weight_decay_excludes"] or []
    trainer, _ = trained
    procedure = trainer.lightning_module
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
    found = [g.norm() if algorithm == "norm" else g.abs().max() for g in manual_steps(cfg, 2, scale=1e4).gradients]
    assert max(found, default=0) <= 1.01 * value, f"the {algorithm} of the gradient is {found}, not at most {value}"


def test_batch_size_is_as_stated(cfg, data, fact):
    """``facts.batch_size``: the samples of one optimizer step, over accumulated batches and processes."""
    stated, trainer = fact("batch_size"), cfg.trainer
    batch, drawn = first_batch(data.train_dataloader()), getattr(loaders(data, "train")[0], "batch_size", None)
    # the weight of a batch may be a number of other things, such as the objects in its images
    sizes = [number_of_samples(batch)] if has_rows(batch) else [drawn or 0, build_procedure(cfg).weight_of(batch)]
    steps = manual_steps(cfg, 2).batches
    accumulated = max(1, steps[1] - steps[0]) if len(steps) == 2 else trainer.accumulate_grad_batches
    each = [[size, accumulated, identity(cfg)["trainer"]["devices"], trainer.num_nodes] for size in sizes]
    assert stated in map(math.prod, each), (
        f"{' × '.join(map(str, each[-1]))} (batch, accumulated, devices, nodes) is not the {stated} that the paper states"
    )


def test_gradient_of_a_step_is_that_of_its_batches(cfg, stepped, differentiated, fact):
    """With manual optimization: the gradients are zeroed after each step, and their mean over batches is taken."""
    found = manual_steps(cfg, 2, scale=1e-4, each=True)  # too small to be clipped
    if not found.rates:
        pytest.skip("only for manual optimization with one optimizer")
    assert not found.not_zeroed, "the gradients of a step remain in the next one. Call optimizer.zero_grad()"
    if fact("reduction") == "mean" and len(found.batch_gradients) > 1:
        share = share_of_mean(found.gradients[0], found.batch_gradients)
        assert 0.75 < share < 1.5, (
            f"the gradient of {len(found.batch_gradients)} batches is {share:.2g} of their mean. Divide each loss once, and zero_grad()"
        )


def share_of_mean(gradient: torch.Tensor, of_batches: list[torch.Tensor]) -> float:
    """A gradient as a share of the mean over its batches, which should be 1."""
    mean = torch.stack(of_batches).mean(0)
    return ((gradient @ mean) / (mean @ mean)).item()


class Windows(Callback):
    """The gradient of each optimizer step as a share of the mean over its batches, which should be 1."""

    def __init__(self):
        self.batches, self.shares = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append(gradient_of(batch, pl_module, trainer.optimizers[0]))

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.shares.append(share_of_mean(gradient(optimizer), self.batches))
        self.batches = []


def test_a_step_is_the_mean_of_its_batches(cfg, trained, stepped, differentiated):
    """Also the last step of an epoch, which may accumulate fewer batches."""
    window, manual = trained[0].accumulate_grad_batches, not trained[0].lightning_module.automatic_optimization
    if window == 1 or manual or len(trained[0].optimizers) > 1:
        pytest.skip("no batches are accumulated by trainer.accumulate_grad_batches")
    found, last = Windows(), trained[0].num_training_batches % window
    fit(cfg, 2, found, limit_train_batches=window + (1 if last else window), max_epochs=1)
    wrong = [share for share in found.shares if not 0.75 < share < 1.33]
    assert not wrong, (
        f"with {window} accumulated batches, the gradients of two steps are {found.shares[0]:.2f} and {found.shares[-1]:.2f} of "
        f"the mean over their batches. Lightning divides the loss of each batch by {window} itself, also in the last step of an "
        "epoch, which may have fewer batches: do not divide again, and return super().training_step(batch, batch_idx)"
    )


def test_the_objective_does_not_need_the_whole_batch(cfg, batch, trained, evaluated):
    """A step over parts, accumulated or on several devices, is one of the joined batch if their losses average."""
    accumulated, samples = trained[0].accumulate_grad_batches, require_rows(batch)
    if accumulated * identity(cfg)["trainer"]["devices"] * cfg.trainer.num_nodes == 1 or samples < 4:
        pytest.skip("a step takes one batch, on one device")
    procedure = build_procedure(cfg).eval()
    with Draws() as draws:
        procedure.step(batch, procedure.val_metrics)
    if draws.found:
        pytest.skip("the loss draws random numbers")
    half = samples // 2
    parts = [change_rows(batch, lambda x, rows=rows: x[rows], samples) for rows in (slice(half), slice(half, 2 * half))]
    joined = loss_of(cfg, change_rows(batch, lambda x: x[: 2 * half], samples))["loss"]
    mean = sum(loss_of(cfg, part)["loss"] for part in parts) / 2
    if accumulated == 1 and asks_other_processes(procedure, batch):
        pytest.skip("the processes join their batches")
    assert mean == pytest.approx(joined, rel=0.03), (
        f"the loss of a batch is {joined:.4g}, and the mean over its halves {mean:.4g}: its samples are compared with each "
        "other. Accumulated batches or devices do not replace a larger batch, whatever facts.batch_size says. Gather the "
        "candidates of all devices, or raise data.batch_size and accumulate nothing"
    )


def asks_other_processes(procedure, batch) -> bool:
    """Whether a step as of one of two processes calls for what the other one has, which is an error without it."""
    two = {"is_initialized": lambda: True, "get_world_size": lambda *_: 2, "get_rank": lambda *_: 0}
    with contextlib.suppress(RuntimeError, ValueError), patch.multiple(torch.distributed, **two):
        procedure.step(batch, procedure.val_metrics)
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
            f"{source}. An average with decay d goes 1 - d of it: copy.lerp_(trained, 1 - d), after each step"
        )
