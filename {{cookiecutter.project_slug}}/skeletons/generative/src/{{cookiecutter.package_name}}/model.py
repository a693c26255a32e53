"""The architecture: what the paper calls its model, a network that predicts the noise in an image."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeEmbedding(nn.Sequential):
    """Sines and cosines of the time at geometrically spaced frequencies, and two layers on them.

    Args:
        dim: D, of the output; even.

    Shapes:
        t (B,) long; returns (B, D) float.
    """

    def __init__(self, dim: int):
        if dim % 2:
            raise ValueError(f"dim={dim}: half of it are sines, half cosines, so it must be even")
        super().__init__(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        frequencies = torch.exp(-math.log(10_000) * torch.arange(dim // 2) / (dim // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies  # (B,) -> (B, D/2)
        return super().forward(torch.cat([angles.sin(), angles.cos()], dim=-1))  # -> (B, D)


class ResidualBlock(nn.Module):
    """Two convolutions, with the time added between them, and a way around them.

    Args:
        in_channels, out_channels: C, C'; multiples of ``groups``.
        time_dim: D, of the time embedding.
        groups: of the group norms.
        dropout: share of the features that is dropped in training, in [0, 1).

    Shapes:
        x (B, C, H, W) float, time (B, D) float; returns (B, C', H, W) float.
    """

    def __init__(self, in_channels: int, out_channels: int, time_dim: int, groups: int = 8, dropout: float = 0.0):
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(groups, in_channels), nn.SiLU(), nn.Conv2d(in_channels, out_channels, 3, padding=1)
        )
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, out_channels))
        self.second = nn.Sequential(
            nn.GroupNorm(groups, out_channels),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.around = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.first(x) + self.time(time)[:, :, None, None]  # (B, C, H, W) -> (B, C', H, W)
        return self.around(x) + self.second(h)


class PaperModel(nn.Module):
    """A small U-Net: two resolutions, a residual block at each on the way down and on the way up.

    TODO(paper): the paper's architecture, in its notation, with the section or figure that defines it.

    Args:
        in_channels: C, channels of the images.
        width: channels at full resolution, a multiple of 8; twice as many at half of it.
        time_dim: of the time embedding; even.
        dropout: share of the features that is dropped in training, in [0, 1).

    Shapes:
        x_t (B, C, H, W) float, t (B,) long; returns the predicted noise (B, C, H, W) float.
    """

    def __init__(self, in_channels: int, width: int, time_dim: int, dropout: float = 0.0):
        super().__init__()
        self.time = TimeEmbedding(time_dim)
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        self.down = ResidualBlock(width, width, time_dim, dropout=dropout)
        self.halve = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(ResidualBlock(2 * width, 2 * width, time_dim, dropout=dropout) for _ in range(2))
        self.up = ResidualBlock(3 * width, width, time_dim, dropout=dropout)
        self.head = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, in_channels, 3, padding=1))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        time = self.time(t)  # (B,) -> (B, D)
        skip = self.down(self.stem(x_t), time)  # (B, C, H, W) -> (B, width, H, W)
        h = self.halve(skip)  # -> (B, 2·width, ⌈H/2⌉, ⌈W/2⌉)
        for block in self.middle:
            h = block(h, time)
        h = F.interpolate(h, size=skip.shape[-2:])  # -> (B, 2·width, H, W)
        return self.head(self.up(torch.cat([h, skip], dim=1), time))  # (B, 3·width, H, W) -> (B, C, H, W)


class MLP(nn.Module):
    """Residual layers on all pixels at once, which know nothing of neighbours: ``python train.py model=mlp``.

    Args:
        in_channels, size: C and H = W of the images.
        width: units of a layer.
        depth: residual layers.
        time_dim: of the time embedding; even.

    Shapes:
        x_t (B, C, H, W) float, t (B,) long; returns the predicted noise (B, C, H, W) float.
    """

    def __init__(self, in_channels: int, size: int, width: int, depth: int, time_dim: int):
        super().__init__()
        pixels = in_channels * size**2
        self.time = TimeEmbedding(time_dim)
        self.stem = nn.Linear(pixels, width)
        inputs = width + time_dim
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, pixels))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        time = self.time(t)  # (B,) -> (B, D)
        h = self.stem(x_t.flatten(1))  # (B, C, H, W) -> (B, width)
        for layer in self.layers:
            h = h + layer(torch.cat([h, time], dim=1))  # (B, width + D) -> (B, width)
        return self.head(h).view_as(x_t)  # -> (B, C, H, W)
