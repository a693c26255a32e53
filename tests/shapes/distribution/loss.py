"""The negative log likelihood."""

from torch import Tensor, nn
from torch.distributions import Distribution


class PaperLoss(nn.Module):
    """Equation (29): a mean over samples."""

    def forward(self, p: Distribution, t: Tensor) -> dict[str, Tensor]:
        return {"loss": -p.log_prob(t.squeeze(1)).mean()}
