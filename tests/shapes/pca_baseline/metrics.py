"""Explained variance, Table 1."""

from torchmetrics import ExplainedVariance, MetricCollection


class PaperMetrics(MetricCollection):
    """1 - Var(x - x̂) / Var(x), weighted by the variance of each pixel."""

    def __init__(self):
        super().__init__({"explained": ExplainedVariance("variance_weighted")})
