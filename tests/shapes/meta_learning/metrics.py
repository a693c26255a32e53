"""How adaptation is measured."""

from torchmetrics import MeanSquaredError, MetricCollection


class PaperMetrics(MetricCollection):
    """Mean squared error on the query, over all points of all tasks."""

    def __init__(self):
        super().__init__({"mse": MeanSquaredError()})
