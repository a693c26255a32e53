"""The objective: what the paper minimises."""

import torch.nn.functional as F
from torch import Tensor, nn

from .data import IGNORED


class PaperLoss(nn.Module):
    """Cross-entropy of the next character, in nats.

    TODO(paper): the paper's objective, as in Equation (…).

    Args:
        smoothing: ε, the probability spread over all characters in training, in [0, 1).

    Shapes:
        logits (B, T, V) float, targets (B, T) long, −100 where nothing is to be predicted; returns scalars.
    """

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        logits, targets = logits.flatten(0, 1), targets.flatten()  # (B, T, V) -> (B·T, V), (B, T) -> (B·T,)
        smoothing = self.smoothing * self.training
        cross_entropy = F.cross_entropy(logits, targets, ignore_index=IGNORED, label_smoothing=smoothing)
        # TODO(paper): add the paper's further terms here, L = L_main + λ · L_aux, and name each in the dict.
        return {"loss": cross_entropy}
