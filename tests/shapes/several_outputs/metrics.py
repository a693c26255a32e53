"""Accuracy of the form and error of the pitch, Table 1."""

from torch import Tensor
from torchmetrics import MeanAbsoluteError, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from .model import Outputs


class PaperMetrics(MetricCollection):
    """The share of signals whose form is right, and the mean error of the pitch in bins."""

    def __init__(self, forms: int):
        super().__init__({"accuracy": MulticlassAccuracy(forms, average="micro"), "error": MeanAbsoluteError()})

    def update(self, outputs: Outputs, form: Tensor, pitch: Tensor) -> None:
        self["accuracy"].update(outputs.logits, form)
        self["error"].update(outputs.pitch, pitch)
