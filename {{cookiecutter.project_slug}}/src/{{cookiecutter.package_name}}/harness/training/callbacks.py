"""Callbacks that Lightning does not have."""

import logging
import math
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..identity import UsageError
from ..procedure import Procedure

log = logging.getLogger(__name__)


class FiniteLoss(Callback):
    """Stops the training when a loss is not finite, in all processes, before its gradient reaches the weights.

    On a GPU, the loss is read just before the optimizer steps, while the backward pass keeps the GPU busy. If it were
    read earlier, the GPU would have to wait.
    """

    # A loss, the first process where it is not finite (on the CPU), and the event that ends this copy
    _unread: tuple[Tensor, Tensor, torch.cuda.Event | None] | None = None

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.batch = batch

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        if trainer.world_size == 1 and not loss.is_cuda:
            if not math.isfinite(loss.item()):
                self._stop(trainer, pl_module, loss, trainer.global_rank)
            return
        self._read(trainer, pl_module)  # the optimizer may step only after several backward passes
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
        terms = {name: term.item() for name, term in {"loss": loss, **pl_module.terms}.items()}
        terms = trainer.strategy.broadcast(terms, first)
        process = f", process {first}" if trainer.world_size > 1 else ""
        where = first_module_not_finite(trainer, pl_module, self.batch) if trainer.world_size == 1 else ""
        raise UsageError(
            f"The loss is not finite at step {trainer.global_step} (epoch {trainer.current_epoch}{process}): "
            f"{', '.join(f'{name} {term:.4g}' for name, term in terms.items())}. Training has stopped before the "
            f"weights were changed.{where}"
        )


def first_module_not_finite(trainer: L.Trainer, procedure: L.LightningModule, batch: Any) -> str:
    """Run ``step`` again, with other random numbers, and name the first module whose output is not finite."""
    names, found = {module: name for name, module in procedure.named_modules()}, []

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        tensors = [leaf for leaf in tree_leaves(output) if torch.is_tensor(leaf)]
        if module in names and not all(tensor.isfinite().all() for tensor in tensors):  # others are made on the way
            found.append(names[module])

    with suppress(NotImplementedError), trainer.precision_plugin.train_step_context():  # no step: a manual procedure
        with nn.modules.module.register_module_forward_hook(look):
            procedure.step(batch, procedure.train_metrics)
    return f" The first module whose output is not finite: {found[0]}." if found else ""


class ProgressLines(Callback):
    """Logs a line now and then: time, step, rate, time left for this run and for all seeds, and the loss.

    Args:
        seconds: between two lines. The first comes sooner, so that a budget that is too long is seen at once.
        seeds: those of the paper's claim.
    """

    def __init__(self, seconds: float, seeds: list[int]):
        self.seconds, self.seeds = seconds, seeds

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begin, self.first_step, self.losses = time.monotonic(), trainer.global_step, {}
        self.next = self.begin + self.seconds / 6

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *of_batch: Any) -> None:
        now, done = time.monotonic(), trainer.global_step - self.first_step
        if now < self.next or done == 0 or not trainer.is_global_zero:
            return
        self.next, rate = now + self.seconds, done / (now - self.begin)
        parts = [_clock(now - self.begin), f"step {trainer.global_step:,}", f"{rate:.3g} steps/s"]
        total = trainer.estimated_stepping_batches
        if trainer.global_step <= total < math.inf:  # not where count_steps counts others than max_epochs
            parts[1] += f" of {total:,.0f}"
            parts.append(f"{_clock((total - trainer.global_step) / rate)} left")
            if len(self.seeds) > 1:
                parts.append(f"{len(self.seeds)} seeds take {_clock(len(self.seeds) * total / rate)} in all")
        if (loss := trainer.callback_metrics.get("train/loss")) is not None:
            parts.append(f"train/loss {loss.item():.4g}")
            # one entry for each logged mean: a line without a new mean says nothing about the loss
            self.losses[trainer.global_step // trainer.log_every_n_steps] = parts[-1]
            if len(self.losses) > 2 and len(set(list(self.losses.values())[-3:])) == 1:
                parts.append("which stands still")
        log.info(" · ".join(parts))


class ClaimedMetrics(Callback):
    """Warns after the first validation if it has logged nothing for a metric that ``configs/paper.yaml`` claims.

    Args:
        claimed: names such as ``test/accuracy``.
        monitored: ``monitor.metric``; without it, no validation can choose a checkpoint.
    """

    def __init__(self, claimed: Iterable[str], monitored: str | None):
        self.claimed, self.monitored = [name for name in claimed if name.startswith("test/")], monitored or ""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        logged = {name.removeprefix("val/") for name in trainer.callback_metrics if name.startswith("val/")}
        if trainer.sanity_checking:
            return
        if self.monitored.startswith("val/") and self.monitored not in trainer.callback_metrics:
            raise UsageError(
                f"monitor.metric: validation does not log {self.monitored}, but {', '.join(sorted(logged)) or 'nothing'}. "
                "Where it has no value yet, log float('inf') (-inf for mode max)."
            )
        if any(is_overridden(hook, pl_module, Procedure) for hook in ("test_step", "on_test_epoch_end")):
            return
        missing = [name for name in self.claimed if name.removeprefix("test/") not in logged]
        if missing and trainer.is_global_zero:
            log.warning(
                f"configs/paper.yaml claims {', '.join(missing)}, but validation logs only "
                f"{', '.join(sorted(logged)) or 'nothing'}. Does the test measure it? If not, the verdict will be missing."
            )
        self.claimed = []  # once is enough


class ThreadsHint(Callback):
    """Says once, after some batches, that idle cores may make large batches faster.

    More threads round differently, so they are never taken in silence.

    Args:
        batches: say it after this many.
        seconds: stay silent if a batch takes less, because more threads then seldom help.
    """

    def __init__(self, batches: int, seconds: float):
        self.batches, self.left, self.seconds = batches, batches, seconds

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begin = time.monotonic()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *of_batch: Any) -> None:
        self.left -= 1
        many_steps = not pl_module.automatic_optimization or trainer.global_step > trainer.fit_loop.total_batch_idx + 1
        if self.left or pl_module.device.type != "cpu" or many_steps:
            return
        seconds, threads = (time.monotonic() - self.begin) / self.batches, torch.get_num_threads()
        cores = len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count()))(0)) // trainer.world_size
        if seconds > self.seconds and cores > threads and trainer.is_global_zero:
            log.info(f"A batch takes {seconds:.2g} s with threads={threads}. Try threads={cores}: it may be faster.")


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
