"""Accuracy."""

from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy


class PaperMetrics(MetricCollection):
    """Share of bits right."""

    def __init__(self):
        super().__init__({"accuracy": BinaryAccuracy()})
