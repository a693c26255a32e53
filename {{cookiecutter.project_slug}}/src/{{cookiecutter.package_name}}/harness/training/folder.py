"""The folder of a run: a new one, or that of the run to resume. It is locked against other processes."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig

from ..evidence.record import code_digest, git_state, read
from ..identity import PACKAGE, ROOT, UsageError, run_name

_RUN_DIR = f"{PACKAGE.name.upper()}_RUN_DIR"  # environment variable that gives the folder to the run's other processes


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
