"""What the tests share: the configuration of ``experiment=paper``, cut to seconds, and a short training."""

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.command import heavy_imports
from {{ cookiecutter.package_name }}.harness.evidence.tests import junit_file
from {{ cookiecutter.package_name }}.harness.identity import ROOT

with heavy_imports():
    import lightning as L
    import torch

    from {{ cookiecutter.package_name }}.harness.training import build


@pytest.hookimpl(tryfirst=True)  # before pytest asks for the name of its result file
def pytest_configure(config: pytest.Config) -> None:
    """Let a run of the whole suite leave pytest's own result file in ``runs/``, named by the code: for ``report.py``."""
    partial = [a for a in config.invocation_params.args if not re.fullmatch(r"-[qsv]+|--quiet|-n\d*|\d+|tests/?|\.", a)]
    runs = ROOT / "runs" if (ROOT / "runs").exists() else ROOT
    if not partial and runs.is_dir() and os.access(runs, os.W_OK) and not hasattr(config, "workerinput"):  # of xdist
        junit = junit_file()
        junit.unlink(missing_ok=True)
        config.option.xmlpath = str(junit)


@pytest.hookimpl(trylast=True)  # after pytest has written it
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Drop it where the run was cut short, or the code has changed meanwhile."""
    junit = Path(session.config.option.xmlpath or "")
    if junit.parent == ROOT / "runs" and (exitstatus > 1 or junit != junit_file()):
        junit.unlink(missing_ok=True)


@functools.cache  # nearly every test asks for it, and Hydra takes longer than most of them
def composed(*overrides: str) -> DictConfig:
    with hydra.initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return hydra.compose("train", [*overrides, "name=test", "run.dir=???", "results=null"])


@pytest.fixture
def compose(tmp_path: Path) -> Callable[..., DictConfig]:
    """The configuration that ``python train.py`` would have with these overrides, writing to a folder of the test."""

    def compose(*overrides: str) -> DictConfig:
        cfg = composed(*overrides).copy()
        cfg.run.dir = str(tmp_path)
        return cfg

    return compose


@pytest.fixture
def cfg(compose: Callable[..., DictConfig]) -> DictConfig:
    cfg = compose("experiment=paper")
    build.prepare(cfg)
    return cfg


@pytest.fixture
def data(cfg: DictConfig) -> L.LightningDataModule:
    data = build.build_data(cfg)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture
def fact(cfg: DictConfig) -> Callable[[str], Any]:
    """What ``facts`` in ``configs/paper.yaml`` states; the test is skipped where it states nothing."""

    def fact(name: str) -> Any:
        value = cfg.paper.facts.get(name)
        if value is None or value == {}:
            pytest.skip(f"configs/paper.yaml states no {name}")
        return value

    return fact


def fit(
    cfg: DictConfig, steps: int, *callbacks: L.Callback, data: L.LightningDataModule | None = None, **settings
) -> L.Trainer:
    """Train for some steps on the CPU, as ``cfg`` says but without validation, loggers and checkpoints."""
    build.prepare(cfg)
    bounds = {"max_steps": steps, "max_epochs": 10 * steps}  # the latter for a procedure that never steps
    settings = bounds | {"limit_val_batches": 0, "val_check_interval": None} | settings
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu", "devices": 1}
    trainer = build.build_trainer(cfg, callbacks, **settings, **quiet)
    trainer.fit(build.build_procedure(cfg), data or build.build_data(cfg))
    return trainer


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the parameters that are trained, by name."""
    return {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}
