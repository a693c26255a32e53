"""Ours beside a reference: forward, metric, loss, gradients, one optimizer step, k training steps.

``compare_with_reference`` compares outputs, ``climb`` all rungs through the configuration. Both name the first module,
in the order of execution, whose output differs. They work on copies and with random numbers of their own.
"""

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils._pytree import tree_map

from .correspondence import Adapted, Call, Rule, Weights, compare, first_difference, size, table, traced, weights_of
from .identity import ROOT
from .training.build import build_procedure, build_trainer

NO_REFERENCE = "no reference yet (TODO(paper))"
# The largest difference allowed, as a share of the largest value of the reference's tensor
TOLERANCE = {
    "forward": {torch.float64: 1e-10, torch.float32: 1e-5},
    "metric": {torch.float64: 1e-10, torch.float32: 1e-5},
    "loss": {torch.float64: 1e-10, torch.float32: 1e-5},
    "gradients": {torch.float64: 1e-9, torch.float32: 1e-4},
    "one step": {torch.float64: 1e-8, torch.float32: 1e-4},
    "k steps": {torch.float64: 1e-7, torch.float32: 1e-3},
}
Found = tuple[dict[str, Tensor], list[Call]]  # at a rung: values by name, and the calls of modules that led to them


@dataclass
class Reference:
    """What there is of a reference. What it lacks is ours on both sides.

    Args:
        model: a module with its weights, or the file that ``tests/record_reference.py`` wrote.
        rules: how its weights become ours. None goes by equal names, or else by order and shape; and where most are
            equal already, it changes none, so that a difference between weights counts.
        call: ``call(model, *inputs)``, with the inputs of our model, returns what ours does, if ``model(*inputs)``
            does not.
        loss: called as our loss is; returns the total, or named terms with the total under ``loss``.
        metric: called as our metrics are updated; returns a value, or values by name.
        optimizer: takes the reference's model.
        scheduler: takes the optimizer; moves at each step.
        steps: k.
        tolerance: changes to ``TOLERANCE``.
        dtypes: those compared; ``(torch.float32,)`` for a reference that casts to it.
    """

    model: nn.Module | Callable | str | Path
    rules: list[Rule | tuple] | None = None
    call: Callable | None = None
    loss: Callable | None = None
    metric: Callable | None = None
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None
    steps: int = 5
    tolerance: dict[str, dict[torch.dtype, float]] = field(default_factory=dict)
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32)


def compare_with_reference(
    ours: nn.Module, reference: Any, inputs: Any = None, atol: float = 1e-5, rules: list[Rule | tuple] | None = None
) -> None:
    """Print the largest and the mean difference of the outputs, in evaluation mode.

    Args:
        ours: our model.
        reference: a module, the file that ``tests/record_reference.py`` wrote, or a ``Reference``.
        inputs: a tensor, a tuple of arguments or a dict of keyword arguments; None for those of the file.
        atol: the largest difference allowed.
        rules: as of ``Reference``.

    Raises:
        AssertionError: the outputs differ by more; says where they begin to.
        ValueError: weights without a counterpart, all of them.
    """
    reference = reference if isinstance(reference, Reference) else Reference(reference, rules)
    theirs, model = _Theirs(reference), Adapted(copy.deepcopy(ours)).eval()
    weights = Weights(model.part, theirs.weights, reference.rules)
    inputs = theirs.inputs if inputs is None else inputs

    def traces(dtype: torch.dtype | None) -> list[list[Call]]:
        return [_run(model, inputs, dtype), theirs.calls or _run(theirs.model, inputs, dtype)]

    with torch.random.fork_rng():
        calls = traces(theirs.dtype)
        rows = compare(*map(_outputs, calls), atol, relative=False)
        largest, mean = (max((getattr(row, which) for row in rows), key=size) for which in ("max", "mean"))
        told = f"max |Δ| {largest:.2g}, mean |Δ| {mean:.2g}, allowed {atol:g}"
        print(f"outputs: {told}\n{weights.told}")
        exact = theirs.dtype or torch.float64
        try:
            calls = traces(exact)  # without the rounding of float32
        except RuntimeError:  # one of the two insists on it
            exact = torch.float32
        where = first_difference(*calls, weights, TOLERANCE["forward"].get(exact, 1e-5))
        hidden = any(by > atol for by in weights.unequal.values())
        if hidden or any(row.differs for row in rows):
            raise AssertionError(f"{'weights' if hidden else 'outputs'} differ, {told}, {where}\n\n{weights.told}")
        if where.startswith("first"):
            print(f"within what is allowed, but not by rounding: {where.splitlines()[0]}")


