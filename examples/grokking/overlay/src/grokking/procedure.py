"""The training procedure: what is done with a batch."""

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss of the answers; note when training and when validation accuracy exceed a threshold, Figure 1.

    Training accuracy is that of an epoch, in which the weights move; validation accuracy that of each validation.

    Args:
        threshold: of both, in [0, 1).
        parts: what every ``Procedure`` has: model, loss, metrics, optimizer, scheduler.
    """

    def __init__(self, threshold: float, **parts):
        super().__init__(**parts)
        self.threshold = threshold
        # The first updates above it; buffers, so that a resumed run and evaluate.py know them. inf: not yet
        self.register_buffer("memorized_at", torch.tensor(torch.inf))
        self.register_buffer("generalized_at", torch.tensor(torch.inf))

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        equations, answers = batch
        logits = self.model(equations)[:, -1]  # (B, 4, V) -> (B, V): what follows the equality sign
        metrics.update(logits, answers)
        return self.loss(logits, answers)

    def on_train_epoch_end(self) -> None:
        self._note(self.memorized_at, self.train_metrics)
        super().on_train_epoch_end()

    def on_validation_epoch_end(self) -> None:
        training = self.trainer.state.fn == "fit"
        if training:
            self._note(self.generalized_at, self.val_metrics)
        super().on_validation_epoch_end()
        if not training:  # of the trained model
            delay = self.generalized_at - self.memorized_at if self.generalized_at.isfinite() else torch.nan
            found = {"memorized_at": self.memorized_at, "generalized_at": self.generalized_at, "delay": delay}
            self.log_dict({f"val/{name}": updates for name, updates in found.items()})

    def _note(self, first: Tensor, metrics: MetricCollection) -> None:
        (accuracy,) = metrics.compute().values()
        if accuracy > self.threshold and first.isinf():
            first.fill_(self.trainer.global_step)
