"""A heat map."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Images (B, 1, H, W) to logits of a dot at each place (B, H, W)."""

    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).squeeze(1)
