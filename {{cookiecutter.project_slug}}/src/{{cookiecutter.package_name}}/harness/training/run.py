"""``python train.py``: train, test, and write the record."""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig

from ..evidence.claims import Result
from ..evidence.record import Record, best, curves, file_digest, git_state
from ..evidence.targets import targets_of
from ..identity import UsageError, identity
from . import build
from .architecture import architecture
from .checkpoints import read_checkpoint
from .evaluate import measure
from .loggers import close_loggers, summarise
from .request import check_request, check_splits, locked, record_of, resumes, run_folder

try:
    import resource
except ImportError:  # Windows does not have it
    resource = None

log = logging.getLogger(__name__)

# The disk is full, over its quota or read-only, access is denied, or a file is too large
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


def train(cfg: DictConfig, *callbacks: L.Callback) -> float | None:
    """Train as ``cfg`` says, test the checkpoint ``cfg.ckpt``, and write the record.

    Args:
        cfg: the configuration.
        callbacks: of the trainer, besides those of ``cfg.callbacks``.

    Returns:
        ``monitor.metric`` of that checkpoint, for a search of hyperparameters. None if nothing is monitored.

    Raises:
        UsageError: the configuration is impossible or would mislead.
        SystemExit: with code 130 after Ctrl-C, 143 after SIGTERM. The last checkpoint and the record are written.
    """
    check_request(cfg)
    folder = run_folder(cfg)
    earlier = record_of(folder.name) if resumes(cfg) else None
    if earlier and earlier["status"] == "finished":
        print(f"{folder.name} is finished already. resume=auto trains only what is not.")
        return earlier.get("objective")
    last = folder / "checkpoints" / "last.ckpt"
    checkpoint = read_checkpoint(last, identity(cfg)) if resumes(cfg) and last.exists() else None
    build.prepare(cfg)
    data = build.build_data(cfg)
    check_splits(cfg, data)
    with locked(folder), recorded(cfg, folder, checkpoint) as (record, loggers):
        trainer = build.build_trainer(cfg, [*callbacks, *build.build_callbacks(cfg, record, loggers)], loggers)
        procedure = build.build_procedure(cfg)
        procedure.save_hyperparameters(identity(cfg), logger=False)  # each checkpoint names its configuration
        log.info("Run %s", folder.name)
        trainer.fit(procedure, data, ckpt_path=last if checkpoint else None, weights_only=True)
        if trainer.world_size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()  # the first process tests alone
        if trainer.is_global_zero:
            finish(cfg, folder, record, trainer)
            print(*filter(None, [_summary_line(cfg, record.data), os.path.relpath(folder)]), sep="\n")
    return objective(cfg, trainer)


