"""What the harness uses of Lightning, torchmetrics and Hydra beyond their documented interfaces.

Private attributes and undocumented behaviour appear in this file alone, so that a new version of a library breaks one
file. Importing it does not import torch: Hydra imports it at each start, for the sweeper in ``hydra_plugins``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper as BasicSweeper

if TYPE_CHECKING:
    from lightning import LightningModule, Trainer
    from torch import Tensor

Hook = Callable[["Trainer"], None]
CURRENT_HOOK = "_current_fx_name"  # the attribute of a LightningModule that names the hook which is running


def skip_idle_hooks(trainer: Trainer) -> None:
    """Spare what Lightning does around each hook of each callback, also around those that do nothing.

    They are a fifth of the calls in a small training step.
    """
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.profilers import PassThroughProfiler

    of_batches = [name for name in dir(Callback) if re.match("on_(before|after|.*_batch)_", name)]
    for callback in trainer.callbacks:
        for name in of_batches:
            # a LambdaCallback has its hooks in the instance
            if getattr(getattr(callback, name), "__func__", None) is getattr(Callback, name):
                setattr(callback, name, None)  # Lightning passes over what cannot be called
    if type(trainer.profiler) is PassThroughProfiler:
        nothing = nullcontext()
        trainer.profiler.profile = lambda action: nothing


def is_accumulating(trainer: Trainer) -> bool:
    """Whether the optimizer does not step after the current batch, because gradients are accumulated."""
    return trainer.fit_loop._should_accumulate()


def logging_now(trainer: Trainer) -> bool:
    """Whether Lightning hands the values of the current batch to the loggers, and the optimizer steps after it."""
    return trainer._logger_connector.should_update_logs and not is_accumulating(trainer)


def steps_taken(trainer: Trainer) -> int:
    """How many steps the loggers have counted: those of all optimizers together count once."""
    return trainer.fit_loop.epoch_loop._batches_that_stepped


def count_steps(trainer: Trainer, number: int) -> None:
    """Count ``number`` steps for the current batch, in which no optimizer of Lightning steps."""
    loop, automatic = trainer.fit_loop.epoch_loop, trainer.lightning_module.automatic_optimization
    by_hand = loop.manual_optimization.optim_step_progress
    steps = loop.automatic_optimization.optim_progress.optimizer.step if automatic else by_hand
    steps.total.completed += number - automatic  # Lightning counts one for the batch, and for its logs in any case
    loop._batches_that_stepped += number - 1


def log_after_training(trainer: Trainer, values: dict[str, Tensor]) -> None:
    """Log values of the last training step when the training has ended and ``self.log`` is no longer allowed."""
    restore_callback_metrics(trainer, values)
    epoch = {"epoch": trainer.current_epoch - 1}
    trainer._logger_connector.log_metrics(values | epoch, steps_taken(trainer) - 1)


def restore_callback_metrics(trainer: Trainer, values: dict[str, Tensor]) -> None:
    """Add to ``trainer.callback_metrics``, from which callbacks and schedules read what they monitor."""
    trainer._logger_connector._callback_metrics.update(values)


def wrap_loops(
    trainer: Trainer, before_epoch: Hook, before_order: Hook, before_batches: Hook, between: Hook, at_end: Hook
) -> None:
    """Call functions of the trainer at moments of the training for which Lightning has no hook."""
    epochs, batches = trainer.fit_loop, trainer.fit_loop.epoch_loop
    _wrap(epochs, "on_advance_start", before=before_epoch)  # before the hooks that start an epoch
    # before the loader of an epoch draws the order of its batches, and after that
    _wrap(batches, "on_run_start", before=before_order, after=before_batches)
    # between two batches or two epochs, when all that belongs to the one before is done
    _wrap(batches, "on_advance_end", after=lambda trainer: batches.done or between(trainer))
    _wrap(epochs, "on_advance_end", after=between)
    _wrap(epochs, "on_run_end", after=at_end)  # after the last hook of the training


def _wrap(loop: Any, name: str, before: Hook = lambda trainer: None, after: Hook = lambda trainer: None) -> None:
    inner = getattr(loop, name)

    def wrapped(*args: Any) -> None:
        before(loop.trainer)
        inner(*args)
        after(loop.trainer)

    setattr(loop, name, wrapped)


def batches_started(trainer: Trainer) -> int | None:
    """How many batches of the current epoch have been trained on; None between two epochs."""
    epoch = trainer.fit_loop.epoch_progress.current
    return trainer.fit_loop.epoch_loop.batch_progress.current.ready if epoch.started > epoch.processed else None


def restore_epochs(trainer: Trainer, progress: dict, within_epoch: bool) -> None:
    """Set the counters of the training, so that it continues with the epoch in which, or before which, it was stopped.

    Args:
        trainer: at the start of its first epoch.
        progress: the state of its ``fit_loop`` in the checkpoint.
        within_epoch: whether it was stopped within an epoch. That epoch starts again.
    """
    loop = trainer.fit_loop
    loop.load_state_dict(progress)
    if within_epoch:
        for counted in (loop.epoch_progress.current, loop.epoch_progress.total):
            counted.ready = counted.started = counted.processed
    for part in (loop, loop.epoch_loop, loop.epoch_loop.val_loop):
        # Lightning's own way to resume repeats some parts and skips others, so it is turned off
        part.restarting = part._loaded_from_state_dict = part._resuming_from_checkpoint = False
        part.reset_restart_stage()


def restart_batches(trainer: Trainer) -> None:
    """Let the loader of the current epoch draw the order of its batches again."""
    iter(trainer.fit_loop._data_fetcher)


def skip_batches(trainer: Trainer, progress: dict, count: int) -> None:
    """Continue after the first ``count`` batches of the current epoch, with the counters of ``progress``."""
    loop, fetcher = trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
    for _ in range(count):
        next(fetcher)
    loop.load_state_dict(progress, "epoch_loop.")
    loop.restarting = False


def random_state() -> dict[str, Any]:
    """The state of all random number generators, without arrays, because ``weights_only`` reads none."""
    from lightning.fabric.utilities.seed import _collect_rng_states

    state = _collect_rng_states()
    kind, key, *rest = state["numpy"]
    return state | {"numpy": (kind, key.tolist(), *rest)}


def set_random_state(state: dict[str, Any]) -> None:
    """Restore what ``random_state`` has returned."""
    from lightning.fabric.utilities.seed import _set_rng_states

    _set_rng_states(state)


def metric_states(procedure: LightningModule) -> dict[str, dict[str, Any]]:
    """What each metric has gathered since it was reset, by its name."""
    from torchmetrics import Metric, MetricCollection

    for module in procedure.modules():
        if isinstance(module, MetricCollection):
            list(module.values())  # metrics of one compute group share a state; this gives each its own
    return {
        name: {"_update_count": metric._update_count, **metric.metric_state}
        for name, metric in procedure.named_modules()
        if isinstance(metric, Metric) and metric.update_called
    }


def set_metric_states(procedure: LightningModule, states: dict[str, dict[str, Any]]) -> None:
    """Restore what ``metric_states`` has returned."""
    for name, state in states.items():
        for attribute, value in state.items():
            setattr(procedure.get_submodule(name), attribute, value)
