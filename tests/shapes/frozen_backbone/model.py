"""A linear probe on frozen features, Section 3."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


class Backbone(nn.Module):
    """Patch filters that were learned without labels: the principal components of 3 × 3 patches, and batch norm."""

    def __init__(self, filters: int):
        super().__init__()
        self.conv = nn.Conv2d(1, filters, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * filters)
        self.pool = nn.AvgPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        responses = self.conv(images)
        both = torch.cat([responses.relu(), (-responses).relu()], dim=1)  # (B, F, H, W) -> (B, 2F, H, W)
        return self.pool(self.norm(both)).flatten(1)


def pretrained(filters: int) -> Backbone:
    """The backbone with its weights and statistics, from images 1,000 and on without labels; the same each time."""
    images = torch.tensor(load_digits().images[1000:] / 16, dtype=torch.float32)[:, None]  # (N, 1, 8, 8)
    patches = nn.functional.unfold(images, 3).transpose(1, 2).flatten(0, 1)  # (N, 9, 36) -> (36 N, 9)
    backbone = Backbone(filters)
    components = torch.linalg.eigh(patches.T.cov()).eigenvectors.flip(1)[:, :filters]  # (9, F), largest first
    with torch.no_grad():
        backbone.conv.weight.copy_(components.T.view(filters, 1, 3, 3))
        backbone.norm.momentum = None  # the plain mean
        backbone.train()(images)
    return backbone


class PaperModel(nn.Module):
    """A linear head on the frozen backbone: images (B, 1, 8, 8) to logits (B, K)."""

    def __init__(self, filters: int, classes: int):
        super().__init__()
        self.backbone = pretrained(filters).requires_grad_(False)
        self.head = nn.Linear(2 * filters * 16, classes)

    def train(self, mode: bool = True) -> "PaperModel":
        super().train(mode)
        self.backbone.eval()  # its batch norm keeps the statistics of the pre-training
        return self

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(images)  # (B, 1, 8, 8) -> (B, 32·F)
        return self.head(features)
