"""``python evaluate.py run=<dir>``: the test metrics of a finished run, recomputed from its checkpoint."""

import math
import os
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from ..evidence.record import read
from ..identity import ROOT, UsageError
from .build import ALONE, build_data, build_procedure, build_trainer, prepare, require_device
from .checkpoints import read_checkpoint

GPU_TOLERANCE = 1e-3  # relative: a GPU may add in another order each time


def evaluate(request: DictConfig) -> None:
    """Test ``request.run`` with the configuration that it was trained with, and compare the result with its record.

    Raises:
        UsageError: there is no such run or checkpoint.
        SystemExit: with code 1, if the metrics differ from those of the record.
    """
    run = _find_run(request.run)
    cfg, record = OmegaConf.load(run / "config.yaml"), read(run / "record.json")
    ckpt = request.ckpt or cfg.ckpt
    checkpoint = run / "checkpoints" / f"{ckpt}.ckpt" if ckpt in ("best", "last") else Path(ckpt)
    tested = record.get("tested", {})  # a run that was not finished has tested none
    recorded = record["metrics"] if ckpt == tested.get("checkpoint") else {}
    read_checkpoint(checkpoint, record["config"], tested["sha256"] if recorded else None)  # refuses a wrong one
    accelerator = request.accelerator or cfg.trainer.accelerator
    require_device(accelerator)
    prepare(cfg)
    trainer = build_trainer(cfg, accelerator=accelerator, **ALONE)
    metrics = measure(cfg, trainer, build_procedure(cfg), build_data(cfg), checkpoint)
    width = max(map(len, metrics), default=6)
    print(f"{os.path.relpath(run, ROOT)} · {ckpt}\n  {'metric':<{width}}  {'now':>12}  {'recorded':>12}")
    for name, value in sorted(metrics.items()):
        print(f"  {name:<{width}}  {value:>12.6g}  {recorded.get(name, '–'):>12.6}")
    if not recorded:
        print(f"The record has no test of {ckpt}, so there is nothing to compare.")
        return
    on_gpu = "gpu" in record["hardware"] or trainer.strategy.root_device.type != "cpu"
    expected = [recorded.get(name, math.inf) for name in metrics]
    tolerance = GPU_TOLERANCE if on_gpu else 0
    within = f" within {100 * GPU_TOLERANCE:g} %, the tolerance for a GPU" if on_gpu else ""
    if not np.allclose(list(metrics.values()), expected, rtol=tolerance, atol=0, equal_nan=True):
        raise SystemExit(
            f"Not equal to the record{within}. Code, data, versions or hardware differ from those of the training: "
            "compare with record.json of the run."
        )
    print(f"Equal to the record{within}.")


def measure(cfg: DictConfig, trainer: L.Trainer, procedure, data, checkpoint: Path) -> dict[str, float]:
    """The test metrics of ``checkpoint``, or its validation metrics if the data has no test split."""
    if not checkpoint.is_file():
        raise UsageError(
            f"There is no {checkpoint.name}, because the training ended before its first validation. Train longer, "
            "validate more often (trainer.val_check_interval=10), or set ckpt=last."
        )
    # evaluate.py must draw the same random numbers as the test after the training
    torch.manual_seed(cfg.seed)
    split, run = ("test", trainer.test) if is_overridden("test_dataloader", data) else ("val", trainer.validate)
    run(procedure, data, ckpt_path=str(checkpoint), weights_only=True, verbose=False)
    return {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(f"{split}/")}


def _find_run(name: str | None) -> Path:
    for run in [Path(name), ROOT / name, ROOT / "runs" / name] if name else []:
        if (run / "config.yaml").is_file():
            return run.resolve()
    found = sorted(ROOT.glob("runs/*/config.yaml"), key=lambda path: path.stat().st_mtime)
    latest = found and f"For the latest: python evaluate.py run=runs/{found[-1].parent.name}"
    wrong = f"run={name}: there is no such run." if name else "Which run should be tested?"
    raise UsageError(f"{wrong} {latest or 'No run exists yet: python train.py experiment=paper trains one.'}")
