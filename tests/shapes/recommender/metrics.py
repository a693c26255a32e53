"""Hit rate."""

import torch
from torchmetrics import Metric, MetricCollection


class HitRate(Metric):
    """Share of users whose held-out item is among the ten best; ties are no hits."""

    higher_is_better = True

    def __init__(self):
        super().__init__()
        self.add_state("hits", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("users", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, scores):
        better = (scores[:, 1:] >= scores[:, :1]).sum(1)
        self.hits += torch.where(scores.isfinite().all(1), (better < 10).float(), torch.nan).sum()
        self.users += len(scores)

    def compute(self):
        return self.hits / self.users


class PaperMetrics(MetricCollection):
    """HR@10."""

    def __init__(self):
        super().__init__({"hit_rate": HitRate()})
