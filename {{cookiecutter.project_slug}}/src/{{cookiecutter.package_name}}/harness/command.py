"""Hydra's ``main`` for the commands of this repository: they start at once, and say what was probably meant."""

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import CompactHydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from .identity import CONFIGS, flat

EXTRAS = {"joblib": "hydra/launcher/joblib", "slurm": "hydra/launcher/submitit"}  # of pyproject.toml: what they bring


def command(config_name: str) -> Callable:
    """``hydra.main`` for a task that trains or tests.

    PyTorch and Lightning are imported once there is work for them, so that ``--help`` and a mistyped override are
    answered without them.
    """

    def decorate(task: Callable) -> Callable:
        @functools.wraps(task)
        def work(cfg: Any) -> Any:
            with errors_for_people():
                with heavy_imports():
                    importlib.import_module("lightning")
                return task(cfg)

        run = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=config_name)(work)

        def main() -> None:
            try:
                run()
            except SystemExit as stop:
                # Hydra has printed the error, which is the context in which it has raised SystemExit
                if stop.__context__ and (hint := _hint(stop.__context__, config_name)):
                    print(hint, file=sys.stderr)
                raise

        return main

    return decorate


@contextmanager
def errors_for_people() -> Iterator[None]:
    """Turn an error whose message says all, such as ``UsageError`` in ``identity.py``, into an exit without a traceback."""
    try:
        yield
    except (CompactHydraException, YAMLError) as error:
        raise SystemExit(str(error)) from None


@contextmanager
def heavy_imports() -> Iterator[None]:
    """Import torch and Lightning in two thirds of the time: the garbage collector passes over their million objects."""
    first = "lightning" not in sys.modules  # what an earlier job of -m has left behind must not be frozen
    if first:
        gc.disable()
    yield
    if first:
        gc.freeze()
        gc.enable()


def _hint(error: BaseException, config_name: str) -> str | None:
    """What was probably meant by an override that Hydra refused, or which extra is not installed."""
    if isinstance(error, MissingConfigException):  # experiment=papr
        missing, options = Path(str(error.missing_cfg_file)), error.options or []
        if extra := next((extra for extra, group in EXTRAS.items() if str(missing).startswith(group)), None):
            return f'It is an extra: pip install -e ".[{extra}]" -c constraints.txt'
        found = get_close_matches(missing.name, options, n=1)
        return f"Did you mean {missing.parent}={found[0]}?" if found else None
    given = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    asked = next((key for key in (key.lstrip("+~") for key in given) if f"'{key}'" in str(error)), None)
    if asked is None:
        return None
    known = groups = [path.name for path in CONFIGS.iterdir() if path.is_dir()]
    if isinstance(error.__cause__, OmegaConfBaseException):
        chosen = [f"{key}={value}" for key, value in given.items() if key in groups and "," not in value]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            cfg = hydra.compose(config_name, chosen, return_hydra_config=True)
        null = cfg.hydra.runtime.choices.get(group := asked.split(".")[0], "") in (None, "null")
        if null and group not in ("debug", "sweep"):  # these have no settings of their own
            option = min(path.stem for path in (CONFIGS / group).glob("*.yaml"))
            return f"This experiment has no {group}. To give it one: {group}={option} {asked}={given.get(asked, '…')}"
        known = groups + [key for key in flat(OmegaConf.to_container(cfg)) if not key.startswith(("paper.", "hydra."))]
    # optimizer.learningrate is near a key as a whole; data.width is near none, but a key elsewhere ends in width
    found = get_close_matches(asked, known, n=1) or [key for key in known if key.split(".")[-1] == asked.split(".")[-1]]
    return f"Did you mean {found[0]}?" if found else None
