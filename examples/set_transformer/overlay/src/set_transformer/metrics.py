"""How the paper measures its results."""

from torchmetrics import MetricCollection


class PaperMetrics(MetricCollection):
    """Nothing beside ``PaperLoss``, which is the error of Table 1."""

    def __init__(self):
        super().__init__({})
