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

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
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
                if stop.__context__ and (hint := _extra(stop.__context__) or _nearest(stop.__context__, config_name)):
                    print(hint, file=sys.stderr)
                raise

        return main

    return decorate


@contextmanager
def errors_for_people() -> Iterator[None]:
    """Turn an error whose message says all (``UsageError`` in ``identity.py``) into an exit without a traceback."""
    try:
        yield
    except CompactHydraException as error:
        raise SystemExit(str(error)) from None


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


def _extra(error: BaseException) -> str | None:
    """Which extra has the launcher that Hydra did not find, or None."""
    missing = str(getattr(error, "missing_cfg_file", None))
    extra = next((extra for extra, group in EXTRAS.items() if missing.startswith(group)), None)
    return extra and f'It is an extra: pip install -e ".[{extra}]" -c constraints.txt'


def _nearest(error: BaseException, config_name: str) -> str | None:
    """What was probably meant by an override that Hydra refused, or None."""
    if isinstance(error, MissingConfigException):  # experiment=papr
        group, options = Path(error.missing_cfg_file).parent, error.options or []
        found = get_close_matches(str(error.missing_cfg_file), [f"{group}/{option}" for option in options], n=1)
        return f"Did you mean {'='.join(found[0].rsplit('/', 1))}?" if found else None
    keys = [argument.split("=")[0].lstrip("+~") for argument in sys.argv[1:] if "=" in argument]
    asked = next((key for key in keys if f"'{key}'" in str(error)), None)
    if asked is None:
        return None
    known = groups = [path.name for path in CONFIGS.iterdir() if path.is_dir()]
    if isinstance(error.__cause__, OmegaConfBaseException):
        chosen = [argument for argument in sys.argv[1:] if argument.split("=")[0] in groups and "," not in argument]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            composed = OmegaConf.to_container(hydra.compose(config_name, chosen))
        known = groups + [key for key in _keys(composed) if not key.startswith(("hydra.", "paper."))]
    # optimizer.learningrate is near a key as a whole; data.width is near none, but a key elsewhere ends in width
    found = get_close_matches(asked, known, n=1) or [key for key in known if key.split(".")[-1] == asked.split(".")[-1]]
    return f"Did you mean {found[0]}?" if found else None


def _keys(settings: dict, prefix: str = "") -> list[str]:
    return [
        name
        for key, value in settings.items()
        for name in [f"{prefix}{key}", *(_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [])]
    ]
