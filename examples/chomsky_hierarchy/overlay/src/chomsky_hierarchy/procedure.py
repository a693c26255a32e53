"""The training procedure: what is done with a batch."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss over batches of fresh strings, Section 4."""

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        tokens, answers = batch
        logits = self.model(tokens)
        metrics.update(logits, answers)
        return self.loss(logits, answers)
