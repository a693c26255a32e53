"""What the network is made of: its modules with shapes, parameters and operations, as Lightning sums them up."""

import logging
from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import move_data_to_device
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn

from ..procedure import Procedure

log = logging.getLogger(__name__)
ROWS = 60  # more modules than that are summed up by their parents


def architecture(trainer: L.Trainer, procedure: Procedure, data: L.LightningDataModule) -> list[dict] | None:
    """The modules of ``procedure.model``, the network itself first, in the order in which they are called.

    Returns:
        For each module ``name``, ``type``, ``parameters``, ``flops`` (a multiplication and an addition are two),
        ``in`` and ``out`` (shapes for a batch of the test); None where the network is sharded.
    """
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        return None
    procedure.eval()
    root = _Root(procedure.model)
    trained = [parameter for parameter in root.parameters() if parameter.requires_grad]
    for parameter in trained:  # a view of one, such as learned queries for a batch, would confuse torch's counter
        parameter.requires_grad_(False)
    try:
        with torch.compiler.set_stance("force_eager"), torch.random.fork_rng():
            root.example_input_array = _inputs(procedure, data)
            return _rows(root)
    except Exception as error:  # a training is not lost for its summary
        log.warning("The architecture is recorded without shapes: %s: %s", type(error).__name__, error)
        root.example_input_array = None
        return _rows(root)
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _rows(root: "_Root") -> list[dict]:
    depths = [name.count(".") + 1 for name, _ in root.named_modules() if name]
    depth = next((d for d in range(max(depths), 1, -1) if sum(x <= d for x in depths) <= ROWS), 1)
    summary = ModelSummary(root, max_depth=-1)
    flops = {name: sum(counts.values()) for name, counts in summary.flop_counts.items()}
    if not any(flops.values()):  # nothing was counted, as in a model that differentiates itself
        flops = dict.fromkeys(flops)
    kinds = zip(
        summary.layer_names,
        summary.layer_types,
        summary.param_nums,
        summary.in_sizes,
        summary.out_sizes,
        strict=True,
    )
    rows = [
        {"name": name, "type": kind, "parameters": parameters, "flops": flops[name], "in": given, "out": returned}
        for name, kind, parameters, given, returned in kinds
        if name.count(".") < depth
    ]
    called = {name: position for position, name in enumerate(dict.fromkeys(root.called))}

    def order(row: dict) -> list:  # of its parents, then its own
        parts = row["name"].split(".")
        return [called.get(".".join(parts[:n]), len(called)) for n in range(1, len(parts) + 1)]

    return sorted(rows, key=order)


class _Root(L.LightningModule):
    """Lightning sums up modules of its own kind, from the inputs in ``example_input_array``."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.called: list[str] = []

    def forward(self, args: tuple, kwargs: dict) -> Any:
        handles = [
            module.register_forward_pre_hook(lambda *_, name=name: self.called.append(name))
            for name, module in self.named_modules()
            if name
        ]
        try:
            return self.model(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()


class _Called(Exception):
    pass


def _inputs(procedure: Procedure, data: L.LightningDataModule) -> tuple[tuple, dict]:
    """What the procedure gives to the network for a batch: it runs until there."""
    given = []

    def keep(module: nn.Module, args: tuple, kwargs: dict) -> None:
        given.append((args, kwargs))
        raise _Called

    handle = procedure.model.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        batch = next(iter(data.train_dataloader()))
        procedure.step(move_data_to_device(batch, procedure.device), procedure.test_metrics.clone())
    except _Called:
        pass
    finally:
        handle.remove()
    return given[0]
