"""A linear classifier and a weight for each training sample."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """Classifier f and sample weights σ(a), Section 2.

    Args:
        samples: N of training.
    """

    def __init__(self, samples: int):
        super().__init__()
        self.classifier = nn.Linear(64, 10)
        self.a = nn.Parameter(torch.zeros(samples))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x)
