"""Pairs in training, candidates in validation."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Section 3."""

    def step(self, batch, metrics):
        users, liked, others = batch
        return self.loss(self.model(users, liked), self.model(users, others))

    def validation_step(self, batch, batch_idx):
        self.val_metrics.update(self.model(*batch))

    def test_step(self, batch, batch_idx):
        self.test_metrics.update(self.model(*batch))
