"""The folder of a run: a new one, or that of the run which goes on; locked against other processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ..evidence.record import code_digest, git_state, read
from ..identity import PACKAGE, ROOT, UsageError, run_name

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

_RUN_DIR = f"{PACKAGE.name.upper()}_RUN_DIR"  # tells the folder to the other processes of a run


def resumes(cfg: DictConfig) -> bool:
    """Whether a run of this name goes on: if asked for, and always under submitit and torchrun.

    They start a job again after a stop, and several processes at once, which must agree on the folder of the run.
    """
    by_submitit = "submitit" in HydraConfig.get().launcher._target_
    return cfg.resume == "auto" or by_submitit or "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def run_folder(cfg: DictConfig) -> Iterator[Path]:
    """The folder of this run: a new one in ``runs/``, or with ``resumes`` that of the run which goes on.

    It is locked against other processes as long as the context lasts, and removed if nothing was written into it.
    ``cfg.run.dir`` names it from here on.

    Raises:
        UsageError: it cannot be written to, or another process trains the run that is to go on.
    """
    first = all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    if not first and _RUN_DIR in os.environ:  # started by Lightning in the first process
        cfg.run.dir = os.environ[_RUN_DIR]
    lock = None
    while lock is None:
        folder = Path(cfg.run.dir or _next_run_dir(cfg)).resolve()
        if not first:
            break
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(folder / ".lock")
        except OSError as error:
            raise UsageError(f"{folder} cannot be written to: {error.strerror}. A run needs it.") from None
        if lock is None and (resumes(cfg) or cfg.run.dir):
            raise UsageError(f"{folder.name} is being trained by another process. Wait until it has ended.")
    cfg.run.dir = os.environ[_RUN_DIR] = str(folder)
    try:
        yield folder
    finally:
        if lock is not None:
            lock.close()
            with suppress(OSError):  # where another process has taken it
                if [path.name for path in folder.iterdir()] == [".lock"]:
                    (folder / ".lock").unlink()
                    folder.rmdir()


def _lock(path: Path) -> IO | None:
    """Lock a file until it is closed or the process ends; None where another process has locked it."""
    file = path.open("a")
    try:
        if fcntl:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # which of the two depends on the system
        file.close()
        return None
    except OSError:  # a file system without locks
        pass
    return file


def _next_run_dir(cfg: DictConfig) -> Path:
    runs, name, number = ROOT / "runs", run_name(cfg), 1

    def numbered(number: int) -> str:
        return name if number == 1 else f"{name}-{number}"

    while record_of(numbered(number)):
        number += 1
    if resumes(cfg):
        goes_on = number > 1 and not _outdated(record_of(numbered(number - 1)))
        return runs / numbered(number - 1 if goes_on else number)
    while (runs / numbered(number)).exists():  # of a run that has just begun
        number += 1
    return runs / numbered(number)


def record_of(name: str) -> dict | None:
    """The record of a run, from ``runs/`` or, as in a clone, from ``results/``."""
    paths = ROOT / "runs" / name / "record.json", ROOT / "results" / f"{name}.json"
    return next((read(path) for path in paths if path.exists()), None)


def _outdated(record: dict) -> bool:
    """Whether a run is finished, and of other code than today's: then the seed is to be trained again."""
    now_committed = bool(record["git"]["dirty"]) and git_state()["dirty"] is False
    return record["status"] == "finished" and (record["code"] != code_digest() or now_committed)
