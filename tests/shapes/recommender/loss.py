"""Equation (4)."""

import torch.nn.functional as F
from torch import nn


class PaperLoss(nn.Module):
    """Pairwise ranking."""

    def forward(self, positive, negative):
        return {"loss": -F.logsigmoid(positive - negative).mean()}
