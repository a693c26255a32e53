"""Shape: cross-validation; the seed chooses the fold, nothing is validated, no fact is stated."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    def step(self, batch: dict[str, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        logits = self.model(batch["features"])
        metrics.update(logits, batch["label"].long())
        return self.loss(logits, batch["label"])
