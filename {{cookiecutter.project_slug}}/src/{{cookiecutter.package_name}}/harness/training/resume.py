"""A stop that loses nothing, and a resume that computes what the training would have computed without the stop."""

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import move_data_to_device
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from . import lightning_internals as internals
from .loggers import CSVLogger

# Windows has no SIGUSR1 and SIGUSR2
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]


class LastCheckpoint(Checkpoint):
    """Writes ``last.ckpt`` after each validation (each epoch without one), at the end, and on Ctrl-C or SIGTERM.

    Ctrl-C and SIGTERM take effect at the end of the batch. A second Ctrl-C stops at once and saves nothing. If another
    handler was installed for a signal, as submitit's for SIGUSR2, it is called after the checkpoint is saved.

    A run that resumes from this checkpoint computes, bit for bit, what it would have computed without the stop. So the
    state is taken between two batches or two epochs, when validation, schedules and logging are done. It includes what
    Lightning leaves out: the random number generators, the order of the batches, metrics and terms that are not yet
    averaged, accumulated gradients, and the values that callbacks monitor. Lightning runs a ``Checkpoint`` after all
    other callbacks, so their new state is saved too.

    Three things are not restored: attributes of a procedure outside its ``state_dict`` (save them in its
    ``on_save_checkpoint``), the state inside ``persistent_workers`` of a data loader, and random numbers that a stream
    without length draws in the main process.

    Args:
        dirpath: folder of the checkpoints.
        interval: seconds between two checkpoints, at least; the later one is saved after a validation or an epoch. A stop
            and the end of the training always save.
        within_epoch: seconds after which a checkpoint is saved between any two batches.
    """

    def __init__(self, dirpath: str, interval: float = 0, within_epoch: float = 300):
        self.path = Path(dirpath) / "last.ckpt"
        self.interval, self.within_epoch, self._saved_at = interval, within_epoch, time.monotonic()
        self.made_by: dict | None = None  # code and commit of this run, for the run that resumes from here
        self._due = False
        self._saving = False
        self._stop_signal: int | None = None
        self._earlier_handlers: dict[int, Any] = {}
        self._random_at_epoch_start: dict | None = None  # before the order of the batches was drawn
        self._to_restore: dict | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._earlier_handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            internals.wrap_loops(
                trainer,
                before_epoch=self._resume_epoch,
                before_order=self._remember_random_state,
                before_batches=self._resume_batch,
                between=self._between,
                at_end=self._save,
            )

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._earlier_handlers.items():
                if number == signal.SIGTERM and callable(handler):
                    signal.signal(number, handler)  # submitit ignores SIGTERM, because its own signal follows
                elif callable(handler) or (number, handler) == (signal.SIGTERM, signal.SIG_DFL):
                    # Not Ctrl-C that a shell ignores for its background jobs, nor SIGUSR1 that means nothing yet.
                    # Lightning restores the earlier handlers after the training
                    signal.signal(number, self._receive)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._due = trainer.state.fn == "fit" and not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._due = self._due or not trainer.enable_validation

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException):
            self._save(trainer)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict) -> None:
        if self._saving:  # when another callback saves, this state may be incomplete
            checkpoint["resume"] = _of_all_processes(self._state(trainer, pl_module))
            checkpoint["made_by"] = self.made_by

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict) -> None:
        if trainer.state.fn == "fit":
            self._to_restore = checkpoint["resume"][trainer.global_rank] | {"loops": checkpoint["loops"]["fit_loop"]}
            trainer.should_stop = self._to_restore["should_stop"]

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._to_restore:
            internals.restore_callback_metrics(trainer, self._to_restore["callback_metrics"])

    def _receive(self, number: int, frame: object) -> None:
        self._stop_signal = number
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
            message = "\nStopping after this batch and its validation. Press Ctrl-C again to stop at once."
            rank_zero_only(print)(message, file=sys.stderr)

    def _between(self, trainer: L.Trainer) -> None:
        """Between two batches or two epochs: stop if a signal has come, save if it is time; all processes alike."""
        time_to_save = time.monotonic() - self._saved_at >= (self.interval if self._due else self.within_epoch)
        if not trainer.strategy.reduce_boolean_decision(time_to_save or self._stop_signal is not None, all=False):
            return
        number = next(filter(None, _of_all_processes(self._stop_signal)), None)
        if number not in (signal.SIGINT, signal.SIGTERM):
            self._save(trainer)
            if number is None:
                return
            self._earlier_handlers[number](number, None)  # submitit's: queues the job again, and exits
        raise SIGTERMException(128 + number)

    def _save(self, trainer: L.Trainer) -> None:
        self._due, self._saving = False, True
        for logger in trainer.loggers:
            logger.save()  # a resumed run does not log these values again
        trainer.save_checkpoint(self.path)
        self._saving, self._saved_at = False, time.monotonic()

    def _state(self, trainer: L.Trainer, procedure: L.LightningModule) -> dict:
        csv_rows = next((len(logger.rows()) for logger in trainer.loggers if isinstance(logger, CSVLogger)), 0)
        has_gradients = not procedure.automatic_optimization or internals.is_accumulating(trainer)
        return {
            "logged": {"step": internals.steps_taken(trainer), "rows": csv_rows},
            "batches": internals.batches_started(trainer),
            "random": internals.random_state(),
            "random_at_epoch_start": self._random_at_epoch_start,
            "should_stop": trainer.should_stop,
            "callback_metrics": {name: value.cpu() for name, value in trainer.callback_metrics.items()},
            "metrics": internals.metric_states(procedure),
            "terms": procedure.unlogged_terms,
            "gradients": {
                name: parameter.grad.cpu()
                for name, parameter in procedure.named_parameters()
                if has_gradients and parameter.grad is not None
            },
        }

    def _resume_epoch(self, trainer: L.Trainer) -> None:
        """Before the first epoch of a resumed run, restore its counters; ``_resume_batch`` restores the rest."""
        if not self._to_restore:
            return
        within_epoch = self._to_restore["batches"] is not None
        internals.restore_epochs(trainer, self._to_restore["loops"], within_epoch)
        if within_epoch:  # the epoch starts again, because a procedure may need that; its values were logged before
            self._loggers, trainer.loggers = trainer.loggers, []
        else:
            internals.set_random_state(self._to_restore["random"])
            trainer.lightning_module.unlogged_terms = self._to_restore["terms"]  # they are logged across epochs
            self._to_restore = None

    def _remember_random_state(self, trainer: L.Trainer) -> None:
        self._random_at_epoch_start = internals.random_state()

    def _resume_batch(self, trainer: L.Trainer) -> None:
        """Within the epoch at which a run was stopped, restore the order of its batches and skip those that are done."""
        if not self._to_restore:
            return
        state, self._to_restore = self._to_restore, None
        procedure, trainer.loggers = trainer.lightning_module, self._loggers
        self._random_at_epoch_start = state["random_at_epoch_start"]
        if trainer.current_epoch > 0:  # the seed has already given the first epoch its order
            internals.set_random_state(self._random_at_epoch_start)
            internals.restart_batches(trainer)
        internals.skip_batches(trainer, state["loops"], state["batches"])
        procedure.unlogged_terms = state["terms"]
        internals.set_metric_states(procedure, move_data_to_device(state["metrics"], procedure.device))
        for name, parameter in procedure.named_parameters():
            if name in state["gradients"]:
                parameter.grad = state["gradients"][name].to(parameter)
        internals.set_random_state(state["random"])


def _of_all_processes(state: dict) -> list[dict]:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [state]
    states = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(states, state)
    return states
