"""What an episode earns."""

from torchmetrics import MeanMetric, MetricCollection


class PaperMetrics(MetricCollection):
    """The mean return of an episode, Section 4; updated with the returns (B,) of test episodes."""

    def __init__(self):
        super().__init__({"return": MeanMetric(nan_strategy="error")})
