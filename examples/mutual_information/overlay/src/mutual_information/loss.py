"""The objectives: estimators of mutual information from the scores f of a critic, row i of x_i, column j of y_j.

The formulas are those of the official code. Each has the scores (B, B) float, returns scalars, and gives beside its
``loss`` the ``estimate`` in nats.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn


def apart(f: Tensor) -> Tensor:
    """The scores of x_i and y_j, i ≠ j, which were not drawn together: (B, B) -> (B·(B-1),)."""
    size = len(f)
    # Behind the first, each B+1 scores end with one of the diagonal
    return f.flatten()[1:].view(size - 1, size + 1)[:, :-1].flatten()  # (B-1, B+1) -> (B-1, B) -> (B·(B-1),)


class CPC(nn.Module):
    """I = log B + mean_i(f_ii - log Σ_j exp f_ij). No f gives more than log B."""

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        estimate = math.log(len(f)) + (f.diagonal() - f.logsumexp(dim=1)).mean()  # (B,), (B,) -> ()
        return {"loss": -estimate, "estimate": estimate.detach()}


class NWJ(nn.Module):
    """I = 1 + mean_i(f_ii - 1) - mean_{i≠j} exp(f_ij - 1)."""

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        estimate = 1 + (f.diagonal() - 1).mean() - (apart(f) - 1).exp().mean()
        return {"loss": -estimate, "estimate": estimate.detach()}


class PaperLoss(nn.Module):
    """SMILE: learned by one bound, read off by another.

    The critic maximises the Jensen-Shannon bound, mean_i -softplus(-f_ii) - mean_{i≠j} softplus(f_ij). The estimate is
    I = mean_i f_ii - log mean_{i≠j} exp(clip(f_ij, -τ, τ)), so that τ changes what is read, not what is learned.

    Args:
        tau: τ > 0; None for ∞, which clips nothing.
    """

    def __init__(self, tau: float | None):
        super().__init__()
        self.tau = math.inf if tau is None else tau

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        pairs, others = f.diagonal(), apart(f)
        jensen_shannon = -F.softplus(-pairs).mean() - F.softplus(others).mean()
        clipped = others.clamp(-self.tau, self.tau)
        estimate = pairs.mean() - (clipped.logsumexp(dim=0) - math.log(len(clipped)))
        return {"loss": -jensen_shannon, "estimate": estimate.detach()}
