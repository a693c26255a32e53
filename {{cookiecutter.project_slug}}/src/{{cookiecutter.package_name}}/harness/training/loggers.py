"""Loggers that continue a resumed run, and that need no account."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.fabric.loggers import CSVLogger as FabricCSVLogger
from lightning.pytorch import loggers as pytorch_loggers
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only


class CSVLogger(Logger, FabricCSVLogger):
    """Writes ``metrics.csv``, one row per logging step.

    Lightning deletes the file of an earlier session. This class keeps the rows that were logged before the checkpoint
    from which the run is resumed, so that the curve has no gap and no step twice.

    Args:
        root_dir: folder of the file.
        keep_rows: how many rows of an earlier session to keep.
    """

    def __init__(self, root_dir: str, keep_rows: int = 0):
        super().__init__(root_dir, name="", version="")
        self._keep(keep_rows)

    def rows(self) -> list[dict[str, str]]:
        """The rows in the file."""
        path = Path(self.root_dir, "metrics.csv")
        return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Write nothing, because ``config.yaml`` is in the same folder."""

    @rank_zero_only
    def _keep(self, rows: int) -> None:
        kept = self.rows()[:rows]  # before self.experiment deletes the file
        for row in kept:
            self.experiment.log_metrics({name: value for name, value in row.items() if value}, row["step"])
        self.experiment.save()


class WandbLogger(pytorch_loggers.WandbLogger):
    """Lightning's W&B logger, which works offline if nobody is logged in. So it never asks and never fails.

    W&B's step is the step of the training. W&B ignores a step that it has already, so a resumed run logs none twice.
    """

    def __init__(self, **settings: Any):
        import wandb

        if "WANDB_MODE" not in os.environ and not wandb.login(prompt=False):
            settings["mode"] = "offline"
        super().__init__(**settings)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.experiment.log({**metrics, "trainer/global_step": step}, step=step)


def summarise(loggers: Iterable[Logger], facts: dict[str, Any]) -> dict[str, dict]:
    """Write ``facts`` into the summary of the W&B run, and return the run's name and URL for the record."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and rank_zero_only.rank == 0:
            run = logger.experiment
            run.summary.update(facts)
            return {"wandb": {"run": "/".join(filter(None, [run.entity, run.project, run.id])), "url": run.url}}
    return {}


def close_loggers(loggers: Iterable[Logger], exit_code: int) -> None:
    """Write what the loggers still hold, and end the W&B run with ``exit_code``."""
    for logger in loggers:
        logger.finalize("success" if exit_code == 0 else "failed")
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code=exit_code)
