"""How features are measured."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class Retrieval(Metric):
    """The share of queries (B, D) whose own key (B, D) is the nearest of the batch."""

    higher_is_better = True

    def __init__(self):
        super().__init__()
        self.add_state("right", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, queries: Tensor, keys: Tensor) -> None:
        nearest = (queries @ keys.T).argmax(1)
        self.right += (nearest == torch.arange(len(keys), device=keys.device)).sum()
        self.total += len(keys)

    def compute(self) -> Tensor:
        return self.right / self.total


class PaperMetrics(MetricCollection):
    """Retrieval of the other view among all images of the split, Section 4."""

    def __init__(self):
        super().__init__({"retrieval": Retrieval()})
