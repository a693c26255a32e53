"""Principal components, Section 2."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """x̂ = μ + W Wᵀ (x - μ), Equation (1): images (B, D) to their reconstruction (B, D). Nothing is trained.

    Args:
        features: D.
        rank: k, the number of components.
    """

    def __init__(self, features: int, rank: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("components", torch.zeros(features, rank))  # W (D, k)

    def fit(self, images: Tensor) -> None:
        """Equation (2): the eigenvectors of the covariance of images (N, D) with the largest eigenvalues."""
        self.mean.copy_(images.mean(0))
        self.components.copy_(torch.linalg.eigh(images.T.cov()).eigenvectors[:, -self.components.shape[1] :])

    def forward(self, images: Tensor) -> Tensor:
        codes = (images - self.mean) @ self.components  # (B, D) -> (B, k)
        return self.mean + codes @ self.components.T
