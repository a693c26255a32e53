"""Rank of the held-out item, Section 6.2."""

import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection


class MeanReciprocalRank(MeanMetric):
    """1 / rank of the held-out items (B,) by scores (B, I); among equal scores, the rank is the mean of theirs."""

    higher_is_better = True

    def update(self, scores: Tensor, items: Tensor) -> None:
        own = scores.gather(1, items[:, None])  # (B, 1)
        better, equal = (scores > own).sum(1), (scores == own).sum(1)  # the item is equal to itself
        super().update(torch.where(own.isnan()[:, 0], torch.nan, 1 / (better + (equal + 1) / 2)))


class PaperMetrics(MetricCollection):
    """Mean reciprocal rank among the items that the user has not taken before."""

    def __init__(self):
        super().__init__({"mrr": MeanReciprocalRank(nan_strategy="error")})
