"""Minimise over windows."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Section 3."""

    def step(self, batch, metrics):
        forecast = self.model(batch["history"])
        metrics.update(forecast, batch["future"])
        return self.loss(forecast, batch["future"])

    def weight_of(self, batch):
        return len(batch["history"])
