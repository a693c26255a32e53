"""The training procedure: what is done with a batch."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss over batches.

    TODO(paper): the paper's procedure, as in Algorithm …, if it is more than that. A batch may be tensors, a dict or a
    list. Any hook of LightningModule may be overridden: see PROCEDURES.md.
    """

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        images, labels = batch
        logits = self.model(images)
        metrics.update(logits, labels)
        return self.loss(logits, labels)
