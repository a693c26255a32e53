"""The modules of the network with their shapes, parameters and operations, from Lightning's ``ModelSummary``."""

import contextlib
import logging
from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import CombinedLoader, move_data_to_device
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn

from ..procedure import Procedure

log = logging.getLogger(__name__)
ROWS = 60  # of a larger network, only the outer modules are listed


def architecture(trainer: L.Trainer, procedure: Procedure, data: L.LightningDataModule) -> list[dict] | None:
    """The modules of ``procedure.model``, the network itself first, in the order in which they are called.

    Afterwards, the procedure can no longer be trained.

    Returns:
        For each module ``name``, ``type``, ``parameters``, ``flops`` (a multiplication and an addition are two),
        ``in`` and ``out`` (shapes for one batch). None if the network is sharded.
    """
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        return None
    # torch's counter of operations fails on a view of a parameter that needs a gradient, such as learned queries
    procedure.eval().requires_grad_(False)
    root = _Root(procedure.model)
    try:
        with torch.compiler.set_stance("force_eager"), torch.random.fork_rng():
            root.example_input_array = _inputs(procedure, data)
            return _rows(root)
    except Exception as error:  # the result of a training must not be lost because of its summary
        log.warning("The architecture is recorded without shapes: %s: %s", type(error).__name__, error)
        root.example_input_array = None
        return _rows(root)


class _Root(L.LightningModule):
    """``ModelSummary`` takes a LightningModule, and its inputs from ``example_input_array``."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.calls: list[str] = []

    def forward(self, args: tuple, kwargs: dict) -> Any:
        with contextlib.ExitStack() as handles:
            for name, module in self.named_modules():
                hook = module.register_forward_pre_hook(lambda *_, name=name: self.calls.append(name))
                handles.callback(hook.remove)
            return self.model(*args, **kwargs)


class _Called(Exception):
    """Ends a step at the moment at which it calls the network."""


def _inputs(procedure: Procedure, data: L.LightningDataModule) -> tuple[tuple, dict]:
    """What the procedure gives to the network for one batch."""
    given = []

    def keep(module: nn.Module, args: tuple, kwargs: dict) -> None:
        given.append((args, kwargs))
        raise _Called

    handle = procedure.model.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        loaders = data.train_dataloader()
        together = loaders if isinstance(loaders, CombinedLoader) else CombinedLoader(loaders, "max_size_cycle")
        batch, _, _ = next(iter(together))
        procedure.step(move_data_to_device(batch, procedure.device), procedure.test_metrics.clone())
    except _Called:
        pass
    finally:
        handle.remove()
    return given[0]


def _rows(root: _Root) -> list[dict]:
    depths = [name.count(".") + 1 for name, _ in root.named_modules() if name]
    depth = next((d for d in range(max(depths), 1, -1) if sum(x <= d for x in depths) <= ROWS), 1)
    summary = ModelSummary(root, max_depth=-1)
    flops = {name: sum(counts.values()) for name, counts in summary.flop_counts.items()}
    counted = any(flops.values())  # nothing is counted in a model that differentiates itself
    names, types, parameters = summary.layer_names, summary.layer_types, summary.param_nums
    rows = [
        {"name": name, "type": kind, "parameters": number, "flops": flops[name] if counted else None, "in": i, "out": o}
        for name, kind, number, i, o in zip(names, types, parameters, summary.in_sizes, summary.out_sizes, strict=True)
        if name.count(".") < depth
    ]
    position = {name: number for number, name in enumerate(dict.fromkeys(root.calls))}

    def order(row: dict) -> list[int]:
        """The positions of its parents, then its own."""
        parts = row["name"].split(".")
        return [position.get(".".join(parts[:n]), len(position)) for n in range(1, len(parts) + 1)]

    return sorted(rows, key=order)
