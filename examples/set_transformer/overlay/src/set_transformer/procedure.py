"""The training procedure: what is done with a batch."""

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss over batches, supplement, Section 2.1, and remember the error of the last ones.

    No set comes twice, so that the loss of a batch, before its step, is the error on sets that were never seen. Its
    mean over the last ``window`` steps is the error of a run, ``test/error``: with a constant rate that of the last
    weights, ``test/loss``, is one draw of a wide spread.

    Args:
        window: steps that are averaged.
    """

    def __init__(self, window: int, **parts):
        super().__init__(**parts)
        self.register_buffer("errors", torch.full((window,), torch.nan))  # so that checkpoints hold them

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        X, largest = batch
        terms = self.loss(self.model(X), largest)
        if self.training:
            self.errors[self.global_step % len(self.errors)] = terms["loss"].detach()
        return terms

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/error", self.errors.nanmean())
