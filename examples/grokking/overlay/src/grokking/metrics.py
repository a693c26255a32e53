"""How the paper measures its results."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class PaperMetrics(MetricCollection):
    """Accuracy of the answer's token, Appendix A.1.2, in [0, 1].

    When it exceeds a threshold, on which split, is for ``PaperProcedure`` to note.

    Args:
        vocab_size: V.

    Shapes:
        updated with logits of the answer (B, V) float and answers (B,) long.
    """

    def __init__(self, vocab_size: int):
        super().__init__({"accuracy": MulticlassAccuracy(vocab_size, average="micro")})