@contextmanager
def recorded(cfg: DictConfig, folder: Path, checkpoint: dict | None) -> Iterator[tuple[Record, list[Logger]]]:
    """Open the record and the loggers of the run. When it ends, the record says how, and the loggers are closed."""
    made_by = checkpoint.get("made_by") or {} if checkpoint else None
    record, loggers = Record(cfg, made_by, writes=rank_zero_only.rank == 0), []
    log_file = logging.FileHandler(folder / "train.log") if record.writes else logging.NullHandler()
    log_file.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logging.getLogger().addHandler(log_file)
    if record.writes and cfg.results and cfg.ckpt and git_state()["dirty"] is not False:
        log.warning("This run will not count: %s", git_state()["failure"] or "code or configs not committed")
    try:
        log_position = checkpoint["resume"][0]["logged"] if checkpoint else {"step": 0, "rows": 0}
        loggers += build.build_loggers(cfg, record, log_position)
        yield record, loggers
        close_loggers(loggers, exit_code=0)
    except (SystemExit, KeyboardInterrupt) as error:
        # Lightning turns Ctrl-C into SystemExit(1). SIGTERM and submitit exit with a code
        ctrl_c = isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)
        code = 130 if ctrl_c else error.code or 143  # the codes that shells and queues expect
        record.close("interrupted")
        close_loggers(loggers, exit_code=code)
        if record.writes:
            how = "To resume it, run the same command with resume=auto."
            print(f"\n{folder.name} was interrupted. {how}", file=sys.stderr)
        raise SystemExit(code) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise UsageError(
                f"{error}. Training has stopped; all complete files are kept. When the disk can be written to again, run "
                f"the same command with resume=auto to resume {folder.name}."
            ) from None
        if not isinstance(error, UsageError):
            (folder / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        # by name, because Optuna is an extra
        status = "pruned" if type(error).__name__ == "TrialPruned" else "crashed"
        record.close(status, error=f"{type(error).__name__}: {error}")
        close_loggers(loggers, exit_code=1)
        raise
    finally:
        logging.getLogger().removeHandler(log_file)
        log_file.close()


def finish(cfg: DictConfig, folder: Path, record: Record, trained: L.Trainer) -> None:
    """Test the checkpoint as ``evaluate.py`` does, and write the record of the finished run."""
    csv, metrics = folder / "metrics.csv", _metrics(trained)
    facts = {
        "steps": trained.global_step,
        "epochs": trained.current_epoch,
        "hardware": _hardware(cfg, trained),
        "objective": objective(cfg, trained),
        "curves": curves(csv) if csv.exists() else {},
    }
    if cfg.ckpt:  # null in a pilot, which is not tested
        checkpoint = folder / "checkpoints" / f"{cfg.ckpt}.ckpt"
        trainer = build.build_trainer(cfg, loggers=trained.loggers, **build.ALONE)
        procedure, data = build.build_procedure(cfg), build.build_data(cfg)
        # The test is logged at the last step of the training: W&B ignores values at an earlier one
        trainer.fit_loop.load_state_dict(trained.fit_loop.state_dict())
        metrics |= measure(cfg, trainer, procedure, data, checkpoint)
        facts |= {"tested": _tested(checkpoint), "architecture": architecture(procedure, data)}
        facts |= summarise(trained.loggers, build.paper_values(cfg) | {"verdict": _verdict(cfg, metrics)})
    record.close("finished", **facts, metrics=metrics)


def objective(cfg: DictConfig, trainer: L.Trainer) -> float | None:
    """The best value of ``monitor.metric`` if the best checkpoint is tested, otherwise its last value."""
    best = getattr(trainer.checkpoint_callback, "best_model_score", None)
    if cfg.ckpt == "best" and best is not None:
        return float(best)
    return _metrics(trainer).get(cfg.monitor.metric)


def _metrics(trainer: L.Trainer) -> dict[str, float]:
    return {name: value.item() for name, value in trainer.callback_metrics.items() if "/" in name}


def _tested(checkpoint: Path) -> dict:
    """Identifies the tested checkpoint, so that another one cannot take its place."""
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


def _verdict(cfg: DictConfig, metrics: dict[str, float]) -> str:
    """What a single run says about the targets of its experiment."""
    record = {"seed": cfg.seed, "metrics": metrics}
    results = [
        Result(target, [record], [], [cfg.seed])
        for target in targets_of(cfg)
        if target.metric in metrics and not target.baseline
    ]
    return "; ".join(f"{result.target.metric} {result.verdict}" for result in results) or "no target of this experiment"


def _summary_line(cfg: DictConfig, record: dict) -> str:
    """The metrics of the last split that was measured; of a training on one batch, how far its loss has fallen."""
    metrics, losses = record["metrics"], record["curves"].get("train/loss", {}).get("values")
    if cfg.trainer.get("overfit_batches") == 1 and losses:
        first, last = losses[0], losses[-1]
        fell = "fell, but not to nearly nothing" if last < first else "did not fall"
        fell = "fell to nearly nothing" if abs(last) <= 0.05 * abs(first) else fell
        return f"The loss of the one batch {fell}: from {first:.3g} to {last:.3g} in {record['steps']} steps."
    last = next((s for s in ("test", "val", "train") if any(name.startswith(f"{s}/") for name in metrics)), "")
    shown = [f"{name} {metrics[name]:.4g}" for name in sorted(metrics) if name.startswith(f"{last}/")]
    if not cfg.ckpt and (found := best(record)):  # a pilot, which is not tested
        shown.append(f"the best {cfg.monitor.metric} {found[0]:.4g} at step {found[1]}")
    return " · ".join(shown)
