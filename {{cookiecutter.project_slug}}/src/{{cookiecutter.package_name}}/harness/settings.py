"""Settings that are needed before torch is: where things lie, what a run is called, what a typing error meant."""

import functools
import gc
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

ROOT = Path(__file__).resolve().parents[3]
_RUN_DIR = f"{__name__.partition('.')[0].upper()}_RUN_DIR"  # tells it to the other processes of a run

# What a run is called, where it runs and what it writes: none of it changes what is computed.
_NOT_IDENTITY = {"hydra", "paper", "name", "seed", "run", "resume", "results", "logger"}
_NOT_IDENTITY |= {"threads", "compile", "channels_last", "float32_matmul"}
_NOT_IDENTITY_OF = {
    # devices multiply the batch
    "trainer": {"accelerator", "strategy", "enable_progress_bar", "profiler", "log_every_n_steps"},
    "callbacks": {"last", "finite", "learning_rate", "progress"},
    "data": {"num_workers"},
    "optimizer": {"fused"},
}

# Keys that a later version of the template added to a hashed group, each with the value that behaves as before: where
# they have it, they are left out of the digest, and the records of before still count. {"trainer.new_key": False}
ADDED_LATER: dict[str, object] = {}

_EXTRAS = {  # of pyproject.toml, and what they bring
    "joblib": "hydra/launcher/joblib",
    "slurm": "hydra/launcher/submitit",
    "sweep": "hydra/sweeper/optuna",
}


class UsageError(SystemExit):
    """A mistake of the person at the keyboard: its message is all they see, without a traceback."""


def identity(cfg: DictConfig) -> dict:
    """What decides the result of a run, apart from its seed: the resolved settings without names and hardware."""
    neutral = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    neutral.update({"run": {"dir": ""}, "name": "", "seed": -1})  # other settings may refer to them
    settings = {
        key: OmegaConf.to_container(neutral[key], resolve=True) if OmegaConf.is_config(neutral[key]) else neutral[key]
        for key in neutral
        if key not in _NOT_IDENTITY
    }
    for group, keys in _NOT_IDENTITY_OF.items():
        if isinstance(settings.get(group), dict):  # optimizer: null, of a procedure that has its own
            settings[group] = {key: value for key, value in settings[group].items() if key not in keys}
    for name, value in ADDED_LATER.items():
        group, _, key = name.partition(".")
        if isinstance(settings.get(group), dict) and settings[group].get(key, ...) == value:
            del settings[group][key]
    return settings


def digest(cfg: DictConfig) -> str:
    """Eight hexadecimal digits that name the configuration: equal digests, equal experiments."""
    return hashlib.sha256(json.dumps(identity(cfg), sort_keys=True).encode()).hexdigest()[:8]


def flat(settings: dict, prefix: str = "") -> dict[str, Any]:
    """``{"optimizer": {"lr": 1}}`` as ``{"optimizer.lr": 1}``."""
    found = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def differences(left: dict, right: dict, there: str = "there", here: str = "here") -> str:
    """The first five keys in which two mappings differ, with both values; empty where they do not."""
    left, right = flat(left), flat(right)
    values = {key: (left.get(key, "not"), right.get(key, "not")) for key in sorted(left.keys() | right.keys())}
    found = [f"{key} ({a} {there}, {b} {here})" for key, (a, b) in values.items() if a != b]
    return ", ".join(found[:5]) + (", …" if len(found) > 5 else "")


def run_name(cfg: DictConfig) -> str:
    """``<experiment>-<digest>-seed<k>``, the name of a run's folder and of its record."""
    return f"{cfg.name}-{digest(cfg)}-seed{cfg.seed}"


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
    if not _is_first_process() and _RUN_DIR in os.environ:  # started by Lightning in the first process
        cfg.run.dir = os.environ[_RUN_DIR]
    lock = None
    while lock is None:
        folder = Path(cfg.run.dir or _next_run_dir(cfg)).resolve()
        if not _is_first_process():
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


def _is_first_process() -> bool:
    return all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


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
    def numbered(number: int) -> str:
        return run_name(cfg) if number == 1 else f"{run_name(cfg)}-{number}"

    runs, number = ROOT / "runs", 1
    while (runs / numbered(number) / "record.json").exists() or (
        ROOT / "results" / f"{numbered(number)}.json"
    ).exists():
        number += 1
    if resumes(cfg):
        goes_on = number > 1 and not _outdated(numbered(number - 1))
        return runs / numbered(number - 1 if goes_on else number)
    while (runs / numbered(number)).exists():  # of a run that has just begun
        number += 1
    return runs / numbered(number)


