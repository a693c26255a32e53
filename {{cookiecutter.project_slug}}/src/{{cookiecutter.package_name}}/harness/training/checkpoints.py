"""Checkpoints: written whole, read without running code, and complete enough to go on as if nothing had happened."""

import os
import pickle
import random
import signal
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import move_data_to_device
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch.nn.parameter import UninitializedTensorMixin
from torchmetrics import Metric, MetricCollection

from ..identity import UsageError, differences, flat
from . import lightning_internals as internals
from .loggers import CSVLogger


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the file and moves into place, so that there is always a whole checkpoint, whenever it is killed.

    Lightning's own writes to the system's temporary folder, from where a move to another disk is a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.part")
        try:
            with beside.open("wb") as file:
                torch.save(checkpoint, file)
            os.replace(beside, path)
        except BaseException as error:
            beside.unlink(missing_ok=True)
            # torch hides a full disk behind a failure of its own
            raise error.__context__ if isinstance(error.__context__, OSError) else error  # noqa: B904


def read_checkpoint(path: Path, config: dict) -> dict[str, Any]:
    """The checkpoint at ``path``, which must be of the experiment whose ``identity`` is ``config``.

    Only containers and tensors are read: a file from a stranger cannot run code.

    Raises:
        UsageError: it is damaged, holds more than containers and tensors, or is of another configuration.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(damaged)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = flat(checkpoint["hyper_parameters"])
        checkpoint["state_dict"].keys()
    except pickle.UnpicklingError as error:
        refused = str(error).partition("GLOBAL ")[2].split(" ")[0]
        why = f"holds {refused}, which could run code" if refused else "is damaged, or no checkpoint of this repository"
    except (zipfile.BadZipFile, RuntimeError, EOFError, KeyError, TypeError, ValueError, AttributeError):
        why = "is damaged, or no checkpoint of this repository"
    else:
        different = differences(found, config)
        if not different:
            return checkpoint
        why = f"is of another configuration: {different}"
    raise UsageError(f"{path} {why}. It was not loaded, and nothing was written.")


def require_fit(path: Path, checkpoint: dict[str, Any], procedure: L.LightningModule) -> None:
    """Refuse a checkpoint whose tensors are not those of the procedure, because the code was another.

    Raises:
        UsageError: names them, with both shapes.
    """
    lazy = UninitializedTensorMixin  # made when the first batch comes
    here = {name: tuple(t.shape) for name, t in procedure.state_dict().items() if not isinstance(t, lazy)}
    there = {
        name: tuple(t.shape) for name, t in checkpoint["state_dict"].items() if name in here or not _late(procedure)
    }
    if different := differences(there, here):
        raise UsageError(f"{path} is of other code: {different}. It was not loaded.")


def _late(procedure: L.LightningModule) -> bool:
    """Whether some of its tensors are made later than the procedure itself."""
    lazy = any(isinstance(t, UninitializedTensorMixin) for t in procedure.state_dict().values())
    return lazy or is_overridden("configure_model", procedure)


PLAIN = torch.Tensor | int | float | str | None  # what a checkpoint can hold besides dict, list and tuple

# Where several have come, the first of these counts. Windows has no SIGUSR1 and SIGUSR2.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGUSR1", "SIGUSR2", "SIGTERM") if hasattr(signal, name)]


class LastCheckpoint(Checkpoint):
    """``last.ckpt``: after validations (epochs, where there are none), at the end, and on Ctrl-C or SIGTERM.

    The last two wait for the end of the batch, where the state is whole; a second Ctrl-C does not, and saves nothing.
    Whoever listened to a signal before the training, as submitit does to SIGUSR2, is told of it once all is saved.

    A run that goes on from it computes, bit for bit, what it would have computed without a stop. For this, the state
    is taken between two batches or two epochs, when all that belongs to the one before is done (validation, schedules,
    logging), and holds what Lightning leaves out: the random number generators, the order of the batches, metrics and
    terms that are still being averaged, gradients that are still being accumulated, what callbacks monitor. As a
    ``Checkpoint`` it comes after all other callbacks, and so saves what they have just learned.

    Not restored are attributes of a procedure that are not in its ``state_dict`` (save those in its
    ``on_save_checkpoint``), and what ``persistent_workers`` of a data loader remember.

    Args:
        dirpath: folder of the checkpoints.
        interval: seconds between two of them, at least; a run that is stopped or ends saves whatever the time.
    """

    def __init__(self, dirpath: str, interval: float = 0):
        self.path = Path(dirpath) / "last.ckpt"
        self.interval, self._saved = interval, time.monotonic()
        self.made_by: dict | None = None  # code and commit of this run, for the run that goes on from here
        self._due = False
        self._saving = False
        self._asked_to_stop: int | None = None  # by this signal
        self._before: dict[int, Any] = {}  # who listened to a signal before the training
        self._at_epoch_start: dict | None = None  # random state before the batches of this epoch were ordered
        self._resumed: dict | None = None  # what is to be put back, until it is
        self._loggers: list | None = None  # those that are silent while it is

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            internals.wrap_loops(
                trainer,
                before_epoch=lambda: self._resume_epoch(trainer),
                after_epoch_hooks=lambda: self._log_again(trainer),
                before_batches=self._epoch_starts,
                before_first_batch=lambda: self._resume_batch(trainer),
                between=lambda: self._between(trainer),
                at_end=lambda: self._save(trainer),
            )

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, before in self._before.items():
                # Ctrl-C is ignored in the background of a shell; to SIGUSR1 and SIGUSR2 only some listen
                if callable(before) or (before != signal.SIG_IGN and number == signal.SIGTERM):
                    signal.signal(number, self._ask_to_stop)  # until Lightning puts back what was before the training

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._due = trainer.state.fn == "fit" and not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._due = self._due or not trainer.enable_validation

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException):
            self._save(trainer)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict) -> None:
        if self._saving:  # and not by another callback, in the middle of something
            checkpoint["resume"] = _of_all_processes(self._state(trainer, pl_module))
            checkpoint["made_by"] = self.made_by

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict) -> None:
        if trainer.state.fn == "fit":
            self._resumed = checkpoint["resume"][trainer.global_rank] | {"loops": checkpoint["loops"]["fit_loop"]}
            trainer.should_stop = self._resumed["should_stop"]

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._resumed:
            internals.restore_callback_metrics(trainer, self._resumed["callback_metrics"])

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self._asked_to_stop = min(number, self._asked_to_stop or number, key=_SIGNALS.index)
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
            rank_zero_say("\nStopping after this batch and its validation. Ctrl-C again stops at once.")

    def _between(self, trainer: L.Trainer) -> None:
        """Between two batches or two epochs: save if it is time, stop if it was asked for, in all processes alike."""
        if trainer.strategy.reduce_boolean_decision(self._asked_to_stop is not None, all=False):
            number = min(filter(None, _of_all_processes(self._asked_to_stop)), key=_SIGNALS.index)
            before = self._before[number]
            if number != signal.SIGINT and callable(before):  # submitit: it passes SIGTERM over, since its own signal …
                self._asked_to_stop = None
                self._save(trainer)
                before(number, None)  # … follows, on which the first process queues the job again, and exits
                if number == signal.SIGTERM:
                    return
            raise SIGTERMException(128 + number)
        if self._due:
            self._due = False
            late = time.monotonic() - self._saved >= self.interval
            if trainer.strategy.reduce_boolean_decision(late, all=False):
                self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        self._due, self._saving = False, True
        for logger in trainer.loggers:
            logger.save()  # what was logged until now must not be lost, since it is not computed again
        trainer.save_checkpoint(self.path)
        self._saving, self._saved = False, time.monotonic()

    def _state(self, trainer: L.Trainer, procedure: L.LightningModule) -> dict:
        return {
            "logged": {"step": internals.steps_taken(trainer), "rows": _rows(trainer)},
            "batches": internals.batches_started(trainer),
            "fetched": _plain(internals.prefetched(trainer)),
            "random": random_state(),
            "random_at_epoch_start": self._at_epoch_start,
            "should_stop": trainer.should_stop,
            "callback_metrics": {name: value.cpu() for name, value in trainer.callback_metrics.items()},
            "metrics": _metric_states(procedure),
            "terms": procedure.unlogged_terms,
            "gradients": {
                name: parameter.grad.cpu()
                for name, parameter in procedure.named_parameters()
                if parameter.grad is not None and _gradients_pending(trainer)
            },
        }

    def _resume_epoch(self, trainer: L.Trainer) -> None:
        """Put back, before the first epoch of a resumed run, where the run was; the rest follows with its batches."""
        if not self._resumed:
            return
        within_epoch = self._resumed["batches"] is not None
        internals.restore_epochs(trainer, self._resumed["loops"], within_epoch)
        if within_epoch:  # its start is for procedures that expect one; what it logs has been logged before
            self._loggers, trainer.loggers = trainer.loggers, []
        else:
            set_random_state(self._resumed["random"])
            self._resumed = None

    def _log_again(self, trainer: L.Trainer) -> None:
        trainer.loggers, self._loggers = self._loggers or trainer.loggers, None

    def _epoch_starts(self) -> None:
        self._at_epoch_start = random_state()

    def _resume_batch(self, trainer: L.Trainer) -> None:
        """Put back, in an epoch that was stopped within, its order of batches, and go on after those that are done."""
        if not self._resumed:
            return
        state, self._resumed = self._resumed, None
        procedure = trainer.lightning_module
        self._at_epoch_start = state["random_at_epoch_start"]
        if trainer.current_epoch > 0:  # the order of the first epoch is that of the seed, and drawn already
            set_random_state(self._at_epoch_start)
            internals.restart_batches(trainer)
        internals.skip_batches(trainer, state["loops"], state["batches"], state["fetched"])
        procedure.unlogged_terms = state["terms"]
        _set_metric_states(procedure, state["metrics"])
        for name, parameter in procedure.named_parameters():
            if name in state["gradients"]:
                parameter.grad = state["gradients"][name].to(parameter)
        set_random_state(state["random"])


@rank_zero_only
def rank_zero_say(message: str) -> None:
    """Print for the person at the keyboard, once for all processes."""
    print(message, file=sys.stderr)


def _rows(trainer: L.Trainer) -> int:
    return max((logger.rows for logger in trainer.loggers if isinstance(logger, CSVLogger)), default=0)


def _plain(batches: list) -> list:
    """Batches that a checkpoint can hold, on the CPU; none where there is more in them than tensors and numbers."""

    def is_plain(value: Any) -> bool:
        if type(value) in (list, tuple):
            return all(map(is_plain, value))
        return is_plain(list(value.values())) if type(value) is dict else isinstance(value, PLAIN)

    return move_data_to_device(batches, torch.device("cpu")) if is_plain(batches) else []


def _gradients_pending(trainer: L.Trainer) -> bool:
    return not trainer.lightning_module.automatic_optimization or internals.is_accumulating(trainer)


def random_state() -> dict:
    """The state of all random number generators, in tensors and numbers: ``weights_only`` reads no arrays."""
    version, numbers, gauss = random.getstate()
    kind, key, *rest = np.random.get_state()
    return {
        "python": [version, torch.tensor(numbers), gauss],
        "numpy": [kind, torch.tensor(key.astype("int64")), *rest],
        "torch": torch.get_rng_state(),
        "torch.cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict) -> None:
    """Put back what ``random_state`` gave."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    kind, key, *rest = state["numpy"]
    np.random.set_state((kind, key.numpy().astype("uint32"), *rest))
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state_all(state["torch.cuda"])


def _metric_states(procedure: L.LightningModule) -> dict[str, dict]:
    for module in procedure.modules():
        if isinstance(module, MetricCollection):
            list(module.values())  # metrics of one compute group share a state: now each has its own
    return {
        name: internals.metric_state(metric)
        for name, metric in procedure.named_modules()
        if isinstance(metric, Metric) and metric.update_called
    }


def _set_metric_states(procedure: L.LightningModule, states: dict[str, dict]) -> None:
    metrics = dict(procedure.named_modules())
    for name, state in states.items():
        internals.restore_metric(metrics[name], move_data_to_device(state, procedure.device))


def _of_all_processes(state: dict) -> list[dict]:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [state]
    states = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(states, state)
    return states
