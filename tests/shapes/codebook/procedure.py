"""Shape: the model moves its codes in each forward pass of training."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches."""

    def step(self, batch, metrics):
        (x,) = batch
        found, z, e = self.model(x)
        metrics.update(found.detach(), x)
        return self.loss(found, z, e, x)
