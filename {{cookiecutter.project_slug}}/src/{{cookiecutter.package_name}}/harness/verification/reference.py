"""Compare our implementation with a reference: forward, metric, loss, gradients, one optimizer step, k steps.

``climb`` compares all of these through the configuration. Where outputs differ, it names the first module that differs. It
works on copies and leaves the random state as it was.
"""

import copy
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..identity import ROOT
from ..training.build import ALONE, build_procedure, build_trainer
from .weights import Rule, Weights

NO_REFERENCE = "there is no reference to compare with"
TOLERANCE = {  # the largest difference allowed, relative to the largest value of a tensor
    "forward": {torch.float64: 1e-10, torch.float32: 1e-5},
    "metric": {torch.float64: 1e-10, torch.float32: 1e-5},
    "loss": {torch.float64: 1e-10, torch.float32: 1e-5},
    "gradients": {torch.float64: 1e-9, torch.float32: 1e-4},
    "one step": {torch.float64: 1e-8, torch.float32: 1e-4},
    "k steps": {torch.float64: 1e-7, torch.float32: 1e-3},
}
Values = dict[str, Tensor]
Rungs = dict[str, Values]  # what one side computes at each rung, and what its "modules" return in the first one


@dataclass
class Reference:
    """A reference implementation, or those parts of it that exist. The other parts are ours on both sides."""

    model: nn.Module | str  # with its weights, or the file that tests/record_reference.py wrote
    rules: list[Rule | tuple] | None = None  # which of its weights is which of ours; see Weights
    call: Callable | None = None  # call(model, *inputs) returns what our model returns, if model(*inputs) does not
    loss: Callable | None = None  # takes what our loss takes; returns the total, or a dict with the total as "loss"
    metric: Callable | None = None  # takes what our metrics take; returns a value, or a dict of values
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None  # takes the model of the reference
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None  # its schedule moves after each step
    steps: int = 5  # the k of the last rung
    tolerance: dict[str, dict[torch.dtype, float]] = field(default_factory=dict)  # changes to TOLERANCE
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32)  # (torch.float32,) if the reference casts to it


def climb(cfg: DictConfig, reference: Reference, data: L.LightningDataModule) -> None:
    """Train ours and the reference for k steps as ``cfg`` says, compare them rung by rung, and print a table.

    The parts of the reference replace ours in a copy of the procedure. Both see the same batches, with batch norm in
    training mode and without dropout. A file has one batch, in evaluation mode, and ends with the gradients. In
    float32, ten times the reference's own rounding is allowed as well.

    Raises:
        AssertionError: a rung differs. The message says where and by how much.
        ValueError: some weights do not match.
    """
    ours, (reference, recorded) = build_procedure(cfg).double(), _load(reference)  # double: loading rounds no weight
    weights = Weights(ours.model, recorded["weights"], reference.rules)
    if recorded["forward"]:
        batch = (*recorded["inputs"].values(), *recorded["targets"].values())
        data = torch.utils.data.DataLoader([batch], batch_size=None)
    sides, rows = {}, [[rung.replace("k ", f"{reference.steps} "), "not compared"] for rung in TOLERANCE]
    with torch.random.fork_rng():
        for dtype in reference.dtypes:
            train = partial(_train, cfg, data, dtype, reference.steps)
            other = recorded if recorded["forward"] else train(_replaced(ours, reference))
            sides[dtype] = train(copy.deepcopy(ours)), other

    def report() -> str:
        header = ["rung", "", *(text for dtype in sides for text in (f"{str(dtype)[6:]} |Δ|", "allowed"))]
        lines = ["".join(f"  {cell:12}" for cell in row).rstrip() for row in [header, *rows]]
        return "\n".join([*lines, "", weights.summary])

    for row, (rung, tolerance) in zip(rows, TOLERANCE.items(), strict=True):
        row[1], exact = "–", None
        for dtype, (mine, other) in sides.items():
            if not mine[rung] or not other[rung]:
                continue
            values, bound = weights.translate(other[rung]), {**tolerance, **reference.tolerance.get(rung, {})}[dtype]
            if len(values) == len(mine[rung]) == 1:  # a metric may have another name
                values = dict(zip(mine[rung], values.values(), strict=True))
            exact = exact or values  # in float64
            largest, allowed, problem = compare(mine[rung], values, bound, exact=exact)
            row[1:] = ["differs" if problem else "equal", *row[2:], f"{largest:.1e}", f"{allowed:.1e}"]
            if problem:
                if rung == "forward":
                    problem = first_difference(mine, other, weights, bound) or problem
                raise AssertionError(f"{row[0]}: {str(dtype)[6:]} differs, {problem}\n\n{report()}")
    print(report())


