"""Builds the objects of a run from its configuration."""

import logging
import sys
import warnings
from pathlib import Path

import hydra
import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LambdaCallback, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from omegaconf import DictConfig, OmegaConf

from ..evidence.record import Record
from ..evidence.targets import targets_of
from ..identity import UsageError, identity
from ..procedure import Procedure
from . import lightning_internals as internals
from .callbacks import ClaimedMetrics
from .checkpoints import WholeCheckpointIO
from .resume import LastCheckpoint

ALONE = {  # settings of a trainer that measures: on one device, no sample is seen twice
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "enable_progress_bar": False,
    "enable_checkpointing": False,
}

SILENCED = [  # warnings of what is right here
    "does not have many workers",  # data in memory needs none
    "smaller than the logging interval",  # terms are averaged over this interval
    "have no `val_dataloader`",  # not every paper has a validation set
    "You requested to overfit",  # and so no shuffling, as Lightning says
    "callbacks used to create the checkpoint",  # testing needs none of them
    "has `__len__` defined",  # so that a schedule knows the length of an epoch
    "from an ambiguous collection",  # Procedure.weight_of may say what counts
    "exists and is not empty",  # the folder of a run that is resumed
    "this fit will run with no optimizer",  # optimizer: null, of a procedure that updates its parameters itself
    "`training_step` returned `None`",  # likewise
    "isinstance.treespec, LeafSpec",  # Lightning 2.6 with torch 2.13
]


def prepare(cfg: DictConfig) -> None:
    """Set up the process: seeds, threads, and which messages of Lightning are shown."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in SILENCED:
        warnings.filterwarnings("ignore", f".*{message}.*")
    # torchmetrics leaves out what is not a number, with a warning: the mean would hide what has diverged
    warnings.filterwarnings("error", ".*values in tensor. Will be removed.*")
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    torch.set_float32_matmul_precision(cfg.float32_matmul)
    L.seed_everything(cfg.seed, workers=True, verbose=False)


def build_data(cfg: DictConfig) -> L.LightningDataModule:
    """Build the data module of ``cfg.data``."""
    return hydra.utils.instantiate(cfg.data)


def build_procedure(cfg: DictConfig) -> Procedure:
    """Build the training procedure, with the model, loss, metrics, optimizer and schedule of ``cfg``.

    The same seed gives the same initial weights, whatever random numbers were drawn before.
    """
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    # A group that is set to null has no key in cfg
    parts = {name: cfg.get(name) for name in ("model", "loss", "metrics", "optimizer", "scheduler")}
    procedure = hydra.utils.instantiate(cfg.procedure, **parts)
    if cfg.trainer.precision == "64-true":  # Lightning converts it only after it has loaded a checkpoint
        procedure.double()
    if cfg.channels_last:
        procedure.model.to(memory_format=torch.channels_last)
    if cfg.compile:
        procedure.model.compile()  # in place: the names in a checkpoint stay those of the plain model
    return procedure


def require_device(accelerator: str) -> None:
    """Refuse to use a GPU if there is none."""
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UsageError("No GPU: PyTorch finds no CUDA device on this machine. To train on the CPU, use trainer=cpu.")


def build_trainer(cfg: DictConfig, callbacks: list[Callback] = (), loggers: list[Logger] = (), **settings) -> L.Trainer:
    """Build Lightning's Trainer. ``settings`` override those of ``cfg.trainer``."""
    plugins = [*hydra.utils.instantiate(cfg.trainer.get("plugins") or []), WholeCheckpointIO()]
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))  # or all runs would resume from the same hpc_ckpt_1.ckpt
    bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    parts = {"plugins": plugins, "callbacks": list(callbacks), "logger": list(loggers), "enable_progress_bar": bar}
    if isinstance(cfg.trainer.val_check_interval, int):  # a number of steps, which may span several epochs
        parts["check_val_every_n_epoch"] = None
    trainer = hydra.utils.instantiate(cfg.trainer, **parts | settings)
    internals.skip_idle_hooks(trainer)
    return trainer


def build_loggers(cfg: DictConfig, record: Record, log_position: dict[str, int]) -> list[Logger]:
    """Build the loggers of ``cfg.logger``.

    Args:
        cfg: the configuration of the run.
        record: of the run.
        log_position: the step, and the number of rows in the CSV file, from which a resumed run continues.
    """
    loggers = []
    of_run = {"id": record.data["id"], "purge_step": log_position["step"], "keep_rows": log_position["rows"]}
    settings = OmegaConf.to_container(cfg, resolve=True) | paper_values(cfg)
    for config in filter(None, cfg.logger.values()):  # logger.csv=null removes one
        loggers.append(hydra.utils.instantiate(config, **{key: of_run[key] for key in of_run if key in config}))
        loggers[-1].log_hyperparams(settings | {"record": f"{Path(cfg.run.dir).name}.json"})
    return loggers


def build_callbacks(cfg: DictConfig, record: Record, loggers: list[Logger]) -> list[Callback]:
    """Build those callbacks of ``cfg.callbacks`` that this run can use, and two that every run has."""
    bar = sys.stdout.isatty() and cfg.trainer.get("enable_progress_bar") is not False
    usable = {
        "best": cfg.monitor.metric is not None,
        "learning_rate": bool(loggers),
        "progress": bar,
        "lines": not bar,  # in a file, a progress bar fills a page per epoch
    }
    callbacks = [
        hydra.utils.instantiate(callback)
        for name, callback in cfg.callbacks.items()
        if callback and usable.get(name, True)  # callbacks.progress=null removes one
    ]
    for callback in callbacks:
        if isinstance(callback, LastCheckpoint):
            callback.made_by = {key: record.data[key] for key in ("code", "git")}

    def own_noise(trainer: L.Trainer, procedure: Procedure) -> None:
        """Let each process draw its own noise. The order of the samples, which all processes share, is drawn elsewhere."""
        if trainer.global_rank > 0:
            torch.manual_seed(cfg.seed + 1_000_003 * trainer.global_rank)

    claimed = ClaimedMetrics([target.metric for target in targets_of(cfg)], cfg.monitor.metric)
    return [claimed, *callbacks, LambdaCallback(on_fit_start=own_noise)]


def processes(cfg: DictConfig) -> int:
    """The number of processes that train."""
    return identity(cfg)["trainer"]["devices"] * cfg.trainer.num_nodes


def paper_values(cfg: DictConfig) -> dict[str, float]:
    """The paper's value of each metric, in the unit of the metric, for the loggers."""
    targets = [target for target in targets_of(cfg) if target.value is not None and not target.baseline]
    return {f"paper/{target.metric}": target.value / target.scale for target in targets}
