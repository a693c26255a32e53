"""The modules of the network with their shapes, parameters and operations, as one batch passes through them."""

from contextlib import suppress
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader, move_data_to_device
from lightning.pytorch.utilities.model_summary import parse_batch_shape
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..procedure import Procedure

ROWS = 60  # at most; of a larger network, only the outer modules are listed


def architecture(procedure: Procedure, data: L.LightningDataModule) -> list[dict]:
    """The modules of ``procedure.model``, the network itself first. Afterwards, it can no longer be trained.

    Returns:
        For each module ``name``, ``type``, ``parameters``, ``flops`` (a multiplication and an addition are two),
        ``in`` and ``out`` (shapes for one batch, "?" for a module that ``step`` does not call).
    """
    model, shapes, counter = procedure.model, {}, FlopCounterMode(display=False)

    def note(module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        given = [*args, *kwargs.values()]
        shapes.setdefault(module, [parse_batch_shape(x) for x in (given[0] if len(given) == 1 else given, output)])
        if module is model:
            raise StopIteration  # a step may call it again; what follows, such as self.log, does not matter

    for name, child in procedure.named_children():  # a step in evaluation mode may call an average of the network
        if type(getattr(child, "module", child)) is type(model):
            setattr(procedure, name, model)
    # torch's counter of operations fails on a view of a parameter that needs a gradient, such as learned queries
    procedure.eval().requires_grad_(False)
    loaders = data.train_dataloader()
    together = loaders if isinstance(loaders, CombinedLoader) else CombinedLoader(loaders, "max_size_cycle")
    hook = nn.modules.module.register_module_forward_hook(note, with_kwargs=True)
    with suppress(Exception), torch.compiler.set_stance("force_eager"), torch.random.fork_rng(), counter, hook:
        batch = move_data_to_device(next(iter(together))[0], procedure.device)
        procedure.step(batch, procedure.test_metrics.clone())
    flops = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    network, rows = type(model).__name__, []
    first = {module: name for name, module in model.named_modules()}  # under which a shared module is counted
    for name, module in model.named_modules(remove_duplicate=False):
        given, output = shapes.get(module, ["?", "?"])
        # nothing is counted in a model that differentiates itself
        counted = flops.get(f"{network}.{first[module]}".rstrip("."), 0) if flops.get(network) else None
        sizes = {"parameters": sum(map(torch.numel, module.parameters())), "flops": counted, "in": given, "out": output}
        rows.append({"name": f"model.{name}".rstrip("."), "type": type(module).__name__, **sizes})
    depths = [row["name"].count(".") for row in rows]
    depth = next((d for d in range(max(depths), 0, -1) if sum(x <= d for x in depths) <= ROWS), 0)
    return [row for row, at in zip(rows, depths, strict=True) if at <= depth]
