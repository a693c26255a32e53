"""Ours beside Section 3 written out head by head, for no file of the official code is at hand."""

import pytest
import torch
from torch import nn

from set_transformer.harness.verification.reference import Reference, climb


class ByHead(nn.Module):
    """MAB(X, Y), Section 3, with a softmax of its own for each head."""

    def __init__(self, dim_x: int, dim_y: int, dim: int, heads: int, scale: float):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(dim_x, dim), nn.Linear(dim_y, dim), nn.Linear(dim_y, dim)
        self.rff = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())
        self.heads, self.scale = torch.arange(dim).chunk(heads), scale

    def forward(self, X, Y):
        Q, K, V = self.query(X), self.key(Y), self.value(Y)
        H = torch.empty_like(Q)
        for head in self.heads:
            scores = torch.einsum("bnd,bmd->bnm", Q[..., head], K[..., head]) / self.scale
            weights = (scores - scores.amax(-1, keepdim=True)).exp()
            weights = weights / weights.sum(-1, keepdim=True)
            H[..., head] = Q[..., head] + torch.einsum("bnm,bmd->bnd", weights, V[..., head])
        return H + self.rff(H)


class Theirs(nn.Module):
    """SAB, SAB, PMA_1, FC(1, -)."""

    def __init__(self, dim: int, heads: int, scale: float, rff: bool):
        super().__init__()
        self.mabs = nn.ModuleList(ByHead(x, x, dim, heads, scale) for x in (1, dim, dim))
        self.S = nn.Parameter(torch.randn(1, 1, dim))
        self.rff, self.fc = nn.Linear(dim, dim) if rff else None, nn.Linear(dim, 1)

    def forward(self, X):
        Z = self.mabs[0](X, X)
        Z = self.mabs[1](Z, Z)
        Z = self.rff(Z).clamp(min=0) if self.rff else Z
        return self.fc(self.mabs[2](self.S.repeat(len(Z), 1, 1), Z))[:, 0, 0]


@pytest.mark.parametrize("model", ["paper", "rff", "scale_4"])
def test_every_rung_equals_the_reference(compose, data, model):
    """Section 3: from the outputs to the weights after five steps."""
    cfg = compose("experiment=paper", f"model={model}")
    rules = [(f"mabs.{number}.**", f"{number}.mab.**") for number in range(3)]
    rules += [("S", "2.S"), ("fc.*", "3.*"), *([("rff.*", "2.rff.0.*")] if cfg.model.rff else [])]
    settings = {key: value for key, value in cfg.model.items() if key != "_target_"}
    # In float64 alone: a key's bias cancels in the softmax, and Adam makes whole steps of the rounding of its gradient
    climb(cfg, Reference(Theirs(**settings), rules=rules, dtypes=(torch.float64,)), data)
