"""``python train.py``: train, test, and leave a record."""

import errno
import logging
import os
import sys
import traceback
from pathlib import Path

import hydra
import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from .architecture import architecture
from .building import ALONE, build_data, build_procedure, build_trainer, prepare, require_device
from .callbacks import OwnNoise
from .checkpoints import LastCheckpoint, rank_zero_say, read_checkpoint, require_fit
from .claims import claims_of, verdict
from .loggers import CSVLogger, close_loggers, summarise
from .records import Record, curves, file_digest, read
from .settings import ROOT, UsageError, identity, refuse_test_metrics, resumes, run_folder

try:
    import resource
except ImportError:  # Windows does not say how much memory a process has used
    resource = None

log = logging.getLogger(__name__)

# full, too large, read-only, not ours
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


def train(cfg: DictConfig) -> float | None:
    """Train as ``cfg`` says, test the checkpoint that ``cfg.ckpt`` chooses, and write the record.

    Returns:
        ``monitor.metric`` of that checkpoint, by which a sweep chooses; None where nothing is monitored.

    Raises:
        UsageError: the configuration asks for something that cannot be or must not be.
        SystemExit: with code 130 after Ctrl-C, 143 after SIGTERM; the last checkpoint is written and the record says so.
    """
    try:
        return _train(cfg)
    except UsageError as error:
        if "optuna" in HydraConfig.get().sweeper._target_:
            raise RuntimeError(str(error)) from None  # of this trial; the others go on
        raise
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise UsageError(
            f"{error}. Training has stopped; what was whole is kept. Once that is mended, the same command with "
            f"resume=auto goes on from {Path(cfg.run.dir).name}."
        ) from None


def _train(cfg: DictConfig) -> float | None:
    refuse_test_metrics(cfg)
    if cfg.monitor.metric is None and cfg.ckpt == "best":
        raise UsageError("ckpt=best: nothing says what is best. Set monitor.metric to a val/ metric, or ckpt=last.")
    fused = OmegaConf.select(cfg, "optimizer.fused")
    if fused and cfg.trainer.precision == "16-mixed" and cfg.trainer.gradient_clip_val:
        raise UsageError(
            "A fused optimizer unscales the gradients of 16-mixed itself, too late to clip them. Set optimizer.fused=false."
        )
    several = cfg.trainer.devices != 1 or cfg.trainer.num_nodes != 1
    if HydraConfig.get().mode == RunMode.MULTIRUN and several and not SLURMEnvironment.detect():
        raise UsageError(
            "-m runs each job in one process: train on several devices one seed at a time, without -m, or let SLURM "
            "start their processes: -m hydra/launcher=slurm."
        )
    with run_folder(cfg) as run:
        return _run(cfg, run, several)


