"""Loggers that continue a resumed run, and that need no account."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import loggers as pytorch_loggers
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only


class CSVLogger(Logger):
    """Writes ``metrics.csv``, one row per logging step.

    Lightning's ``CSVLogger`` deletes the rows of earlier sessions when a run is resumed. This one keeps those that were
    logged before the checkpoint, so that the curve has no gap and no step twice.

    Args:
        path: the file.

    Attributes:
        rows: number of rows in the file.
    """

    name, version = "csv", ""

    def __init__(self, path: str):
        super().__init__()
        self.path = Path(path)
        self._columns: list[str] = ["step", "epoch"]
        self._pending: list[dict[str, float]] = []
        self.rows = 0

    @rank_zero_only
    def rewind(self, rows: int) -> None:
        """Keep only the first ``rows``: the others were logged after the checkpoint from which the run is resumed."""
        self._write(self._read()[:rows])

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Write nothing, because ``config.yaml`` is in the same folder."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._pending.append({"step": step, **metrics})  # until Lightning calls save()

    @rank_zero_only
    def save(self) -> None:
        new = [name for row in self._pending for name in row if name not in self._columns]
        if new:
            earlier = self._read()
            self._columns += dict.fromkeys(new)
            self._write(earlier + self._pending)
        elif self._pending:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerows(self._pending)
            self.rows += len(self._pending)
        self._pending = []

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_text().rpartition("\n")  # a kill can leave half a line at the end
        rows = list(csv.DictReader(whole.splitlines()))
        self._columns = list(dict.fromkeys([*self._columns, *(rows[0] if rows else [])]))
        return rows

    def _write(self, rows: list[dict]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".tmp")  # renamed when it is complete, because Ctrl-C may come at any moment
        with beside.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(beside, self.path)
        self.rows = len(rows)


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
