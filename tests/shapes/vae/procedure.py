"""Shape: a variational autoencoder; two terms, noise also where it is measured, and batches without labels."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Maximise the evidence lower bound, Section 2.3."""

    def step(self, batch, metrics):
        (x,) = batch
        terms = self.loss(x, *self.model(x))
        metrics["nelbo"].update(terms["loss"].detach(), weight=len(x))
        return terms
