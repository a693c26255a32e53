"""The graph network of Section 3."""

import torch
from torch import Tensor, nn

from .data import Graphs


class PaperModel(nn.Module):
    """Two rounds of h ← MLP(h + A h), Equation (1), and the sum over the nodes of each graph: logits (G, K)."""

    def __init__(self, features: int, width: int, classes: int):
        super().__init__()
        sizes = [(features, width), (width, width)]
        self.rounds = nn.ModuleList(nn.Sequential(nn.Linear(i, o), nn.ReLU(), nn.Linear(o, o)) for i, o in sizes)
        self.head = nn.Linear(width, classes)

    def forward(self, graphs: Graphs) -> Tensor:
        h = graphs.x
        for mlp in self.rounds:
            h = mlp(h + torch.sparse.mm(graphs.adjacency, h)).relu()  # (N, N), (N, F) -> (N, D)
        sums = h.new_zeros(len(graphs.y), h.shape[1]).index_add(0, graphs.batch, h)  # (N, D) -> (G, D)
        return self.head(sums)
