"""How a map is measured."""

import torch
from torchmetrics import Metric, MetricCollection


class NearestNeighbour(Metric):
    """The share of points whose nearest neighbour in the map has their label."""

    higher_is_better = True

    def __init__(self):
        super().__init__()
        self.add_state("right", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, y, labels):
        nearest = torch.cdist(y, y).fill_diagonal_(torch.inf).argmin(1)
        self.right += (labels[nearest] == labels).sum()
        self.total += len(labels)

    def compute(self):
        return self.right / self.total


class PaperMetrics(MetricCollection):
    """1-nearest-neighbour accuracy in the map, leaving each point out."""

    def __init__(self):
        super().__init__({"neighbour_accuracy": NearestNeighbour()})
