"""An autoencoder with a codebook."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Codebook(nn.Module):
    """The nearest of K codes, Equation (1); codes are averages of what is assigned to them, Appendix A.1."""

    def __init__(self, codes: int, width: int, decay: float):
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.randn(codes, width))
        self.register_buffer("sizes", torch.ones(codes))
        self.register_buffer("sums", self.codes.clone())

    def forward(self, z: Tensor) -> Tensor:
        index = torch.cdist(z.detach().flatten(0, 1), self.codes).argmin(1)
        quantized = self.codes[index].view_as(z)
        if self.training:
            with torch.no_grad():
                hot = F.one_hot(index, len(self.codes)).to(z)
                self.sizes.lerp_(hot.sum(0), 1 - self.decay)
                self.sums.lerp_(hot.T @ z.flatten(0, 1), 1 - self.decay)
                self.codes = self.sums / self.sizes.clamp(min=1e-5)[:, None]
        return quantized


class PaperModel(nn.Module):
    """Images (B, 64) to their reconstruction, z and the codes (B, 8, W)."""

    def __init__(self, width: int, codes: int, decay: float):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8 * width))
        self.codebook = Codebook(codes, width, decay)
        self.decoder = nn.Sequential(nn.Linear(8 * width, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = self.encoder(x).unflatten(1, (8, -1))
        e = self.codebook(z)
        return self.decoder((z + (e - z).detach()).flatten(1)), z, e
