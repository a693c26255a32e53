"""Shape: sets of different sizes, as a list of tensors."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches."""

    def step(self, batch: tuple[list[Tensor], Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        sets, labels = batch
        logits = self.model(sets)
        metrics.update(logits, labels)
        return self.loss(logits, labels)

    def weight_of(self, batch: tuple[list[Tensor], Tensor]) -> int:
        return len(batch[1])
