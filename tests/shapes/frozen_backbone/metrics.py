"""Accuracy, Table 1."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """The share of images whose class is right."""

    def __init__(self, classes: int):
        super().__init__({"accuracy": MulticlassAccuracy(classes, average="micro")})