def climb(cfg: DictConfig, reference: Reference, data: L.LightningDataModule) -> None:
    """Compare rung by rung, through the procedure and the trainer of ``cfg``, and print a table.

    What the reference has takes the place of ours in a copy of the procedure. Up to the gradients this is one training
    batch in evaluation mode; then both are trained on the same batches, batch norm as in training, without dropout.

    Raises:
        AssertionError: a rung differs, and those after it are not tried; says where and by how much.
        ValueError: weights without a counterpart, all of them.
    """
    theirs, ours = _Theirs(reference), build_procedure(cfg).double()  # so that no weight is rounded
    weights = Weights(ours.model, theirs.weights, reference.rules)
    lines, failure, exact = [], "", {}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")  # they are meant to be
        torch.manual_seed(cfg.seed)
        batch = theirs.batch if theirs.calls else next(iter(data.train_dataloader()))
        sides = {}
        for dtype in (theirs.dtype,) if theirs.calls else reference.dtypes:
            climber = _rungs(cfg, copy.deepcopy(ours), batch, theirs.inputs, data, reference.steps, dtype)
            other = theirs.found or _rungs(cfg, theirs.in_place(ours), batch, None, data, reference.steps, dtype)
            sides[dtype] = zip(other, climber, strict=False)  # theirs first: a file ends before the training
        for rung, allowed in TOLERANCE.items():
            cells, name = [], rung.replace("k ", f"{reference.steps} ")
            for dtype, pair in sides.items() if not failure else ():
                (other, their_calls), (mine, calls) = next(pair, (({}, []), ({}, [])))
                if not mine or not other:
                    continue
                other = weights.translate(other)
                tolerance = {**allowed, **reference.tolerance.get(rung, {})}[dtype]
                rows = compare(mine, other, tolerance)
                if rung in exact:  # float32 after float64: ten times the reference's own rounding is no difference
                    rounding = {row.name: row.max for row in compare(other, exact[rung], 1)}
                    usual = max(rounding.values())
                    rows = [row._replace(allowed=max(row.allowed, 10 * rounding.get(row.name, usual))) for row in rows]
                exact[rung] = other
                worst = max(rows, key=lambda row: (row.differs, size(row.max / row.scale)))
                cells += [f"{number:.1e}" for number in (worst.max, worst.mean, worst.allowed)]
                if worst.differs:
                    where = first_difference(calls, their_calls, weights, tolerance) if calls else _differing(rows)
                    failure = f"{name}: {_name(dtype)} differs, {where}\n\n"
                    break
            verdict = "differs" if failure and cells else "not tried" if failure else "equal" if cells else "–"
            lines.append([name, verdict, *cells])
    columns = [column for dtype in sides for column in (f"{_name(dtype)} max |Δ|", "mean |Δ|", "allowed")]
    told = f"{table(['rung', '', *columns], lines)}\n\n{weights.told}"
    if failure:
        raise AssertionError(failure + told)
    print(told)


