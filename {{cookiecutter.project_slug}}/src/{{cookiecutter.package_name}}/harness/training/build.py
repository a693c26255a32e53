"""The one place where configurations become objects."""

import logging
import sys
import warnings
from pathlib import Path

import hydra
import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from omegaconf import DictConfig, OmegaConf

from ..evidence.claims import claims_of
from ..evidence.record import Record
from ..identity import UsageError, identity
from ..procedure import Procedure
from .callbacks import OwnNoise
from .checkpoints import LastCheckpoint, WholeCheckpointIO
from .loggers import CSVLogger

ALONE = {  # of a trainer: one device, on which every sample is seen once
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "enable_progress_bar": False,
    "enable_checkpointing": False,
}


def prepare(cfg: DictConfig) -> None:
    """Set what holds for the whole process: seeds, threads, and how much Lightning says."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # data in memory needs none
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")  # terms are averaged over it
    warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")  # not every paper has a validation set
    warnings.filterwarnings("ignore", ".*callbacks used to create the checkpoint.*")  # testing needs none of them
    warnings.filterwarnings("ignore", ".*has `__len__` defined.*")  # so that a schedule knows the length of an epoch
    warnings.filterwarnings("ignore", ".*from an ambiguous collection.*")  # Procedure.weight_of may say what counts
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # of a run that is resumed
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")  # Lightning 2.6 on torch 2.13
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    torch.set_float32_matmul_precision(cfg.float32_matmul)
    L.seed_everything(cfg.seed, workers=True, verbose=False)


def build_data(cfg: DictConfig) -> L.LightningDataModule:
    """The data module of ``cfg.data``."""
    return hydra.utils.instantiate(cfg.data)


def build_procedure(cfg: DictConfig) -> Procedure:
    """The training procedure, with the model, loss, metrics, optimizer and schedule of ``cfg``.

    The same seed gives the same initial weights, whatever was drawn before.
    """
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    procedure = hydra.utils.instantiate(
        cfg.procedure,
        model=cfg.model,
        loss=cfg.loss,
        metrics=cfg.metrics,
        optimizer=cfg.optimizer,
        scheduler=cfg.scheduler,
    )
    procedure.save_hyperparameters(identity(cfg), logger=False)  # each checkpoint says what it is of
    if cfg.channels_last:
        procedure.model.to(memory_format=torch.channels_last)
    if cfg.compile:
        procedure.model.compile()  # in place: the names in a checkpoint stay those of the plain model
    return procedure


def require_device(accelerator: str) -> None:
    """Refuse an accelerator that is not there.

    Raises:
        UsageError: a GPU is asked for and there is none.
    """
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UsageError("No GPU: PyTorch finds no CUDA device here. On this machine use trainer=cpu.")


def build_trainer(cfg: DictConfig, callbacks: list[Callback] = (), loggers: list[Logger] = (), **settings) -> L.Trainer:
    """Lightning's Trainer; ``settings`` go before those of ``cfg.trainer``."""
    plugins = [*hydra.utils.instantiate(cfg.trainer.get("plugins") or []), WholeCheckpointIO()]
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))  # or all runs would go on from one hpc_ckpt_1.ckpt
    settings = {"plugins": plugins} | settings
    if isinstance(cfg.trainer.val_check_interval, int):  # then it counts steps, over the borders of epochs
        settings = {"check_val_every_n_epoch": None} | settings
    bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    settings = {"callbacks": list(callbacks), "logger": list(loggers), "enable_progress_bar": bar} | settings
    return hydra.utils.instantiate(cfg.trainer, **settings)


def build_loggers(cfg: DictConfig, record: Record, logged: dict[str, int]) -> list[Logger]:
    """The loggers of ``cfg.logger``, at ``logged``: how much of a resumed run they keep."""
    loggers, known = [], {"id": record.data["id"], "purge_step": logged["step"]}
    for logger in filter(None, cfg.logger.values()):  # logger.csv=null takes one away
        loggers.append(hydra.utils.instantiate(logger, **{key: known[key] for key in known if key in logger}))
        if isinstance(loggers[-1], CSVLogger):
            loggers[-1].rewind(logged["rows"])
        settings = OmegaConf.to_container(cfg, resolve=True) | paper_values(cfg)
        loggers[-1].log_hyperparams(settings | {"record": f"{Path(cfg.run.dir).name}.json"})
    return loggers


def build_callbacks(cfg: DictConfig, record: Record, loggers: list[Logger]) -> list[Callback]:
    """The callbacks of ``cfg.callbacks`` that this run has a use for."""
    unused = {"best"} if cfg.monitor.metric is None else set()
    unused |= set() if loggers else {"learning_rate"}
    if not sys.stdout.isatty() or cfg.trainer.get("enable_progress_bar") is False:
        unused |= {"progress"}  # in a file, a bar is a page for each epoch
    callbacks = [
        hydra.utils.instantiate(callback)
        for name, callback in cfg.callbacks.items()
        if callback and name not in unused  # callbacks.progress=null takes one away
    ]
    for callback in callbacks:
        if isinstance(callback, LastCheckpoint):
            callback.made_by = {key: record.data[key] for key in ("code", "git")}
    return callbacks + ([OwnNoise(cfg.seed)] if processes(cfg) > 1 else [])


def processes(cfg: DictConfig) -> int:
    """How many processes train."""
    return identity(cfg)["trainer"]["devices"] * cfg.trainer.num_nodes


def paper_values(cfg: DictConfig) -> dict[str, float]:
    """The paper's values by metric, in the unit of the metric, for the loggers."""
    claims = {name: claim for name, claim in claims_of(cfg).items() if claim["value"] is not None}
    return {f"paper/{name}": claim["value"] / claim["scale"] for name, claim in claims.items()}
