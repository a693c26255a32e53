"""Accuracy, Table 2."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """The share of images whose class is right; training images without a label do not count."""

    def __init__(self, classes: int):
        super().__init__({"accuracy": MulticlassAccuracy(classes, average="micro", ignore_index=-1)})
