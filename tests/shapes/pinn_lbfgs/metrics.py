"""The error of the solution."""

from torchmetrics import MetricCollection, RelativeSquaredError


class PaperMetrics(MetricCollection):
    """Relative L2 error: the root of the squared error over that of the mean."""

    def __init__(self):
        super().__init__({"l2": RelativeSquaredError(squared=False)})
