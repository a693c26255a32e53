"""Callbacks that Lightning does not have."""

import math
import os
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

from ..identity import UsageError
from .resume import random_state


class FiniteLoss(Callback):
    """Stops the training when a loss is not finite, in all processes, before its gradient reaches the weights.

    The batch, the weights and the random state of that step are saved, so that ``replay.py`` can run it again.

    The loss is read just before the optimizer steps, while the backward pass keeps the GPU busy. If it were read
    earlier, the GPU would have to wait.

    Args:
        dirpath: folder of the run.
    """

    def __init__(self, dirpath: str):
        self.path = Path(dirpath) / "nonfinite.pt"
        # A loss, the first process in which it is not finite, and the end of the copy of that number from the GPU
        self._unread: tuple[Tensor, Tensor, torch.cuda.Event | None] | None = None

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._draws_outside_torch = (
            True  # until a step of this epoch draws nothing from Python's and NumPy's generators
        )

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.batch, device = batch, pl_module.device
        if self._draws_outside_torch:  # reading these generators can take as long as a small training step
            self.random = random_state()
        gpu = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
        self.random |= {"torch": torch.get_rng_state(), "torch.cuda": gpu}

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *of_batch: Any) -> None:
        self._read(trainer, pl_module)  # when gradients are accumulated, the optimizer has not stepped
        if self._draws_outside_torch:
            before, now = self.random, random_state()
            self._draws_outside_torch = any(
                before[name][2:] != now[name][2:] or not torch.equal(before[name][1], now[name][1])
                for name in ("python", "numpy")
            )

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        if trainer.world_size == 1 and not loss.is_cuda:
            if not math.isfinite(loss.item()):
                self._stop(trainer, pl_module, loss, trainer.global_rank)
            return
        self._read(trainer, pl_module)  # a procedure may go backward several times before it steps
        first = torch.where(loss.isfinite(), trainer.world_size, trainer.global_rank)
        if trainer.world_size > 1:
            torch.distributed.all_reduce(first, torch.distributed.ReduceOp.MIN)
        on_cpu = first.to("cpu", non_blocking=True)
        copied = torch.cuda.current_stream(loss.device).record_event() if loss.is_cuda else None
        self._unread = loss.detach(), on_cpu, copied

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self._read(trainer, pl_module)

    def _read(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop if the last loss was not finite in some process."""
        if self._unread is None:
            return
        (loss, first, copied), self._unread = self._unread, None
        if copied:
            copied.synchronize()
        if first.item() < trainer.world_size:
            self._stop(trainer, pl_module, loss, first.item())

    def _stop(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor, first: int) -> None:
        cpu, saved = torch.device("cpu"), {}
        if trainer.global_rank == first:
            terms = {name: term.detach() for name, term in {"loss": loss, **pl_module.terms}.items()}
            saved = {"terms": terms, "batch": self.batch, "random": self.random}
        saved = trainer.strategy.broadcast(move_data_to_device(saved, cpu), first)
        weights = trainer.strategy.lightning_module_state_dict()  # of all processes, where they are sharded
        saved |= {"step": trainer.global_step, "state_dict": move_data_to_device(weights, cpu)}
        if trainer.is_global_zero:
            torch.save(saved, self.path)
        package, path = __name__.split(".")[0], os.path.relpath(self.path)
        process = f", process {first}" if trainer.world_size > 1 else ""
        raise UsageError(
            f"The loss is not finite at step {saved['step']} (epoch {trainer.current_epoch}{process}): "
            f"{', '.join(f'{name} {term:.4g}' for name, term in saved['terms'].items())}. Training has stopped before "
            f"the weights were changed. {path} holds the step and its batch. To run the step again:\n"
            f"  python -c \"from {package}.harness.training.replay import replay; replay('{path}')\""
        )


class OwnNoise(Callback):
    """Lets each process draw its own noise. The order of the samples, which all processes share, is drawn elsewhere.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.global_rank > 0:  # after Lightning has given all processes the same seed
            torch.manual_seed(self.seed + 1_000_003 * trainer.global_rank)
