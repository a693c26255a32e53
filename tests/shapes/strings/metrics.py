"""F1."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class PaperMetrics(MetricCollection):
    """Table 1."""

    def __init__(self, classes: int):
        super().__init__({"accuracy": MulticlassAccuracy(classes, average="micro"), "f1": MulticlassF1Score(classes)})
