"""Shape: a batch is a list of strings and their labels; the model itself makes tokens of them."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches."""

    def step(self, batch, metrics):
        texts, labels = batch
        logits = self.model(texts)
        metrics.update(logits, labels)
        return self.loss(logits, labels)

    def weight_of(self, batch):
        return len(batch[1])
