"""``python train.py``: train, test, and leave a record."""

import errno
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from ..evidence.claims import claims_of, verdict
from ..evidence.record import Record, curves, file_digest
from ..identity import UsageError, flat, identity
from .architecture import architecture
from .build import (
    ALONE,
    build_callbacks,
    build_data,
    build_loggers,
    build_procedure,
    build_trainer,
    paper_values,
    prepare,
    processes,
    require_device,
)
from .checkpoints import rank_zero_say, read_checkpoint, require_fit
from .evaluate import measure
from .folder import record_of, resumes, run_folder
from .lightning_internals import copy_progress
from .loggers import close_loggers, summarise

try:
    import resource
except ImportError:  # Windows does not say how much memory a process has used
    resource = None

log = logging.getLogger(__name__)

# The disk is full, over its quota, read-only, or not ours; or a file is too large for it
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


def train(cfg: DictConfig, *callbacks: L.Callback) -> float | None:
    """Train as ``cfg`` says, test the checkpoint that ``cfg.ckpt`` chooses, and write the record.

    Args:
        cfg: the configuration.
        callbacks: of the trainer, besides those of ``cfg.callbacks``.

    Returns:
        ``monitor.metric`` of that checkpoint, by which a search chooses; None where nothing is monitored.

    Raises:
        UsageError: the configuration asks for something that cannot be or must not be.
        SystemExit: with code 130 after Ctrl-C, 143 after SIGTERM; the last checkpoint is written and the record says so.
    """
    check_request(cfg)
    with run_folder(cfg) as folder:
        if finished := finished_record(cfg, folder):
            return finished.get("objective")
        last = folder / "checkpoints" / "last.ckpt"
        checkpoint = read_to_resume(last, cfg) if resumes(cfg) and last.exists() else None
        prepare(cfg)
        data = build_data(cfg)
        check_splits(cfg, data)
        if checkpoint:
            require_fit(last, checkpoint, build_procedure(cfg))
        with recorded(cfg, folder, checkpoint) as (record, loggers):
            procedure = build_procedure(cfg)
            trainer = build_trainer(cfg, [*callbacks, *build_callbacks(cfg, record, loggers)], loggers)
            log.info("Run %s", folder.name)
            trainer.fit(procedure, data, ckpt_path=last if checkpoint else None, weights_only=True)
            facts = facts_of_training(cfg, folder, trainer)
            if leave_process_group(trainer):
                metrics = finish(cfg, folder, record, facts, trainer, procedure, data)
                print(f"{_line(metrics)}\n{os.path.relpath(folder)}")
        return facts["objective"]


def check_request(cfg: DictConfig) -> None:
    """Refuse, before anything is built, what cannot be or must not be.

    Raises:
        UsageError: says what was asked for, and what to ask for instead.
    """
    refuse_test_metrics(cfg)
    if cfg.resume not in (None, "auto"):  # the checkpoint of another run would make a new seed of old training
        raise UsageError(f"resume={cfg.resume}: only resume=auto, which goes on with this very run.")
    if cfg.monitor.metric is None and cfg.ckpt == "best":
        raise UsageError("ckpt=best: nothing says what is best. Set monitor.metric to a val/ metric, or ckpt=last.")
    fused = OmegaConf.select(cfg, "optimizer.fused")
    if fused and cfg.trainer.precision == "16-mixed" and cfg.trainer.gradient_clip_val:
        raise UsageError(
            "A fused optimizer unscales the gradients of 16-mixed itself, too late to clip them. Set optimizer.fused=false."
        )
    devices = identity(cfg)["trainer"]["devices"]
    if not isinstance(devices, int) or devices < 1:
        raise UsageError(
            f"trainer.devices={devices!r}: say how many, as in trainer.devices=2. Devices multiply the batch, so that "
            "their number is a part of the experiment, and must not be that of the machine."
        )
    if HydraConfig.get().mode == RunMode.MULTIRUN and processes(cfg) > 1 and not SLURMEnvironment.detect():
        raise UsageError(
            "-m runs each job in one process: train on several devices one seed at a time, without -m, or let SLURM "
            "start their processes: -m hydra/launcher=slurm."
        )
    require_device(cfg.trainer.accelerator)


