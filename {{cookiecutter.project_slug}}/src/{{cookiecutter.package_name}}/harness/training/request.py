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
