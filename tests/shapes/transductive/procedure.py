"""Shape: one graph, of which each split sees the labels of its own nodes."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Full-batch gradient descent, Section 3."""

    def step(self, batch, metrics):
        logits, labels = self.model(batch["x"], batch["adjacency"])[batch["mask"]], batch["y"][batch["mask"]]
        metrics.update(logits, labels)
        return self.loss(logits, labels)

    def weight_of(self, batch):
        return int(batch["mask"].sum())
