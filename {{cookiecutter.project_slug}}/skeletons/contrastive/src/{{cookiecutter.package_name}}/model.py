"""The architecture: what the paper calls its model."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """A small convolutional encoder f and a projection head g (Chen et al. 2020): features h = f(x), embeddings z = g(h).

    The loss sees z; what is measured, and what a later task uses, is h.

    TODO(paper): the paper's architecture, in its notation, with the section or figure that defines it.

    Args:
        in_channels: C, channels of the images.
        width: channels after the first convolution; the second has twice, the third four times as many.
        embedding: E, size of z.

    Shapes:
        images (B, C, H, W) float; returns z (B, E) float.
    """

    def __init__(self, in_channels: int, width: int, embedding: int):
        super().__init__()
        channels = [in_channels, width, 2 * width, 4 * width]
        layers = []
        for fan_in, fan_out, stride in zip(channels, channels[1:], (1, 1, 2), strict=False):
            convolution = nn.Conv2d(fan_in, fan_out, kernel_size=3, stride=stride, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(fan_out), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        features = channels[-1]
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, embedding))

    def forward(self, images: Tensor) -> Tensor:
        features = self.encoder(images)  # (B, C, H, W) -> (B, 4·width)
        return self.head(features)  # -> (B, E)
