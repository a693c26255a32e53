"""The architectures of Table 1: attention over sets, and pooling of elements that are encoded one by one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MAB(nn.Module):
    """Multihead attention block, Section 3: MAB(X, Y) = H + rFF(H), where H = X + Multihead(X, Y, Y).

    X is taken as projected to D features, as its queries are: elements of one feature could not be added to D otherwise.
    rFF is one linear layer with ReLU, and there is no layer norm (both official code).

    Args:
        dim_x, dim_y: features of X and Y.
        dim: D.
        heads: of D / heads features each.
        scale: by which scores are divided before the softmax.

    Shapes:
        X (B, n, dim_x), Y (B, m, dim_y) float; returns (B, n, D) float.
    """

    def __init__(self, dim_x: int, dim_y: int, dim: int, heads: int, scale: float):
        super().__init__()
        self.heads, self.scale = heads, scale
        self.query, self.key, self.value = nn.Linear(dim_x, dim), nn.Linear(dim_y, dim), nn.Linear(dim_y, dim)
        self.rff = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())

    def forward(self, X: Tensor, Y: Tensor) -> Tensor:
        projected = [self.query(X), self.key(Y), self.value(Y)]
        Q, K, V = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in projected)  # -> (B, heads, n, D/heads)
        attended = F.scaled_dot_product_attention(Q, K, V, scale=1 / self.scale)
        H = projected[0] + attended.transpose(1, 2).flatten(2)  # (B, heads, n, D/heads) -> (B, n, D)
        return H + self.rff(H)


class SAB(nn.Module):
    """Set attention block, Section 3: SAB(X) = MAB(X, X). Arguments as ``MAB``; (B, n, dim_x) -> (B, n, D)."""

    def __init__(self, dim_x: int, dim: int, heads: int, scale: float):
        super().__init__()
        self.mab = MAB(dim_x, dim_x, dim, heads, scale)

    def forward(self, X: Tensor) -> Tensor:
        return self.mab(X, X)


class PMA(nn.Module):
    """Pooling by multihead attention, Section 3: PMA_k(Z) = MAB(S, rFF(Z)) with k learned seed vectors S.

    Args:
        k: seeds.
        dim, heads, scale: as of ``MAB``.
        rff: False for MAB(S, Z), as in the official code.

    Shapes:
        Z (B, n, D) float; returns (B, k, D) float.
    """

    def __init__(self, k: int, dim: int, heads: int, scale: float, rff: bool):
        super().__init__()
        self.S = nn.Parameter(torch.empty(1, k, dim))
        nn.init.xavier_uniform_(self.S)
        self.rff = nn.Sequential(nn.Linear(dim, dim), nn.ReLU()) if rff else nn.Identity()
        self.mab = MAB(dim, dim, dim, heads, scale)

    def forward(self, Z: Tensor) -> Tensor:
        return self.mab(self.S.expand(len(Z), -1, -1), self.rff(Z))


class PaperModel(nn.Sequential):
    """SAB + PMA, supplement, Table 1: SAB(D, heads) twice, PMA_1(D, heads), FC(1, -).

    Args:
        dim, heads, scale: as of ``MAB``.
        rff: as of ``PMA``.

    Shapes:
        sets (B, n, 1) float; returns predictions (B,) float.
    """

    def __init__(self, dim: int, heads: int, scale: float, rff: bool):
        super().__init__(
            SAB(1, dim, heads, scale),
            SAB(dim, dim, heads, scale),
            PMA(1, dim, heads, scale, rff),
            nn.Linear(dim, 1),  # (B, 1, D) -> (B, 1, 1)
            nn.Flatten(0),  # -> (B,)
        )


class Pooling(nn.Module):
    """rFF + pooling, supplement, Table 1: FC(D, ReLU) three times, FC(D, -), pooling, FC(D, ReLU), FC(1, -).

    Args:
        dim: D.
        pool: ``mean``, ``sum`` or ``max``, over the elements.

    Shapes:
        sets (B, n, 1) float; returns predictions (B,) float.
    """

    def __init__(self, dim: int, pool: str):
        super().__init__()
        self.pool = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax}[pool]
        hidden = [part for _ in range(2) for part in (nn.Linear(dim, dim), nn.ReLU())]
        self.encoder = nn.Sequential(nn.Linear(1, dim), nn.ReLU(), *hidden, nn.Linear(dim, dim))
        self.decoder = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))

    def forward(self, X: Tensor) -> Tensor:
        pooled = self.pool(self.encoder(X), dim=1)  # (B, n, 1) -> (B, n, D) -> (B, D)
        return self.decoder(pooled)[:, 0]  # -> (B, 1) -> (B,)