def _run(cfg: DictConfig, run: Path, several: bool) -> float | None:
    resume = _checkpoint_to_resume(cfg, run)
    if isinstance(resume, dict):
        asked = "resume=auto" in HydraConfig.get().overrides.task  # and not by a sweep
        again = " Without resume=auto, it is trained again, beside it." if asked else ""
        print(f"{run.name} is finished already.{again}")
        return resume.get("objective")
    checkpoint = _read_to_resume(resume, cfg)
    logged = checkpoint["resume"][0]["logged"] if checkpoint else {"step": 0, "rows": 0}
    made_by = checkpoint.get("made_by", {}) if checkpoint else None
    require_device(cfg.trainer.accelerator)
    prepare(cfg)
    data = build_data(cfg)
    _check_splits(cfg, data)
    if checkpoint:
        require_fit(Path(resume), checkpoint, build_procedure(cfg))
        del checkpoint  # Lightning reads it again
    record = _RankZeroRecord(cfg, claims_of(cfg), made_by)
    log_file = logging.FileHandler(run / "train.log")
    log_file.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logging.getLogger().addHandler(log_file)
    loggers = []
    try:
        for logger in filter(None, cfg.logger.values()):  # logger.csv=null takes one away
            known = {"id": record.id, "purge_step": logged["step"]}
            loggers.append(hydra.utils.instantiate(logger, **{key: known[key] for key in known if key in logger}))
            if isinstance(loggers[-1], CSVLogger):
                loggers[-1].rewind(logged["rows"])
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
                callback.made_by = record.made_by
        procedure = build_procedure(cfg)
        callbacks += [OwnNoise(cfg.seed)] if several else []
        bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
        trainer = build_trainer(cfg, callbacks, loggers, enable_progress_bar=bar)
        paper = {
            f"paper/{name}": c["value"] / c["factor"] for name, c in record.claims.items() if c["value"] is not None
        }
        for logger in loggers:
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True) | paper | {"record": f"{run.name}.json"})
        log.info("Run %s", run.name)
        trainer.fit(procedure, data, ckpt_path=resume, weights_only=True)
        steps, epochs, hardware = trainer.global_step, trainer.current_epoch, _hardware(cfg, trainer)
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if "/" in name}
        objective = _objective(cfg, trainer, metrics)
        drawn = curves(run / "metrics.csv") if (run / "metrics.csv").exists() else {}  # before val/ is the measurement
        if trainer.world_size > 1:
            # On one device, as evaluate.py does: Lightning gives all processes equally many samples, some of them twice
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            if not trainer.is_global_zero:
                return objective
            procedure, data = build_procedure(cfg), build_data(cfg)
            trainer = build_trainer(cfg, loggers=loggers, **ALONE)
        metrics |= measure(cfg, trainer, procedure, data, run / "checkpoints" / f"{cfg.ckpt}.ckpt")
        record.close(
            "finished",
            metrics=metrics,
            steps=steps,
            epochs=epochs,
            tested=_tested(run / "checkpoints" / f"{cfg.ckpt}.ckpt"),
            hardware=hardware,
            objective=objective,
            curves=drawn,
            architecture=architecture(trainer, procedure, data),
            **summarise(loggers, paper | {"verdict": verdict(cfg, metrics)}),
        )
        close_loggers(loggers, exit_code=0)
    except BaseException as error:
        # Lightning turns Ctrl-C into SystemExit(1); SIGTERM and submitit exit with a code, a UsageError with a message
        by_hand = isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)
        if by_hand or (isinstance(error, SystemExit) and not isinstance(error.code, str)):
            code = 130 if by_hand else error.code or 143  # what a shell and a queue expect after Ctrl-C and SIGTERM
            record.close("interrupted")
            close_loggers(loggers, exit_code=code)
            rank_zero_say(f"\nInterrupted. The same command with resume=auto goes on from {run.name}.")
            raise SystemExit(code) from None
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        if not isinstance(error, SystemExit):
            (run / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        record.close("crashed", error=f"{type(error).__name__}: {error}")
        close_loggers(loggers, exit_code=1)
        raise
    print(f"{_line(metrics)}\n{os.path.relpath(run)}")
    return objective


def _objective(cfg: DictConfig, trainer: L.Trainer, metrics: dict[str, float]) -> float | None:
    """``monitor.metric`` where it was best, if that checkpoint is tested; else where the training ended."""
    for callback in trainer.checkpoint_callbacks if cfg.ckpt == "best" else []:
        if isinstance(callback, ModelCheckpoint) and callback.monitor == cfg.monitor.metric:
            metrics = metrics | {callback.monitor: callback.best_model_score}
    found = metrics.get(cfg.monitor.metric)
    return None if found is None else float(found)


def measure(cfg: DictConfig, trainer, procedure, data, checkpoint: Path) -> dict[str, float]:
    """The test metrics of ``checkpoint``; those of validation where the paper has no third split."""
    if not checkpoint.is_file():
        raise UsageError(
            f"There is no {checkpoint.name}: the training ended before its first validation. Train longer, validate "
            "earlier (trainer.val_check_interval), or set ckpt=last."
        )
    # What a procedure draws in testing must not depend on what training drew before, or evaluate.py could not repeat it
    torch.manual_seed(cfg.seed)
    split, run = ("test", trainer.test) if is_overridden("test_dataloader", data) else ("val", trainer.validate)
    run(procedure, data, ckpt_path=str(checkpoint), weights_only=True, verbose=False)
    return {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(f"{split}/")}


def _check_splits(cfg: DictConfig, data: L.LightningDataModule) -> None:
    """Refuse, before the training, what would fail or mislead after it."""
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


def _checkpoint_to_resume(cfg: DictConfig, run: Path) -> str | dict | None:
    """The checkpoint to go on from, the record of a run that is finished, or None for a fresh start."""
    if not resumes(cfg) and cfg.resume is None:
        return None
    if cfg.resume not in (None, "auto"):  # the checkpoint of another run would make a new seed of old training
        raise UsageError(f"resume={cfg.resume}: only resume=auto, which goes on with this very run.")
    for path in (run / "record.json", ROOT / "results" / f"{run.name}.json"):  # a clone has only the latter
        if path.exists() and (record := read(path))["status"] == "finished":
            return record
    last = run / "checkpoints" / "last.ckpt"
    return str(last) if last.exists() else None


def _read_to_resume(path: str | None, cfg: DictConfig) -> dict | None:
    if path is None:
        return None
    checkpoint = read_checkpoint(Path(path), identity(cfg))
    if "resume" not in checkpoint:
        raise UsageError(f"{path} is not what train.py wrote as last.ckpt: training cannot go on from it.")
    return checkpoint


class _RankZeroRecord:
    """The record in the first process of a run; in the others, nothing is written."""

    def __init__(self, cfg: DictConfig, claims: dict[str, dict], made_by: dict | None):
        self._record = Record(cfg, claims, made_by) if rank_zero_only.rank == 0 else None
        self.claims = claims
        self.made_by = {key: self._record.data[key] for key in ("code", "git")} if self._record else {}
        self.id = self._record.data["id"] if self._record else Path(cfg.run.dir).name

    def close(self, status: str, **facts) -> None:
        if self._record:
            self._record.close(status, **facts)


def _tested(checkpoint: Path) -> dict:
    """Which checkpoint was tested, so that no other can be shown in its place."""
    state = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    return {
        "checkpoint": checkpoint.stem,
        "epoch": state["epoch"],
        "step": state["global_step"],
        "sha256": file_digest(checkpoint),
    }


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
