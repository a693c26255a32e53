"""Minimise over documents."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Section 3."""

    def step(self, batch, metrics):
        logits = self.model(batch.tokens, batch.offsets)
        metrics.update(logits, batch.labels)
        return self.loss(logits, batch.labels)

    def weight_of(self, batch):
        return len(batch.labels)
