"""Accuracy."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """Share of images classified right."""

    def __init__(self):
        super().__init__({"accuracy": MulticlassAccuracy(10, average="micro")})
