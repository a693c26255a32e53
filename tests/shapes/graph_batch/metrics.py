"""Accuracy, Table 1."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    def __init__(self):
        super().__init__({"accuracy": MulticlassAccuracy(2, average="micro")})
