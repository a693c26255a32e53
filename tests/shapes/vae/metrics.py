"""The bound, as the paper reports it."""

from torchmetrics import MeanMetric, MetricCollection


class PaperMetrics(MetricCollection):
    """Negative evidence lower bound in nats per image, one draw of z each."""

    def __init__(self):
        super().__init__({"nelbo": MeanMetric(nan_strategy="error")})
