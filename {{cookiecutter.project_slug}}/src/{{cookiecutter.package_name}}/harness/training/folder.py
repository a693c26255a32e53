"""The folder of a run: a new one, or that of the run to resume. It is locked against other processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
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


@contextmanager
def run_folder(cfg: DictConfig) -> Iterator[Path]:
    """The folder of this run: a new one in ``runs/``, or that of the run to resume.

    It is locked against other processes until the context ends, and removed if it is empty then. ``cfg.run.dir`` is set
    to it.

    Raises:
        UsageError: the folder is not writable, or another process trains in it.
    """
    first = all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    if not first and _RUN_DIR in os.environ:  # Lightning in the first process has started this one
        cfg.run.dir = os.environ[_RUN_DIR]
    folder = Path(cfg.run.dir or _next_run_dir(cfg)).resolve()
    cfg.run.dir = os.environ[_RUN_DIR] = str(folder)
    if not first:
        yield folder
        return
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
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
    try:
        yield folder
    finally:
        lock.release()
        with suppress(OSError):
            if [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
            folder.rmdir()  # fails unless it is empty


def _next_run_dir(cfg: DictConfig) -> Path:
    runs, name, number = ROOT / "runs", run_name(cfg), 1

    def numbered(number: int) -> str:
        return name if number == 1 else f"{name}-{number}"

    while record_of(numbered(number)):
        number += 1
    if resumes(cfg):
        last_counts = number > 1 and not _outdated(record_of(numbered(number - 1)))
        return runs / numbered(number - 1 if last_counts else number)
    while (runs / numbered(number)).exists():  # a run that has just started has no record yet
        number += 1
    return runs / numbered(number)


def record_of(name: str) -> dict | None:
    """The record of a run, from ``runs/``, or from ``results/`` if this is a clone. None if there is none."""
    paths = ROOT / "runs" / name / "record.json", ROOT / "results" / f"{name}.json"
    return next((read(path) for path in paths if path.exists()), None)


def _outdated(record: dict) -> bool:
    """Whether a finished run was trained with other code than the present one, so that its seed must be trained again."""
    now_committed = bool(record["git"]["dirty"]) and git_state()["dirty"] is False
    return record["status"] == "finished" and (record["code"] != code_digest() or now_committed)
