"""Shape: CTC; time comes first in the output, and the labels of a batch are one row."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches."""

    def step(self, batch, metrics):
        frames, labels, lengths, label_lengths = batch
        log_probs = self.model(frames, lengths)
        metrics.update(log_probs.detach(), labels, lengths, label_lengths)
        return self.loss(log_probs, labels, lengths, label_lengths)

    def weight_of(self, batch):
        return len(batch[2])