def _outdated(name: str) -> bool:
    """Whether a run is finished, and of other code than today's: then the seed is to be trained again."""
    from .records import code_digest, git_state, read  # which need what stands here

    for path in (
        ROOT / "runs" / name / "record.json",
        ROOT / "results" / f"{name}.json",
    ):  # a clone has only the latter
        if path.exists():
            record = read(path)
            now_committed = bool(record["git"]["dirty"]) and git_state()["dirty"] is False
            return record["status"] == "finished" and (record["code"] != code_digest() or now_committed)
    return False


def _keys(settings: dict, prefix: str = "") -> list[str]:
    names = []
    for key, value in settings.items():
        names += [f"{prefix}{key}", *(_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [])]
    return names


def refuse_test_metrics(cfg: DictConfig) -> None:
    """Refuse to choose by a test metric: a checkpoint, when to stop, a learning rate, or the best job of a sweep.

    Raises:
        UsageError: a setting called monitor, objective or optimized names one.
    """
    for name in _keys(OmegaConf.to_container(cfg)):
        if name.startswith("paper.") or not re.search(r"(monitor|objective|optimi[sz]ed)[^.]*(\.[^.]*)?$", name):
            continue
        value = OmegaConf.select(cfg, name)
        for metric in value if OmegaConf.is_list(value) else [value]:
            if isinstance(metric, str) and re.match("test[/_]", metric):
                raise UsageError(
                    f"{name}={metric}: test data never chooses a checkpoint or a setting. Use a val/ metric."
                )


def _needs(error: BaseException) -> str | None:
    """The extra of pyproject.toml that has what Hydra did not find, or None."""
    missing = str(getattr(error, "missing_cfg_file", None))
    return next((extra for extra, names in _EXTRAS.items() if missing.startswith(names)), None)


def _nearest(error: BaseException) -> str | None:
    """What was probably meant by an override that Hydra refused, or None."""
    if isinstance(error, MissingConfigException):  # experiment=papr
        group, options = Path(error.missing_cfg_file).parent, error.options or []
        found = get_close_matches(str(error.missing_cfg_file), [f"{group}/{option}" for option in options], n=1)
        return "=".join(found[0].rsplit("/", 1)) if found else None
    keys = [arg.split("=")[0].lstrip("+~") for arg in sys.argv[1:] if "=" in arg]
    asked = next((key for key in keys if f"'{key}'" in str(error)), None)
    if asked is None:
        return None
    known = [path.name for path in (ROOT / "configs").iterdir() if path.is_dir()]
    if isinstance(error.__cause__, OmegaConfBaseException) and error.__cause__.parent_node is not None:
        composed = OmegaConf.to_container(error.__cause__.parent_node._get_root())
        known += [key for key in _keys(composed) if not key.startswith(("hydra.", "paper."))]
    # optimizer.learningrate is near a key as a whole; data.width is near none, but a key elsewhere ends in width
    found = get_close_matches(asked, known, n=1) or [key for key in known if key.split(".")[-1] == asked.split(".")[-1]]
    return found[0] if found else None


@contextmanager
def heavy_imports() -> Iterator[None]:
    """Import torch and Lightning in two thirds of the time.

    They make about a million objects that stay to the end. The garbage collector would look through them again and
    again while they are imported, in training, and at exit.
    """
    if "lightning" in sys.modules:  # a later job of -m: what the one before left behind must not be frozen
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def command(config_name: str):
    """``hydra.main`` for a command of this repository, whose errors also say what was probably meant."""

    def decorate(task):
        run = hydra.main(version_base="1.3", config_path=str(ROOT / "configs"), config_name=config_name)(task)

        @functools.wraps(task)
        def main() -> None:
            try:
                run()
            except SystemExit as stop:
                # Hydra has printed its message; the error itself is what SystemExit was raised in handling of
                if stop.__context__ and (extra := _needs(stop.__context__)):
                    print(f'It is an extra: pip install -e ".[{extra}]" -c constraints.txt', file=sys.stderr)
                elif stop.__context__ and (nearest := _nearest(stop.__context__)):
                    print(f"Did you mean {nearest}?", file=sys.stderr)
                raise

        return main

    return decorate