def compare(ours: Values, theirs: Values, tolerance: float, exact: Values | None = None) -> tuple[float, float, str]:
    """Return max |Δ|, what is allowed, and the message of ``assert_close`` if it is more, for the worst tensor.

    ``tolerance`` is relative to the largest value of a tensor, or to a thousandth of the largest value of all tensors.
    Ten times the rounding of theirs is allowed as well, if ``exact`` has theirs without rounding.
    """
    if missing := theirs.keys() - ours.keys():
        raise ValueError(f"Ours has no {', '.join(missing)}. Choose one output: call=lambda model, *x: model(*x)[0].")
    largest = {name: value.abs().nan_to_num(0, 0).max().item() for name, value in theirs.items()}
    least = max(largest.values()) / 1000 or 1.0
    found = []
    for name in reversed([name for name in ours if name in theirs]):  # gradients: those next to the loss first
        one, other = ours[name], theirs[name]
        rounding = (other - exact[name]).abs().nan_to_num(0).max().item() if exact else 0.0
        allowed = max(tolerance * max(largest[name], least), 10 * rounding)
        distance = (one - other).abs().nan_to_num(0).max().item() if one.shape == other.shape else torch.inf
        found.append((distance / (allowed or 1.0), distance, allowed))
        try:
            torch.testing.assert_close(one, other, rtol=0, atol=allowed, check_dtype=False)
        except AssertionError as error:
            return distance, allowed, f"first in {name}\n\n{error}"
    return *max(found)[1:], ""


def first_difference(ours: Rungs, theirs: Rungs, weights: Weights, tolerance: float) -> str:
    """Name the first module with weights whose output differs, and the last equal one. Empty if no output differs."""
    equal, pairs = "the input", weights.modules() | {"the output": "the output"}
    for name, output in ours["modules"].items():
        other = pairs.get(name)
        expected = theirs["modules"].get(other)
        if expected is not None and expected.shape == output.shape:
            if compare({name: output}, {name: expected}, tolerance)[2]:
                return f"first in {name}" + f" ({other} of the reference)" * (name != other) + f"; equal up to {equal}"
            equal = name
    return ""


