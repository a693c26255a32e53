"""Shape: several domains at once in training, one after another in validation, an unseen one in the test."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches, which hold one of each domain."""

    def step(self, batch, metrics):
        parts = list(batch.values()) if isinstance(batch, dict) else [batch]
        found = [self.model(x) for x, _ in parts]
        for (_, logits), (_, labels) in zip(found, parts, strict=True):
            metrics.update(logits, labels)
        return self.loss([f for f, _ in found], [z for _, z in found], [y for _, y in parts])

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        super().validation_step(batch, batch_idx)

    def weight_of(self, batch):
        return sum(len(y) for _, y in (batch.values() if isinstance(batch, dict) else [batch]))
