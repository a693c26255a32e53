"""A filter of spectra."""

import torch
from torch import nn


class PaperModel(nn.Module):
    """Section 2: history (B, T) -> (B, horizon), through complex weights of its spectrum."""

    def __init__(self, history: int, horizon: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(history // 2 + 1, horizon, dtype=torch.complex64) * 0.05)
        self.bias = nn.Parameter(torch.zeros(horizon))

    def forward(self, history):
        return (torch.fft.rfft(history) @ self.weight).real + self.bias