def _trace(model: nn.Module, rungs: Rungs) -> torch.utils.hooks.RemovableHandle:
    """Record what the model and its modules return, until the handle is removed."""
    names = {module: name or "the output" for name, module in model.named_modules()}

    def record(module: nn.Module, args: Any, output: Any) -> None:
        if module in names:
            outputs = [leaf.detach().clone() for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
            if outputs:
                rungs["modules"][names[module]] = outputs[0]
            if module is model:
                rungs["forward"] |= {f"output {n}": x for n, x in enumerate(outputs, len(rungs["forward"]) + 1)}

    return nn.modules.module.register_module_forward_hook(record)


def _train(cfg: DictConfig, data: Any, dtype: torch.dtype, steps: int, procedure: L.LightningModule) -> Rungs:
    """Train for some steps, and return what is computed at each rung."""
    rungs, rates, model, metrics = defaultdict(dict), [], procedure.to(dtype).model, procedure.train_metrics
    metric, update = metrics.clone(), metrics.update

    def measure(*args: Any) -> None:
        update(*args)
        rungs["metric"] = rungs["metric"] or {key.rpartition("/")[2]: value for key, value in metric(*args).items()}

    def before_step(trainer: L.Trainer, procedure: L.LightningModule, optimizer: torch.optim.Optimizer) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        for name, p in model.named_parameters(remove_duplicate=False):
            if p.requires_grad:
                rungs["gradients"].setdefault(name, torch.zeros_like(p) if p.grad is None else p.grad.clone())

    def after_batch(trainer: L.Trainer, procedure: L.LightningModule, *_: Any) -> None:
        trace.remove()
        rungs["loss"] = rungs["loss"] or {name: term.detach() for name, term in procedure.terms.items()}
        if rates:
            rungs["k steps"] = copy.deepcopy(dict(model.state_dict()))
            rungs["k steps"]["learning rate"] = torch.tensor(rates, dtype=torch.float64)
            rungs.setdefault("one step", rungs["k steps"])
        trainer.should_stop = trainer.global_step >= steps

    metrics.update = measure
    for module in procedure.modules():
        batch_norm = isinstance(data, L.LightningDataModule) and getattr(module, "running_mean", None) is not None
        module.training = module is procedure or batch_norm
    settings = {"accelerator": "cpu", "limit_val_batches": 0, "val_check_interval": None}
    callback = L.pytorch.callbacks.LambdaCallback(on_before_optimizer_step=before_step, on_train_batch_end=after_batch)
    trainer = build_trainer(cfg, [callback], precision=f"{torch.finfo(dtype).bits}-true", **ALONE | settings)
    L.seed_everything(cfg.seed, workers=True, verbose=False)  # for the same batches
    with _trace(model, rungs) as trace:
        trainer.fit(procedure, data)
    return rungs


def _replaced(ours: L.LightningModule, reference: Reference) -> L.LightningModule:
    """A copy of our procedure with the parts of the reference."""
    procedure, model = copy.deepcopy((ours, reference.model))
    procedure.model = model
    for module in list(procedure.modules()):
        if isinstance(module, torch.optim.swa_utils.AveragedModel):
            module.module = copy.deepcopy(model).requires_grad_(False)
    if reference.loss:
        procedure.loss.forward = lambda *args: _named("loss", reference.loss(*args))
    if reference.metric:
        procedure.train_metrics.forward = lambda *args: _named("metric", reference.metric(*args))
    if reference.optimizer:
        procedure.optimizer = lambda parameters: reference.optimizer(model)
    if reference.scheduler:
        procedure.scheduler = lambda optimizer, **_: {"scheduler": reference.scheduler(optimizer), "interval": "step"}
    return procedure


def _load(reference: Reference) -> tuple[Reference, Rungs]:
    """Copy the model and take its weights, or read the file."""
    if isinstance(reference.model, nn.Module):
        model = copy.deepcopy(reference.model).eval()
        recorded = defaultdict(dict, weights=copy.deepcopy(model.state_dict()))
        if reference.call:  # it calls another object with the same weights and modules
            model.forward = partial(reference.call, copy.copy(model))
        return replace(reference, model=model), recorded
    recorded = defaultdict(dict)
    with np.load(ROOT / reference.model, allow_pickle=False) as arrays:
        for key in arrays.files:
            group, _, name = key.partition("/")
            recorded[group][name or group] = torch.from_numpy(arrays[key])
    recorded["modules"] = {name.partition("/")[2]: output for name, output in recorded["modules"].items()}
    recorded["forward"] = {f"output {n}": x for n, x in enumerate(recorded["outputs"].values(), 1)}
    recorded["modules"]["the output"] = recorded["forward"]["output 1"]
    return replace(reference, dtypes=(recorded["forward"]["output 1"].dtype,)), recorded


def _named(name: str, value: Any) -> Values:
    return {key: torch.as_tensor(v) for key, v in (value if isinstance(value, dict) else {name: value}).items()}
