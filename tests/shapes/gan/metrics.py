"""How samples are measured."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class Modes(Metric):
    """Samples near a centre: their share (``quality``), or the number of centres that have 1 % of them (``count``)."""

    higher_is_better = True

    def __init__(self, radius: float, what: str):
        super().__init__()
        self.radius, self.what = radius, what
        self.add_state("near", torch.zeros(8), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, samples: Tensor, centres: Tensor) -> None:
        self.near += (torch.cdist(samples, centres) < self.radius).float().sum(0)
        self.total += len(samples)

    def compute(self) -> Tensor:
        shares = self.near / self.total
        return shares.sum() if self.what == "quality" else (shares > 0.01).float().sum()


class PaperMetrics(MetricCollection):
    """Section 4: covered modes, and the share of samples within three standard deviations of one.

    Args:
        std: of each Gaussian.
    """

    def __init__(self, std: float):
        super().__init__({"modes": Modes(3 * std, "count"), "quality": Modes(3 * std, "quality")})
