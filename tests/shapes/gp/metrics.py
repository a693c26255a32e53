"""The error of the mean."""

from torchmetrics import MeanSquaredError, MetricCollection


class PaperMetrics(MetricCollection):
    """Table 2.1."""

    def __init__(self):
        super().__init__({"rmse": MeanSquaredError(squared=False)})
