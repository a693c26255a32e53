"""The label error rate."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


def distance(a: list[int], b: list[int]) -> int:
    """Levenshtein."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


class LabelErrorRate(Metric):
    """Edits over labels, after the best path is collapsed."""

    higher_is_better = False

    def __init__(self):
        super().__init__()
        self.add_state("edits", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, log_probs: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor) -> None:
        parts = labels.split(label_lengths.tolist())
        for i, wanted in enumerate(parts):
            path = log_probs[: lengths[i], i].argmax(-1).unique_consecutive()
            self.edits += distance(path[path > 0].tolist(), wanted.tolist())
            self.total += len(wanted)

    def compute(self) -> Tensor:
        return self.edits / self.total


class PaperMetrics(MetricCollection):
    """Table 2."""

    def __init__(self):
        super().__init__({"ler": LabelErrorRate()})
