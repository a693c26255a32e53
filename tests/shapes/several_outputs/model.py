"""A complex-valued network, Section 2."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Outputs:
    """What is predicted of each signal: logits (B, K) of its form, pitch (B,) in bins, and its spectrum (B, F) denoised."""

    logits: Tensor
    pitch: Tensor
    spectrum: Tensor


class PaperModel(nn.Module):
    """W z with complex W, then |·|, Equation (1): spectra (B, F) complex to ``Outputs``."""

    def __init__(self, bins: int, width: int, forms: int):
        super().__init__()
        self.mix = nn.Parameter(torch.randn(bins, width, dtype=torch.complex64) / bins**0.5)
        self.back = nn.Parameter(torch.randn(width, bins, dtype=torch.complex64) / width**0.5)
        self.trunk = nn.Sequential(nn.Linear(bins + width, width), nn.ReLU())
        self.form, self.pitch = nn.Linear(width, forms), nn.Linear(width, 1)

    def forward(self, spectra: Tensor) -> Outputs:
        hidden = spectra @ self.mix  # (B, F) -> (B, D)
        real = self.trunk(torch.cat([spectra.abs(), hidden.abs()], dim=1))  # (B, F + D) -> (B, D)
        return Outputs(self.form(real), self.pitch(real)[:, 0], hidden @ self.back)
