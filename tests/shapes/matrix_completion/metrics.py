"""RMSE."""

from torchmetrics import MeanSquaredError, MetricCollection


class PaperMetrics(MetricCollection):
    """Root of the mean squared error over entries."""

    def __init__(self):
        super().__init__({"rmse": MeanSquaredError(squared=False)})
