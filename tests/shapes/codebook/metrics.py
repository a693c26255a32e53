"""Squared error."""

from torchmetrics import MeanSquaredError, MetricCollection


class PaperMetrics(MetricCollection):
    """Table 1."""

    def __init__(self):
        super().__init__({"mse": MeanSquaredError()})
