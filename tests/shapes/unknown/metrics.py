"""Accuracy."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """Table 2."""

    def __init__(self, classes: int):
        super().__init__({"accuracy": MulticlassAccuracy(classes, average="micro")})
