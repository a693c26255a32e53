"""Shape: padded sequences of several lengths; a dict batch, grouped by length by a batch_sampler of its own."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """The loss and the metric are means over tokens."""

    def step(self, batch: dict[str, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        logits, mask = self.model(batch["tokens"], batch["lengths"]), batch["mask"]
        metrics.update(logits[mask], batch["tags"][mask])
        return self.loss(logits, batch["tags"], mask)

    def weight_of(self, batch: dict[str, Tensor]) -> int:
        return int(batch["mask"].sum())
