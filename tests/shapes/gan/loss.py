"""The game."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """The non-saturating losses of both players, Equation (1).

    Shapes:
        real (B, 1) logits, or None for the generator's turn; fake (B, 1); returns scalars.
    """

    def forward(self, real: Tensor | None, fake: Tensor) -> dict[str, Tensor]:
        if real is None:
            return {"generator": F.softplus(-fake).mean()}
        return {"discriminator": F.softplus(-real).mean() + F.softplus(fake).mean()}
