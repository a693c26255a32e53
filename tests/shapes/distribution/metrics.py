"""The log likelihood and the error of the mean."""

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import Metric, MetricCollection


class LogLikelihood(Metric):
    """Mean of log p(t | x)."""

    def __init__(self):
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, p: Distribution, t: Tensor) -> None:
        self.total += p.log_prob(t.squeeze(1)).sum()
        self.count += len(t)

    def compute(self) -> Tensor:
        return self.total / self.count


class PaperMetrics(MetricCollection):
    """Table 1."""

    def __init__(self):
        super().__init__({"loglik": LogLikelihood()})
