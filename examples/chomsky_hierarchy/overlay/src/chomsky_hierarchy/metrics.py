"""How the paper measures its results."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class Score(Metric):
    """Accuracy, in [0, 1], averaged over lengths, Appendix A.4: each length counts as much as any other.

    Shapes:
        updated with the logits (B, K) float and the answers (B,) long of all strings of one length.
    """

    higher_is_better = True

    def __init__(self):
        super().__init__()
        self.add_state("accuracies", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("lengths", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Tensor, answers: Tensor) -> None:
        self.accuracies += (logits.argmax(dim=-1) == answers).double().mean()
        self.lengths += 1

    def compute(self) -> Tensor:
        return self.accuracies / self.lengths


class PaperMetrics(MetricCollection):
    """The score of Table 2."""

    def __init__(self):
        super().__init__({"score": Score()})
