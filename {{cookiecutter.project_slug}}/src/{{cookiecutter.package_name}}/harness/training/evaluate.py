"""``python evaluate.py run=<dir>``: the test metrics of a finished run, recomputed from its checkpoint."""

import math
import os
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from ..evidence.record import file_digest, read
from ..identity import ROOT, UsageError
from .build import ALONE, build_data, build_procedure, build_trainer, prepare, require_device
from .checkpoints import read_checkpoint, require_fit

GPU = 1e-3  # relative: a GPU may add in another order each time, and rounds otherwise than a CPU


def evaluate(request: DictConfig) -> None:
    """Test the run ``request.run`` with the configuration it was trained with, and compare with its record.

    Raises:
        UsageError: there is no such run or checkpoint.
        SystemExit: with code 1, when the numbers are not those of the record.
    """
    run = _find_run(request.run)
    cfg = OmegaConf.load(run / "config.yaml")
    ckpt = request.ckpt or cfg.ckpt
    checkpoint = run / "checkpoints" / f"{ckpt}.ckpt" if ckpt in ("best", "last") else Path(ckpt)
    if not checkpoint.is_file():
        there = ", ".join(path.stem for path in sorted((run / "checkpoints").glob("*.ckpt"))) or "none"
        raise UsageError(
            f"ckpt={ckpt}: no such checkpoint in {run}. There is: {there}; or give the path of a .ckpt file."
        )
    record = read(run / "record.json")
    weights = read_checkpoint(checkpoint, record["config"])
    comparable = record["status"] == "finished" and ckpt == record["tested"]["checkpoint"]
    if comparable and file_digest(checkpoint) != record["tested"]["sha256"]:
        raise UsageError(f"{os.path.relpath(checkpoint)} is not the checkpoint that the record of {run.name} is of.")
    accelerator = request.accelerator or cfg.trainer.accelerator
    require_device(accelerator)
    prepare(cfg)
    trainer = build_trainer(cfg, accelerator=accelerator, **ALONE)
    procedure = build_procedure(cfg)
    require_fit(checkpoint, weights, procedure)
    metrics = measure(cfg, trainer, procedure, build_data(cfg), checkpoint)
    recorded = record["metrics"] if comparable else {}
    width = max(map(len, metrics), default=6)
    print(f"{os.path.relpath(run, ROOT)} · {ckpt}\n  {'metric':<{width}}  {'now':>12}  {'recorded':>12}")
    for name, value in sorted(metrics.items()):
        print(f"  {name:<{width}}  {value:>12.6g}  {recorded.get(name, '–'):>12.6}")
    if not comparable:
        print(f"The record has no test of {ckpt} to compare with.")
    else:
        on_gpu = "gpu" in record["hardware"] or trainer.strategy.root_device.type != "cpu"
        print(_agreement(metrics, recorded, on_gpu))


def _agreement(now: dict[str, float], then: dict[str, float], on_gpu: bool) -> str:
    """To the last digit; or, where one of the two ran on a GPU, within ``GPU``."""
    differ = {name: value for name, value in now.items() if str(then.get(name)) != str(value)}  # nan is nan here
    if not differ:
        return "Equal to the record."
    allowed = f"within {100 * GPU:g} %, as is allowed where a GPU was used"
    if on_gpu and all(name in then and math.isclose(value, then[name], rel_tol=GPU) for name, value in differ.items()):
        return f"Equal to the record {allowed}."
    raise SystemExit(
        f"Not equal to the record{f', nor {allowed}' if on_gpu else ''}: code, data, versions or hardware are not those "
        "of the training; see record.json."
    )


def measure(cfg: DictConfig, trainer: L.Trainer, procedure, data, checkpoint: Path) -> dict[str, float]:
    """The test metrics of ``checkpoint``; those of validation where the paper has no third split.

    Raises:
        UsageError: there is no such checkpoint.
    """
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


def _find_run(asked: str | None) -> Path:
    for run in [Path(asked), ROOT / asked, ROOT / "runs" / asked] if asked else []:
        if (run / "config.yaml").is_file():
            return run.resolve()
    found = sorted(ROOT.glob("runs/*/config.yaml"), key=lambda path: path.stat().st_mtime)
    latest = (
        f"The latest: python evaluate.py run=runs/{found[-1].parent.name}" if found else "There is none: train first."
    )
    raise UsageError(f"run={asked}: no such run. {latest}" if asked else f"Which run? {latest}")
