"""BPR-Opt, Section 4.1."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """-ln σ(x̂_ui - x̂_uj), Section 4.1, for scores (B,) of an item i that was taken and an item j that was not."""

    def forward(self, taken: Tensor, other: Tensor) -> dict[str, Tensor]:
        return {"loss": -F.logsigmoid(taken - other).mean()}
