"""Refuses, before the training, what would fail or mislead after it."""

import re

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from ..identity import UsageError, flat, identity
from .build import processes, require_device


def check_request(cfg: DictConfig) -> None:
    """Check the configuration before anything is built.

    Raises:
        UsageError: says what is wrong, and what to write instead.
    """
    refuse_test_metrics(cfg)
    if cfg.resume not in (None, "auto"):  # from the checkpoint of another run, a new seed would not be a new training
        raise UsageError(
            f"resume={cfg.resume}: only resume=auto is possible. It resumes the run of the same configuration and seed."
        )
    if cfg.monitor.metric is None and cfg.ckpt == "best":
        raise UsageError(
            "ckpt=best needs a metric that says which checkpoint is best. Set it, as in monitor.metric=val/loss, or "
            "set ckpt=last."
        )
    devices = identity(cfg)["trainer"]["devices"]
    if not isinstance(devices, int) or devices < 1:
        raise UsageError(
            f"trainer.devices={devices!r}: give a number, as in trainer.devices=2. Each device adds a batch to every "
            "step, so the number is part of the experiment and must not depend on the machine."
        )
    if HydraConfig.get().mode == RunMode.MULTIRUN and processes(cfg) > 1 and not SLURMEnvironment.detect():
        raise UsageError(
            "-m runs each job in one process, but this configuration needs several. Train one seed at a time, without "
            "-m, as in seed=1, or let SLURM start the processes: -m hydra/launcher=slurm."
        )
    require_device(cfg.trainer.accelerator)


def refuse_test_metrics(cfg: DictConfig) -> None:
    """Refuse a test metric that would choose a checkpoint, the end of training, a learning rate or the best trial.

    Raises:
        UsageError: a setting called monitor, objective or optimized names one.
    """
    for name, value in flat(OmegaConf.to_container(cfg)).items():
        if name.startswith("paper.") or not re.search(r"(monitor|objective|optimi[sz]ed)[^.]*(\.[^.]*)?$", name):
            continue
        for metric in value if isinstance(value, list) else [value]:
            if isinstance(metric, str) and re.match("test[/_]", metric):
                raise UsageError(
                    f"{name}={metric}: test data never chooses a checkpoint or a setting. Use a metric of validation, "
                    "such as val/loss."
                )


def check_splits(cfg: DictConfig, data: L.LightningDataModule) -> None:
    """Check that the data module has the splits that the configuration needs.

    Raises:
        UsageError: names the split that is missing.
    """
    validated, tested = (is_overridden(f"{split}_dataloader", data) for split in ("val", "test"))
    if not validated and not tested:
        raise UsageError(
            "data.py has neither val_dataloader nor test_dataloader, so there is no data to measure on. To measure the "
            "training itself, let test_dataloader return one batch, and log the metric in on_test_epoch_end."
        )
    if not validated and cfg.monitor.metric:
        raise UsageError(
            f"monitor.metric={cfg.monitor.metric} needs validation, but data.py has no val_dataloader. Set "
            "monitor.metric=null ckpt=last."
        )
    if not tested and cfg.ckpt == "best":
        raise UsageError(
            "data.py has no test_dataloader. With ckpt=best, the same validation data would choose the checkpoint and "
            "measure it. Set ckpt=last."
        )