def refuse_test_metrics(cfg: DictConfig) -> None:
    """Refuse to choose by a test metric: a checkpoint, when to stop, a learning rate, or the best trial.

    Raises:
        UsageError: a setting called monitor, objective or optimized names one.
    """
    for name, value in flat(OmegaConf.to_container(cfg)).items():
        if name.startswith("paper.") or not re.search(r"(monitor|objective|optimi[sz]ed)[^.]*(\.[^.]*)?$", name):
            continue
        for metric in value if isinstance(value, list) else [value]:
            if isinstance(metric, str) and re.match("test[/_]", metric):
                raise UsageError(
                    f"{name}={metric}: test data never chooses a checkpoint or a setting. Use a val/ metric."
                )


def finished_record(cfg: DictConfig, folder: Path) -> dict | None:
    """The record of the run that was to go on, if it has finished already; says so."""
    record = record_of(folder.name) if resumes(cfg) else None
    if record is None or record["status"] != "finished":
        return None
    asked = "resume=auto" in HydraConfig.get().overrides.task  # and not by a sweep
    again = " Without resume=auto, it is trained again, beside it." if asked else ""
    print(f"{folder.name} is finished already.{again}")
    return record


def read_to_resume(path: Path, cfg: DictConfig) -> dict:
    """The checkpoint from which a run goes on.

    Raises:
        UsageError: it is not what ``LastCheckpoint`` wrote in a run of this configuration.
    """
    checkpoint = read_checkpoint(path, identity(cfg))
    if "resume" not in checkpoint:
        raise UsageError(f"{path} is not what train.py wrote as last.ckpt: training cannot go on from it.")
    there, here = len(checkpoint["resume"]), processes(cfg)
    if there != here:
        raise UsageError(
            f"{path} is of {there} processes, not of {here}: each goes on with random numbers and data of its own. "
            "Go on with as many, or train again, without resume=auto."
        )
    return checkpoint


def check_splits(cfg: DictConfig, data: L.LightningDataModule) -> None:
    """Refuse, before the training, what would fail or mislead after it.

    Raises:
        UsageError: the data module lacks a split that the configuration needs.
    """
    validated, tested = (is_overridden(f"{split}_dataloader", data) for split in ("val", "test"))
    if not validated and not tested:
        raise UsageError(
            "data.py gives neither val_dataloader nor test_dataloader: there is nothing to measure on. "
            "Where training itself is measured, let test_dataloader give one batch, and log in on_test_epoch_end."
        )
    if not validated and cfg.monitor.metric:
        raise UsageError(
            f"monitor.metric={cfg.monitor.metric}, and data.py gives no val_dataloader. Set monitor.metric=null ckpt=last."
        )
    if not tested and cfg.ckpt == "best":
        raise UsageError(
            "ckpt=best, and data.py gives no test_dataloader: validation would choose the checkpoint it measures. "
            "Set ckpt=last."
        )


