"""Area under the curve, Table 2."""

from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAUROC


class PaperMetrics(MetricCollection):
    """The area under the ROC curve of the held-out fold."""

    def __init__(self):
        super().__init__({"auroc": BinaryAUROC()})
