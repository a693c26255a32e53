"""Critic and generator."""

from torch import nn


class PaperModel(nn.Module):
    """Section 2."""

    def __init__(self, latent: int):
        super().__init__()
        self.latent = latent
        self.generator = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, 64))
        self.critic = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(), nn.Linear(64, 1))

    def forward(self, z):
        return self.generator(z)
