"""Shape: batches are bytes until a hook of the data module makes images of them, which are augmented in training."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches."""

    def step(self, batch, metrics):
        logits = self.model(batch.image)
        metrics.update(logits, batch.label)
        return self.loss(logits, batch.label)