@contextmanager
def recorded(cfg: DictConfig, folder: Path, checkpoint: dict | None) -> Iterator[tuple[Record, list[Logger]]]:
    """The record and the loggers of the run. However it ends, the record says so, and the loggers are closed."""
    record, loggers, log_file = None, [], None
    try:
        made_by = checkpoint.get("made_by") or {} if checkpoint else None
        record = Record(cfg, claims_of(cfg), made_by, writes=rank_zero_only.rank == 0)
        if record.writes:
            log_file = logging.FileHandler(folder / "train.log")
            log_file.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
            logging.getLogger().addHandler(log_file)
        logged = checkpoint["resume"][0]["logged"] if checkpoint else {"step": 0, "rows": 0}
        loggers += build_loggers(cfg, record, logged)
        yield record, loggers
        close_loggers(loggers, exit_code=0)
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise UsageError(
            f"{error}. Training has stopped; what was whole is kept. Once that is mended, the same command with "
            f"resume=auto goes on from {folder.name}."
        ) from None
    except (SystemExit, KeyboardInterrupt) as error:
        # Lightning turns Ctrl-C into SystemExit(1); SIGTERM and submitit exit with a code
        by_hand = isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)
        code = 130 if by_hand else error.code or 143  # what a shell and a queue expect after Ctrl-C and SIGTERM
        record.close("interrupted")
        close_loggers(loggers, exit_code=code)
        rank_zero_say(f"\nInterrupted. The same command with resume=auto goes on from {folder.name}.")
        raise SystemExit(code) from None
    except Exception as error:
        if not isinstance(error, UsageError):
            (folder / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        record.close("crashed", error=f"{type(error).__name__}: {error}")
        close_loggers(loggers, exit_code=1)
        raise
    finally:
        if log_file:
            logging.getLogger().removeHandler(log_file)
            log_file.close()


def facts_of_training(cfg: DictConfig, folder: Path, trainer: L.Trainer) -> dict:
    """What the record says of the training, taken before the test replaces it."""
    metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if "/" in name}
    path = folder / "metrics.csv"
    return {
        "metrics": metrics,
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "hardware": _hardware(cfg, trainer),
        "objective": _objective(cfg, trainer, metrics),
        "curves": curves(path) if path.exists() else {},
    }


def leave_process_group(trainer: L.Trainer) -> bool:
    """End what several processes share; whether this is the first of them, which tests alone."""
    if trainer.world_size > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return trainer.is_global_zero


def finish(
    cfg: DictConfig, folder: Path, record: Record, facts: dict, trainer: L.Trainer, procedure, data
) -> dict[str, float]:
    """Test the checkpoint, and write the record of a finished run; returns its metrics."""
    loggers = trainer.loggers
    if trainer.world_size > 1:
        # On one device, as evaluate.py does: Lightning gives all processes equally many samples, some of them twice
        trained = trainer
        procedure, data = build_procedure(cfg), build_data(cfg)
        trainer = build_trainer(cfg, loggers=loggers, **ALONE)
        copy_progress(trained, trainer)  # the step at which the test is logged: W&B drops what goes back
    checkpoint = folder / "checkpoints" / f"{cfg.ckpt}.ckpt"
    metrics = facts["metrics"] | measure(cfg, trainer, procedure, data, checkpoint)
    facts = facts | {
        "metrics": metrics,
        "tested": _tested(checkpoint),
        "architecture": architecture(trainer, procedure, data),
    }
    summary = paper_values(cfg) | {"verdict": verdict(cfg, metrics)}
    record.close("finished", **facts, **summarise(loggers, summary))
    return metrics


def _objective(cfg: DictConfig, trainer: L.Trainer, metrics: dict[str, float]) -> float | None:
    """``monitor.metric`` where it was best, if that checkpoint is tested; else where the training ended."""
    for callback in trainer.checkpoint_callbacks if cfg.ckpt == "best" else []:
        if isinstance(callback, ModelCheckpoint) and callback.monitor == cfg.monitor.metric:
            metrics = metrics | {callback.monitor: callback.best_model_score}
    found = metrics.get(cfg.monitor.metric)
    return None if found is None else float(found)


def _tested(checkpoint: Path) -> dict:
    """Which checkpoint was tested, so that no other can be shown in its place."""
    state = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    position = {"epoch": state["epoch"], "step": state["global_step"]}
    return {"checkpoint": checkpoint.stem, **position, "sha256": file_digest(checkpoint)}


def _hardware(cfg: DictConfig, trainer: L.Trainer) -> dict:
    device = trainer.strategy.root_device
    facts = {"devices": trainer.world_size, "threads": torch.get_num_threads()}
    facts |= {key: cfg[key] for key in ("compile", "channels_last", "float32_matmul")}
    if resource:
        unit = 1 if sys.platform == "darwin" else 1024
        facts["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["peak_gpu_memory_mib"] = torch.cuda.max_memory_allocated(device) // 2**20
    return facts


def _line(metrics: dict[str, float]) -> str:
    measured = [name for name in sorted(metrics) if name.startswith("test/")]
    measured = measured or [name for name in sorted(metrics) if name.startswith("val/")]
    return " · ".join(f"{name} {metrics[name]:.4g}" for name in measured)
