"""Random graphs of several sizes."""

from dataclasses import dataclass

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader


@dataclass
class Graphs:
    """G graphs with N nodes: x (N, F) float, adjacency (N, N) sparse, batch (N,) the graph of each node, y (G,)."""

    x: Tensor
    adjacency: Tensor
    batch: Tensor
    y: Tensor

    def to(self, *args, **kwargs) -> "Graphs":
        return Graphs(*(part.to(*args, **kwargs) for part in vars(self).values()))


def join(graphs: list[Graphs]) -> Graphs:
    sizes = torch.tensor([len(graph.x) for graph in graphs])
    starts = sizes.cumsum(0) - sizes
    edges = torch.cat([g.adjacency.indices() + start for g, start in zip(graphs, starts, strict=True)], dim=1)  # (2, E)
    adjacency = torch.sparse_coo_tensor(
        edges, torch.ones(edges.shape[1]), (sizes.sum(), sizes.sum()), check_invariants=True
    ).coalesce()
    batch = torch.arange(len(graphs)).repeat_interleave(sizes)
    return Graphs(torch.cat([g.x for g in graphs]), adjacency, batch, torch.cat([g.y for g in graphs]))


def draw(label: int, generator: torch.Generator) -> Graphs:
    """A ring in which each node knows its next two (class 0), or as many edges at random (class 1)."""
    n = int(torch.randint(8, 17, (), generator=generator))
    upper = torch.triu_indices(n, n, offset=1)  # (2, n (n - 1) / 2)
    step = upper[1] - upper[0]
    ring = (step <= 2) | (step >= n - 2)
    edges = upper[:, ring if label == 0 else torch.randperm(len(step), generator=generator)[: int(ring.sum())]]
    both = torch.cat([edges, edges.flip(0)], dim=1)
    adjacency = torch.sparse_coo_tensor(both, torch.ones(both.shape[1]), (n, n), check_invariants=True).coalesce()
    return Graphs(torch.ones(n, 1), adjacency, torch.zeros(n, dtype=torch.long), torch.tensor([label]))


class PaperDataModule(L.LightningDataModule):
    """Rings and random graphs, half of each."""

    def __init__(self, batch_size: int, sizes: dict[str, int], data_seed: int = 0):
        super().__init__()
        self.batch_size, self.sizes, self.data_seed = batch_size, sizes, data_seed

    def setup(self, stage: str | None = None) -> None:
        generator = torch.Generator().manual_seed(self.data_seed)
        self.splits = {split: [draw(i % 2, generator) for i in range(size)] for split, size in self.sizes.items()}

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.splits["train"], self.batch_size, shuffle=True, collate_fn=join)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.splits["val"], self.batch_size, collate_fn=join)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.splits["test"], self.batch_size, collate_fn=join)
