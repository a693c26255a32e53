"""Runs the step again at which ``FiniteLoss`` has stopped a training."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities import move_data_to_device
from lightning_utilities.core.apply_func import apply_to_collection
from omegaconf import OmegaConf
from torch import Tensor

from .build import build_procedure
from .resume import set_random_state


def replay(path: str) -> tuple[L.LightningModule, Any]:
    """Run the step in ``nonfinite.pt`` again, and print which module was the first with an output that is not finite.

    It runs on a GPU if it did before and there is one, because the CPU draws other random numbers than a GPU.

    Returns:
        The procedure as it was before the step, and the batch.
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if not torch.cuda.is_available():
        saved["random"]["torch.cuda"] = []
    procedure = build_procedure(OmegaConf.load(Path(path).with_name("config.yaml"))).train()
    procedure.load_state_dict(saved["state_dict"])
    procedure.to("cuda" if saved["random"]["torch.cuda"] else "cpu")
    batch, not_finite = move_data_to_device(saved["batch"], procedure.device), []

    def watch(name: str, output: Any) -> None:
        def look(value: Tensor) -> Tensor:
            if value.is_floating_point() and not value.isfinite().all():
                not_finite.append(name)
            return value

        apply_to_collection(output, Tensor, look, allow_frozen=True)

    for name, module in procedure.named_modules():
        module.register_forward_hook(lambda module, inputs, output, name=name: watch(name, output))
    set_random_state(saved["random"])
    terms = procedure.step(batch, procedure.train_metrics)
    print(f"step {saved['step']}: {', '.join(f'{name} {term.item():.4g}' for name, term in terms.items())}")
    first = f"The first module whose output is not finite: {not_finite[0]}" if not_finite else None
    print(first or "The output of every module is finite.")
    return procedure, batch
