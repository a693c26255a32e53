"""Shape: the test has a second loader, of what the model should not know; its labels are -1."""

import torch
from torchmetrics.classification import BinaryAUROC

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise over batches; the entropy of the prediction tells known from unknown, Section 5."""

    def __init__(self, **parts):
        super().__init__(**parts)
        self.auroc = BinaryAUROC()

    def step(self, batch, metrics):
        x, labels = batch
        logits = self.model(x)
        metrics.update(logits, labels)
        return self.loss(logits, labels)

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        x, labels = batch
        if dataloader_idx == 0:
            super().test_step(batch, batch_idx)
        entropy = torch.special.entr(self.model(x).softmax(1)).mean(1)
        self.auroc.update(entropy, torch.full_like(labels, dataloader_idx))

    def on_test_epoch_end(self):
        super().on_test_epoch_end()
        self.log("test/auroc", self.auroc.compute())
        self.auroc.reset()