class _Theirs:
    """The reference: a copy of its module, or what a file tells of it."""

    def __init__(self, reference: Reference):
        self.reference, self.inputs, self.batch, self.dtype = reference, None, None, None
        self.calls: list[Call] = []
        self.found: list[Found] = []
        if not isinstance(reference.model, str | Path):
            self.model = Adapted(copy.deepcopy(reference.model), reference.call).eval()
            self.weights = weights_of(reference.model)
            return
        rooms: dict[str, dict[str, Tensor]] = defaultdict(dict)
        path = Path(reference.model)
        for key, value in _read(path if path.exists() else ROOT / path).items():
            room, _, name = key.partition("/")
            rooms[room][name] = value
        outputs, self.inputs, self.weights = _tree(rooms["outputs"]), _tree(rooms["inputs"]), rooms["weights"]
        self.dtype = outputs[0].dtype
        self.calls = [Call(name.partition("/")[2], [], [output]) for name, output in sorted(rooms["modules"].items())]
        self.calls.append(Call("", [], list(outputs)))
        if rooms["targets"]:
            self.batch = (*self.inputs, *_tree(rooms["targets"]))
        loss = {"loss": rooms["loss"][""]} if rooms["loss"] else {}
        self.found = [(_outputs(self.calls), self.calls), (rooms["metric"], []), (loss, []), (rooms["gradients"], [])]

    def in_place(self, ours: L.LightningModule) -> L.LightningModule:
        """A copy of our procedure with the parts of the reference."""
        procedure, reference, model = copy.deepcopy(ours), self.reference, copy.deepcopy(self.model)
        for average in [module for module in procedure.modules() if isinstance(module, AveragedModel)]:
            average.module = copy.deepcopy(model)
        procedure.model = model
        if reference.loss:
            procedure.loss = Adapted(reference.loss, lambda loss, *args: _named(loss(*args), "loss"))
        if reference.metric:
            procedure.val_metrics = _Measure(reference.metric)
        if reference.optimizer:
            procedure.optimizer = lambda parameters: reference.optimizer(model.part)
        if reference.scheduler:
            procedure.scheduler = lambda optimizer, total_steps: {
                "scheduler": reference.scheduler(optimizer),
                "interval": "step",
            }
        return procedure


class _Measure(nn.Module):
    """A function in the place of metrics, called with what they are updated with."""

    def __init__(self, function: Callable):
        super().__init__()
        self.function, self.values = function, {}

    def update(self, *args: Any) -> None:
        self.values = _named(self.function(*args), "metric")

    def compute(self) -> dict[str, Tensor]:
        return self.values


