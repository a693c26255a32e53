"""F1 of dots."""

from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryF1Score


class PaperMetrics(MetricCollection):
    """Table 1."""

    def __init__(self):
        super().__init__({"f1": BinaryF1Score()})
