"""Connectionist temporal classification."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Equation (3): -log p(labels | frames), a mean over the sequences of a batch."""

    def forward(self, log_probs: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor) -> dict[str, Tensor]:
        nll = F.ctc_loss(log_probs, labels, lengths, label_lengths, reduction="none")
        return {"loss": nll.mean()}
