"""The encoders and the queue."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaperModel(nn.Module):
    """f_q, which is trained, f_k, which follows it, and the queue of keys, Section 3.2.

    Args:
        width: of the hidden layer.
        dim: D, of a feature.
        queue: K, the number of keys.

    Shapes:
        images (B, 64) float; returns normalised features (B, D).
    """

    def __init__(self, width: int, dim: int, queue: int):
        super().__init__()
        self.fast = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, dim))
        self.slow = copy.deepcopy(self.fast).requires_grad_(False)
        self.register_buffer("queue", F.normalize(torch.randn(queue, dim), dim=1))
        self.register_buffer("head", torch.tensor(0))

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.fast(images), dim=1)

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        places = (self.head + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue = self.queue.index_copy(0, places, keys)  # a new tensor: the old one is in the graph
        self.head = (self.head + len(keys)) % len(self.queue)
