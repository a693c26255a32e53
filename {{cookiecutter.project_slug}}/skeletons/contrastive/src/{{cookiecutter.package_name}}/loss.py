"""The objective: what the paper minimises."""

from torch import Tensor, nn

from .components.contrastive import ContrastiveLoss


class PaperLoss(nn.Module):
    """NT-Xent (Chen et al. 2020): each view finds the other view of its image among those of the whole batch,
    over all processes.

    TODO(paper): the paper's objective, as in Equation (…).

    Args:
        temperature: τ > 0, by which the cosine similarities are divided.

    Shapes:
        embeddings z_i, z_j (B, E) float, row b of each of the same image; returns scalars.
    """

    def __init__(self, temperature: float = 0.07):
        super().__init__()
        self.contrastive = ContrastiveLoss(temperature, gather=True)

    def forward(self, z_i: Tensor, z_j: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        # TODO(paper): add the paper's further terms here, L = L_contrastive + λ · L_aux, and name each in the dict.
        return {"loss": self.contrastive(z_i, z_j)}
