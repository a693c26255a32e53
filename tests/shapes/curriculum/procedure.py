"""A curriculum."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Section 3."""

    def step(self, batch, metrics):
        x, bits = batch
        logits = self.model(x)
        metrics.update(logits.detach().flatten(), bits.flatten().long())
        return self.loss(logits, bits)
