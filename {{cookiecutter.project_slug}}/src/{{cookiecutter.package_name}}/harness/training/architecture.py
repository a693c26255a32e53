"""The modules of the network with their shapes, parameters and operations, from Lightning's ``ModelSummary``."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader, move_data_to_device
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn

from ..procedure import Procedure

ROWS = 60  # at most; of a larger network, only the outer modules are listed


def architecture(procedure: Procedure, data: L.LightningDataModule) -> list[dict]:
    """The modules of ``procedure.model``, the network itself first. Afterwards, it can no longer be trained.

    Returns:
        For each module ``name``, ``type``, ``parameters``, ``flops`` (a multiplication and an addition are two),
        ``in`` and ``out`` (shapes for one batch).
    """
    # torch's counter of operations fails on a view of a parameter that needs a gradient, such as learned queries
    procedure.eval().requires_grad_(False)
    root = _Root(procedure.model)
    try:
        with torch.compiler.set_stance("force_eager"), torch.random.fork_rng():
            root.example_input_array = _inputs(procedure, data)
            return _rows(root)
    except Exception:  # no step, or a network that is not called, or only within torch.vmap: without shapes
        root.example_input_array = None
        return _rows(root)


class _Root(L.LightningModule):
    """``ModelSummary`` takes a LightningModule, and its inputs from ``example_input_array``."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, args: tuple, kwargs: dict) -> Any:
        return self.model(*args, **kwargs)


def _inputs(procedure: Procedure, data: L.LightningDataModule) -> tuple[tuple, dict]:
    """What ``step`` gives to the network for one batch."""
    given = []
    loaders = data.train_dataloader()
    together = loaders if isinstance(loaders, CombinedLoader) else CombinedLoader(loaders, "max_size_cycle")
    batch, _, _ = next(iter(together))
    try:
        with procedure.model.register_forward_pre_hook(lambda _, *inputs: given.append(inputs), with_kwargs=True):
            procedure.step(move_data_to_device(batch, procedure.device), procedure.test_metrics.clone())
    except Exception:  # what follows the network does not matter, such as self.log, which is not allowed here
        if not given:
            raise
    return given[0]


def _rows(root: _Root) -> list[dict]:
    summary = ModelSummary(root, max_depth=-1)
    flops = {name: sum(counts.values()) for name, counts in summary.flop_counts.items()}
    counted = any(flops.values())  # nothing is counted in a model that differentiates itself
    names, types, parameters = summary.layer_names, summary.layer_types, summary.param_nums
    rows = _folded(
        [
            {"name": name, "type": kind, "parameters": n, "flops": flops[name] if counted else None, "in": i, "out": o}
            for name, kind, n, i, o in zip(names, types, parameters, summary.in_sizes, summary.out_sizes, strict=True)
        ]
    )
    depths = [row["name"].count(".") for row in rows]
    depth = next((d for d in range(max(depths), 0, -1) if sum(x <= d for x in depths) <= ROWS), 0)
    return [row for row, at in zip(rows, depths, strict=True) if at <= depth]


def _folded(rows: list[dict]) -> list[dict]:
    """Of equal blocks in a row only the first, whose type tells their number: ``TransformerEncoderLayer × 6``."""
    found = []
    while rows:
        block, rest = _block(rows)
        times, alike = 1, len(block) > 1 and rows[0]["name"].rpartition(".")[2].isdigit()
        while alike and rest and _relative(again := _block(rest)[0]) == _relative(block):
            times, rest = times + 1, rest[len(again) :]
        found += [rows[0] | {"type": rows[0]["type"] + f" × {times}" * (times > 1)}, *_folded(block[1:])]
        rows = rest
    return found


def _block(rows: list[dict]) -> tuple[list[dict], list[dict]]:
    """The first module with all inside it, and what follows."""
    size = 1 + sum(row["name"].startswith(f"{rows[0]['name']}.") for row in rows[1:])
    return rows[:size], rows[size:]


def _relative(block: list[dict]) -> list[dict]:
    return [row | {"name": row["name"].removeprefix(block[0]["name"])} for row in block]
