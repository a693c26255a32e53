"""Completion."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Section 3."""

    def step(self, batch, metrics):
        seen_ratings, seen, ratings, mask = batch
        predictions = self.model(seen_ratings, seen)
        metrics.update(predictions.detach()[mask], ratings[mask])
        return self.loss(predictions, ratings, mask)

    def weight_of(self, batch):
        return int(batch[3].sum())