def _named(value: Any, name: str) -> dict[str, Tensor]:
    return {key: torch.as_tensor(v) for key, v in (value if isinstance(value, dict) else {name: value}).items()}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; no code in it is run."""
    if path.suffix == ".safetensors":
        try:
            from safetensors.torch import load_file
        except ModuleNotFoundError:
            raise ModuleNotFoundError(f"{path.name} needs safetensors: pip install safetensors") from None
        return load_file(path)
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def _tree(room: dict[str, Tensor]) -> tuple[Tensor, ...] | dict[str, Tensor]:
    if all(name.isdigit() for name in room):
        return tuple(room[name] for name in sorted(room, key=int))
    return room


def _outputs(calls: list[Call]) -> dict[str, Tensor]:
    outputs = [output for call in calls if not call.name for output in call.outputs]
    return {f"output {number}": output for number, output in enumerate(outputs, start=1)}


def _cast(tree: Any, dtype: torch.dtype) -> Any:
    def cast(leaf: Any) -> Any:
        return leaf.to(dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

    return tree_map(cast, tree)


def _apply(model: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple | list) else model(inputs)


@contextmanager
def _default(dtype: torch.dtype, seed: int = 0) -> Iterator[None]:
    """Random numbers from the seed, and new tensors of the dtype."""
    before = torch.get_default_dtype()
    torch.manual_seed(seed)
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _run(model: nn.Module, inputs: Any, dtype: torch.dtype | None) -> list[Call]:
    if dtype:
        model, inputs = copy.deepcopy(model).to(dtype), _cast(inputs, dtype)
    # with gradients, for without them torch computes whole transformer layers past their modules
    with _default(dtype or torch.get_default_dtype()), torch.enable_grad(), traced(model) as calls:
        _apply(model, inputs)
    return calls


def _rungs(
    cfg: DictConfig,
    procedure: L.LightningModule,
    batch: Any,
    inputs: Any,
    data: L.LightningDataModule,
    steps: int,
    dtype: torch.dtype,
) -> Iterator[Found]:
    """What a procedure gives at each rung, and the calls of its modules at the first."""
    procedure.to(dtype)
    for module in procedure.modules():
        module.training = module is procedure  # as in training, but without dropout of whatever form
    model, measure, terms = procedure.model, procedure.val_metrics, {}
    with _default(dtype, cfg.seed), traced(model) as calls:
        if batch is None:  # the file has no targets
            _apply(model, _cast(inputs, dtype))
        else:
            terms = procedure.step(_cast(batch, dtype), measure)
    yield _outputs(calls), calls
    updated = isinstance(measure, _Measure) or any(metric.update_called for metric in measure.values())
    yield {name.rpartition("/")[2]: value for name, value in measure.compute().items()} if updated else {}, []
    yield {name: term.detach() for name, term in terms.items()}, []
    if not terms:
        return
    part = model.part if isinstance(model, Adapted) else model
    trained = {name: p for name, p in part.named_parameters(remove_duplicate=False) if p.requires_grad}
    gradients = torch.autograd.grad(terms["loss"], list(trained.values()), materialize_grads=True)
    yield dict(zip(trained, gradients, strict=True)), []
    for module in procedure.modules():
        module.training |= module._buffers.get("running_mean") is not None  # batch norm
    record = _Record(cfg.seed, steps, part)
    one = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto", "val_check_interval": None}
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    precision = "64-true" if dtype == torch.float64 else "32-true"
    L.seed_everything(cfg.seed, workers=True, verbose=False)  # the same batches
    build_trainer(cfg, [record], precision=precision, **one, **quiet).fit(procedure, datamodule=data)
    yield record.after[0], []
    yield record.after[-1], []


class _Record(L.Callback):
    """Keeps what the first and the last step made, with the same random numbers for each; ends the training."""

    def __init__(self, seed: int, steps: int, model: nn.Module):
        self.seed, self.steps, self.model, self.rates, self.after = seed, steps, model, [], []

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        torch.manual_seed(self.seed + trainer.global_step)

    def on_before_optimizer_step(self, trainer: L.Trainer, procedure: Any, optimizer: torch.optim.Optimizer) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        torch.manual_seed(self.seed + trainer.global_step)  # for the batches that are drawn next
        if trainer.global_step and not self.after:
            named = self.model.named_parameters(remove_duplicate=False)
            self.after.append(self._with_rates({name: p.detach().clone() for name, p in named}))
        if trainer.global_step >= self.steps:
            self.after.append(self._with_rates(weights_of(self.model)))  # and the statistics of batch norm
            trainer.should_stop = True

    def _with_rates(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**weights, "learning rate": torch.tensor(self.rates, dtype=torch.float64)}


def _differing(rows: list) -> str:
    """What of a rung differs; of gradients, those nearest to the loss first."""
    rows = [row for row in rows if row.differs][::-1]
    lines = []
    for row in rows[:6]:
        values = (row.ours, row.theirs)
        shown = [f"{v.item():.6g}" if v.numel() == 1 else str(tuple(v.shape)) for v in values]
        lines.append([row.name, *shown, *(f"{number:.1e}" for number in (row.max, row.mean, row.allowed))])
    more = f"\n  … and {len(rows) - 6} more" if len(rows) > 6 else ""
    header = ["", "ours", "reference", "max |Δ|", "mean |Δ|", "allowed"]
    return f"first in {rows[0].name}\n\n{table(header, lines)}{more}"
