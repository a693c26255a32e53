"""The training procedure: what is done with a batch."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss over batches, supplement, Section 2.1."""

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        X, largest = batch
        return self.loss(self.model(X), largest)
