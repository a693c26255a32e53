"""The two networks."""

import torch
from torch import Tensor, nn


def network(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


class PaperModel(nn.Module):
    """G(z) and D(x), Section 3.

    Args:
        latent: dimensions of z.
        width: of the hidden layers.

    Shapes:
        takes the number N of samples; returns them (N, 2).
    """

    def __init__(self, latent: int, width: int):
        super().__init__()
        self.latent = latent
        self.generator = network(latent, width, 2)
        self.discriminator = network(2, width, 1)

    def forward(self, count: int) -> Tensor:
        return self.generator(torch.randn(count, self.latent, device=self.generator[0].weight.device))
