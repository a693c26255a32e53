"""How the paper measures its results."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """Accuracy, the share of images whose largest logit is that of their class, in [0, 1].

    TODO(paper): the metrics of the paper's table, as defined in Section …. A target in ``configs/paper.yaml`` names
    one of them as ``test/<name>``.

    Args:
        num_classes: K.

    Shapes:
        updated with logits (B, K) float and labels (B,) long.
    """

    def __init__(self, num_classes: int):
        super().__init__({"accuracy": MulticlassAccuracy(num_classes, average="micro")})
