"""Shape: a frozen backbone with batch norm in evaluation mode, and a head that alone is trained."""

from torch import Tensor
from torch.optim import Optimizer
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Train the head."""

    def step(self, batch: list[Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        images, labels = batch
        logits = self.model(images)
        metrics.update(logits, labels)
        return self.loss(logits, labels)

    def configure_optimizers(self) -> Optimizer:
        return self.optimizer(self.model.head.parameters())
