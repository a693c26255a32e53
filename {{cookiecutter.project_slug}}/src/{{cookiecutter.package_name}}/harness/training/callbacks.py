"""Callbacks that Lightning does not have."""

import math
import os
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.seed import _collect_rng_states
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import move_data_to_device
from omegaconf import OmegaConf
from torch import Tensor

from ..identity import UsageError
from .checkpoints import random_tensors, set_random_state


class FiniteLoss(Callback):
    """Stops a training whose loss is not finite, in all processes alike, before its gradient reaches the weights.

    The batch, the weights and the random state of that step are saved, so that ``replay`` can run it again.

    To look at a loss on a GPU at once would be to wait until it is computed, with nothing else to compute then. So it is
    looked at just before the optimizer steps, when the backward pass keeps the GPU busy.

    Args:
        dirpath: folder of the run.
    """

    def __init__(self, dirpath: str):
        self.path = Path(dirpath) / "nonfinite.pt"
        self._asked: tuple[Tensor, Tensor, torch.cuda.Event | None] | None = None

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._draws = True  # does a step, from NumPy's generator or Python's? until one has shown that it does not

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.batch, device = batch, pl_module.device
        if self._draws:  # their states take a tenth of a millisecond
            self.random = _collect_rng_states(include_cuda=False)
        gpu = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
        self.random |= {"torch": torch.get_rng_state(), "torch.cuda": gpu}

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *of_batch: Any) -> None:
        self._look(trainer, pl_module)  # where gradients are accumulated, nothing has stepped
        if self._draws:
            now, before = _collect_rng_states(include_cuda=False), self.random
            self._draws = now["python"] != before["python"] or now["numpy"][2:] != before["numpy"][2:]

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        if trainer.world_size == 1 and not loss.is_cuda:
            if not math.isfinite(loss.item()):
                self._stop(trainer, pl_module, loss, trainer.global_rank)
            return
        self._look(trainer, pl_module)  # a procedure may go backward several times before it steps
        first = torch.where(loss.isfinite(), trainer.world_size, trainer.global_rank)
        if trainer.world_size > 1:  # of the processes whose loss is not finite, the first
            torch.distributed.all_reduce(first, torch.distributed.ReduceOp.MIN)
        answer = first.to("cpu", non_blocking=True)
        copied = torch.cuda.current_stream(loss.device).record_event() if loss.is_cuda else None
        self._asked = loss.detach(), answer, copied

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._asked is None:
            return
        (loss, answer, copied), self._asked = self._asked, None
        if copied:
            copied.synchronize()
        if (first := answer.item()) < trainer.world_size:
            self._stop(trainer, pl_module, loss, first)

    def _stop(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor, first: int) -> None:
        saved = {}
        if trainer.global_rank == first:
            terms = {name: term.detach() for name, term in {"loss": loss, **pl_module.terms}.items()}
            saved = {"terms": terms, "batch": self.batch, "random": random_tensors(self.random)}
        saved = trainer.strategy.broadcast(move_data_to_device(saved, torch.device("cpu")), first)
        weights = trainer.strategy.lightning_module_state_dict()  # of all processes, where they are sharded
        saved |= {"step": trainer.global_step, "state_dict": move_data_to_device(weights, torch.device("cpu"))}
        if trainer.is_global_zero:
            torch.save(saved, self.path)
        package, path = __name__.split(".")[0], os.path.relpath(self.path)
        process = f", process {first}" if trainer.world_size > 1 else ""
        raise UsageError(
            f"The loss is not finite at step {saved['step']} (epoch {trainer.current_epoch}{process}): "
            f"{', '.join(f'{name} {term:.4g}' for name, term in saved['terms'].items())}. Training has stopped, before "
            f"the weights were changed. The step, with its batch, is in {path}; to run it again:\n"
            f"  python -c \"from {package}.harness.training.callbacks import replay; replay('{path}')\""
        )


class OwnNoise(Callback):
    """Lets each process draw noise of its own; the order of samples, which all must know, is not drawn from here.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.global_rank > 0:  # after Lightning has given all processes the same seed
            torch.manual_seed(self.seed + 1_000_003 * trainer.global_rank)


def replay(path: str) -> tuple[L.LightningModule, Any]:
    """Run the step of ``nonfinite.pt`` again, and say which operation gave what is not finite.

    On the CPU; on a GPU if it ran on one and there is one here, for the CPU does not draw what a GPU does.

    Returns:
        The procedure as it was before the step, and the batch.
    """
    from .build import build_procedure  # which needs the callbacks

    saved = torch.load(path, map_location="cpu", weights_only=True)
    if not torch.cuda.is_available():
        saved["random"]["torch.cuda"] = []
    procedure = build_procedure(OmegaConf.load(Path(path).with_name("config.yaml"))).train()
    procedure.load_state_dict(saved["state_dict"])
    procedure.to("cuda" if saved["random"]["torch.cuda"] else "cpu")
    saved["batch"] = move_data_to_device(saved["batch"], procedure.device)
    first = []

    def watch(name: str):
        def hook(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            values = [value for value in torch.utils._pytree.tree_leaves(output) if torch.is_tensor(value)]
            if not first and not all(value.isfinite().all() for value in values if value.is_floating_point()):
                first.append(name)

        return hook

    for name, module in procedure.named_modules():
        module.register_forward_hook(watch(name))
    set_random_state(saved["random"])
    terms = procedure.step(saved["batch"], procedure.train_metrics)
    print(f"step {saved['step']}: {', '.join(f'{name} {term.item():.4g}' for name, term in terms.items())}")
    print(f"The first module whose output is not finite: {first[0]}" if first else "Every module's output is finite.")
    return procedure, saved["batch"]
