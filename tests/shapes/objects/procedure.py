"""Shape: detection. Each image has a list of objects of another length, and the loss is a mean over objects."""

from .harness.procedure import Procedure
from .loss import heat


class PaperProcedure(Procedure):
    """Minimise over batches."""

    def step(self, batch, metrics):
        images, dots = batch
        logits = self.model(images)
        metrics.update(logits, heat(logits, dots).long())
        return self.loss(logits, dots)

    def weight_of(self, batch):
        return sum(map(len, batch[1]))
