"""The error of a reconstruction."""

from torchmetrics import MeanSquaredError, MetricCollection


class PaperMetrics(MetricCollection):
    """Mean squared error per pixel."""

    def __init__(self):
        super().__init__({"error": MeanSquaredError()})
