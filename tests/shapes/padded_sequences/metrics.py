"""Accuracy over tokens, Table 1."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """The share of tokens, padding left out, whose tag is right."""

    def __init__(self, tags: int):
        super().__init__({"accuracy": MulticlassAccuracy(tags, average="micro")})
