"""Check what is asked before the training begins, and make and lock the folder of the run."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from ..evidence.record import code_digest, git_state, read
from ..identity import PACKAGE, ROOT, UsageError, flat, identity, run_name
from .build import processes, require_device

_RUN_DIR = f"{PACKAGE.name.upper()}_RUN_DIR"  # environment variable that gives the folder to the run's other processes


def check_request(cfg: DictConfig) -> None:
    """Refuse, with a ``UsageError``, a configuration that cannot be trained or would mislead."""
    refuse_test_metrics(cfg)
    _refuse(
        cfg.resume not in (None, "auto"),  # from the checkpoint of another run, a new seed would not be a new training
        f"resume={cfg.resume}: only resume=auto is possible. It resumes the run of the same configuration and seed.",
    )
    _refuse(
        cfg.monitor.metric is None and cfg.ckpt == "best",
        "ckpt=best needs a metric that says which checkpoint is best. Set monitor.metric=val/loss, or ckpt=last.",
    )
    unknown = [name for name, callback in cfg.callbacks.items() if callback and "_target_" not in callback]
    _refuse(
        unknown,
        f"callbacks.{', '.join(unknown)} has settings, but the chosen file of configs/callbacks/ has no such callback. "
        "To leave it out, set it to null.",
    )
    devices = identity(cfg)["trainer"]["devices"]
    _refuse(
        not isinstance(devices, int) or devices < 1,
        f"trainer.devices={devices!r}: give a number, as in trainer.devices=2. Each device adds a batch to every step, "
        "so the number is part of the experiment and must not depend on the machine.",
    )
    _refuse(
        HydraConfig.get().mode == RunMode.MULTIRUN and processes(cfg) > 1 and not SLURMEnvironment.detect(),
        "-m runs each job in one process, but this configuration needs several. Train one seed at a time, without -m, "
        "as in seed=1, or let SLURM start the processes: -m hydra/launcher=slurm.",
    )
    require_device(cfg.trainer.accelerator)


def refuse_test_metrics(cfg: DictConfig) -> None:
    """Refuse a test metric that would choose a checkpoint, the end of training, a learning rate or the best trial."""
    for name, value in flat(OmegaConf.to_container(cfg)).items():
        if name.startswith("paper.") or not re.search(r"(monitor|objective|optimi[sz]ed)[^.]*(\.[^.]*)?$", name):
            continue
        for metric in value if isinstance(value, list) else [value]:
            _refuse(
                re.match("test[/_]", str(metric)),
                f"{name}={metric}: test data never chooses a checkpoint or a setting. Use a metric of validation, such "
                "as val/loss.",
            )


def check_splits(cfg: DictConfig, data: L.LightningDataModule) -> None:
    """Refuse a configuration that needs a split which the data module does not have."""
    validated, tested = (is_overridden(f"{split}_dataloader", data) for split in ("val", "test"))
    _refuse(
        not validated and not tested,
        "data.py has neither val_dataloader nor test_dataloader, so there is no data to measure on. To measure the "
        "training itself, let test_dataloader return one batch, and log the metric in on_test_epoch_end.",
    )
    _refuse(
        not validated and cfg.monitor.metric,
        f"monitor.metric={cfg.monitor.metric} needs validation, but data.py has no val_dataloader. Set "
        "monitor.metric=null ckpt=last.",
    )
    _refuse(
        not tested and cfg.ckpt == "best",
        "data.py has no test_dataloader. With ckpt=best, the same validation data would choose the checkpoint and "
        "measure it. Set ckpt=last.",
    )


def _refuse(wrong: object, message: str) -> None:
    if wrong:
        raise UsageError(message)


def resumes(cfg: DictConfig) -> bool:
    """Whether an earlier run is resumed: with ``resume=auto``, and always under submitit and torchrun.

    These two restart a job that was stopped, and start several processes, which must agree on the folder of the run.
    """
    by_submitit = "submitit" in HydraConfig.get().launcher._target_
    return cfg.resume == "auto" or by_submitit or "TORCHELASTIC_RUN_ID" in os.environ


def run_folder(cfg: DictConfig) -> Path:
    """The folder of this run: a new one in ``runs/``, or that of the run to resume. ``cfg.run.dir`` is set to it."""
    if rank_zero_only.rank > 0 and _RUN_DIR in os.environ:  # Lightning in the first process has started this one
        cfg.run.dir = os.environ[_RUN_DIR]
    folder = Path(cfg.run.dir or _next_run_dir(cfg)).resolve()
    cfg.run.dir = os.environ[_RUN_DIR] = str(folder)
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder, and lock it against other runs until the context ends.

    Raises:
        UsageError: the folder is not writable, or another process trains in it.
    """
    if rank_zero_only.rank > 0:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0).acquire()
    except Timeout:
        raise UsageError(
            f"{folder.name} is being trained by another process. Wait until that process has ended, or train another "
            "seed, as in seed=1."
        ) from None
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written to: {error.strerror}. A run keeps its checkpoints there. Make it writable, or "
            "choose another folder, as in run.dir=/tmp/my-run."
        ) from None
    with lock:
        yield


def _next_run_dir(cfg: DictConfig) -> Path:
    name, last = run_name(cfg), None
    for folder in itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2))):
        record = record_of(folder)
        if record is None:
            return ROOT / "runs" / (last if last and resumes(cfg) else folder)
        last = None if _outdated(record) else folder


def record_of(name: str) -> dict | None:
    """The record of a run, from ``runs/``, or from ``results/`` if this is a clone. None if there is none."""
    paths = ROOT / "runs" / name / "record.json", ROOT / "results" / f"{name}.json"
    return next((read(path) for path in paths if path.exists()), None)


def _outdated(record: dict) -> bool:
    """Whether a finished run was trained with other code than the present one, so that its seed must be trained again."""
    now_committed = bool(record["git"]["dirty"]) and git_state()["dirty"] is False
    return record["status"] == "finished" and (record["code"] != code_digest() or now_committed)
