"""A small convolutional network."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Images (B, 1, 8, 8) to logits (B, K)."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(16 * width, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
