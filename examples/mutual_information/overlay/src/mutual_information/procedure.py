"""The training procedure: what is done with a batch."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Train the critic up the staircase, and keep each iteration's estimate: that trace is what is tested."""

    def __init__(self, **parts: Any):
        super().__init__(**parts)
        self.trace: list[Tensor] = []  # of each iteration the estimate and the truth, (2,)

    def step(self, batch: tuple[Tensor, Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        x, y, mi = batch
        return self.loss(self.model(x, y)) | {"truth": mi[0]}

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        self.trace.append(torch.stack([self.terms["estimate"], self.terms["truth"]]))
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["trace"] = torch.stack(self.trace) if self.trace else torch.empty(0, 2)  # (T, 2)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.trace = list(checkpoint["trace"])

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        pass

    def on_test_epoch_end(self) -> None:
        self.test_metrics.update(*torch.stack(self.trace).T)  # (T, 2) -> 2 × (T,)
        super().on_test_epoch_end()
