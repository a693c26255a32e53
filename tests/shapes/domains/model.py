"""A convolutional network."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Images (B, 1, 8, 8) to features (B, W), and logits (B, K)."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, width), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x)
        return features, self.head(features)
