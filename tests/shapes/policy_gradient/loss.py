"""The policy-gradient objective."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """-E[log π(a | s) · A], Equation (1), with a bonus for the entropy, Equation (2).

    Args:
        entropy: weight of the bonus.

    Shapes:
        logits (B, T, 2), actions (B, T) long, advantages (B, T), alive (B, T) float; returns scalars.
    """

    def __init__(self, entropy: float):
        super().__init__()
        self.entropy = entropy

    def forward(self, logits: Tensor, actions: Tensor, advantages: Tensor, alive: Tensor) -> dict[str, Tensor]:
        log_pi = F.log_softmax(logits, -1)
        taken = log_pi.gather(-1, actions[..., None]).squeeze(-1)
        policy = -(taken * advantages).sum(1).mean()
        entropy = -((log_pi.exp() * log_pi).sum(-1) * alive).sum(1).mean()
        return {"loss": policy - self.entropy * entropy, "policy": policy, "entropy": entropy}
