"""Mean squared error."""

from torchmetrics import MeanSquaredError, MetricCollection


class PaperMetrics(MetricCollection):
    """MSE."""

    def __init__(self):
        super().__init__({"mse": MeanSquaredError()})
