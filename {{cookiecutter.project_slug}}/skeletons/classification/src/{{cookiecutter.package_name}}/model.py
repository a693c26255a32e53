"""The architecture: what the paper calls its model."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """A small convolutional network.

    TODO(paper): the paper's architecture, in its notation, with the section or figure that defines it.

    Args:
        in_channels: C, channels of the images.
        width: channels after the first convolution; the second has twice as many.
        num_classes: K.
        dropout: share of the pooled features that is dropped in training, in [0, 1).

    Shapes:
        images (B, C, H, W) float; returns logits (B, K) float.
    """

    def __init__(self, in_channels: int, width: int, num_classes: int, dropout: float = 0.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(4),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * width * 4 * 4, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)  # (B, C, H, W) -> (B, 2·width, 4, 4)
        return self.classifier(features)  # -> (B, K)
