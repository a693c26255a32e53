"""The one place where configurations become objects."""

import logging
import warnings

import hydra
import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from omegaconf import DictConfig

from .checkpoints import WholeCheckpointIO
from .procedure import Procedure
from .settings import UsageError, identity

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
    warnings.filterwarnings("ignore", ".*sync_dist=True.*")  # torchmetrics has synchronised what is logged
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
    return hydra.utils.instantiate(cfg.trainer, callbacks=list(callbacks), logger=list(loggers), **settings)
