"""Encoder and decoder."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """q(z | x) and p(x | z), Appendix C.

    Args:
        latent: dimensions of z.
        width: of the hidden layers.

    Shapes:
        x (B, 64) in [0, 1]; returns logits (B, 64), mean and log-variance (B, latent).
    """

    def __init__(self, latent: int, width: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.Tanh(), nn.Linear(width, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, width), nn.Tanh(), nn.Linear(width, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)  # Equation (4)
        return self.decoder(z), mean, log_variance
