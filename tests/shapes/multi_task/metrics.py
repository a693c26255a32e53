"""Accuracy of each task, Table 3."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """The share of images whose digit, or whose turn, is right."""

    def __init__(self):
        super().__init__(
            {f"{t}_accuracy": MulticlassAccuracy(k, average="micro") for t, k in [("digit", 10), ("turn", 4)]}
        )
