"""Shape: graphs joined into one; a dataclass batch without a batch dimension, and with a sparse matrix."""

from torch import Tensor
from torchmetrics import MetricCollection

from .data import Graphs
from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    def step(self, batch: Graphs, metrics: MetricCollection) -> dict[str, Tensor]:
        logits = self.model(batch)
        metrics.update(logits, batch.y)
        return self.loss(logits, batch.y)

    def weight_of(self, batch: Graphs) -> int:
        return len(batch.y)
