"""Positions: how a model without recurrence knows the order of its inputs."""

import torch
from torch import Tensor, nn


class _Table(nn.Module):
    """Rows by position, computed in float64 and kept as they were last asked for; longer when needed.

    Not a buffer: ``module.half()`` would round it, ``to_empty()`` lose it, and a cast back to float not mend it.
    """

    def __init__(self, max_len: int):
        super().__init__()
        if max_len < 1:
            raise ValueError(f"max_len must be at least 1, as 5000; got {max_len}")
        self.max_len = max_len
        self._table: Tensor | None = None

    def _rows(self, positions: Tensor) -> Tensor:
        raise NotImplementedError

    def rows(self, begin: int, end: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Those of the positions from ``begin`` up to ``end``, (end - begin, …)."""
        if begin < 0:
            raise ValueError(f"positions begin at 0; got offset {begin}")
        table = self._table
        if table is None or len(table) < end or table.device != device or table.dtype != dtype:
            length = self.max_len if end <= self.max_len else 2 * end  # twice: generation asks for one more each time
            with torch.inference_mode(False), torch.no_grad():  # a table made in validation serves in training too
                positions = torch.arange(length, dtype=torch.float64, device="cpu")
                self._table = table = self._rows(positions).to(device=device, dtype=dtype)
        return table[begin:end]


class SinusoidalPositionalEncoding(_Table):
    """Add sines and cosines of the position; Vaswani et al. 2017, Section 3.5.

        PE(pos, 2i) = sin(pos / 10000^(2i/D)),  PE(pos, 2i+1) = cos(pos / 10000^(2i/D))

    An odd D ends with a sine. Nothing is trained.

    Args:
        d_model: D.
        max_len: positions computed at first; longer inputs make the table grow.

    Shapes:
        x (B, T, D) float; returns x + PE, of the same shape and dtype.
    """

    def __init__(self, d_model: int, max_len: int = 5000):
        super().__init__(max_len)
        if d_model < 1:
            raise ValueError(f"d_model must be at least 1, as 512; got {d_model}")
        self.d_model = d_model

    def _rows(self, positions: Tensor) -> Tensor:
        even = torch.arange(0, self.d_model, 2, dtype=torch.float64, device="cpu")
        angles = positions[:, None] * 10000.0 ** (-even / self.d_model)  # (T,) -> (T, ⌈D/2⌉)
        return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)[:, : self.d_model]  # -> (T, D)

    def forward(self, x: Tensor, *, offset: int = 0) -> Tensor:
        """x + PE; its first position is ``offset``."""
        _check(x, self.d_model)
        return x + self.rows(offset, offset + x.shape[1], x.device, x.dtype)


class RotaryPositionalEmbedding(_Table):
    """Turn pairs of features of queries and keys by an angle that grows with the position, so that their product
    depends on the distance alone; RoPE, Su et al. 2021, Section 3.4.2.

        (a, b) -> (a cos mθ_i − b sin mθ_i, b cos mθ_i + a sin mθ_i)  at position m, θ_i = base^(−2i/dim)

    Args:
        dim: features that are turned, even; the size of a head. Where a head has more, the rest stays as it is.
        max_len: positions computed at first; longer inputs make the table grow.
        base: 10000 in the paper.
        interleaved: the pairs are features (2i, 2i+1), as in the paper; if False, (i, i + dim/2), as in most language
            models today. Weights trained with one are wrong with the other.
        scaling: s ≥ 1 for contexts s times as long as in training, by base · s^(dim/(dim−2)): the slowest angle becomes
            s times slower, the fastest stays ("NTK-aware", described in Peng et al. 2023).

    Shapes:
        q, k (…, T, features) float, as (B, H, T, D/H); returns both, of the same shapes and dtypes. The angles are
        those of float64, the rotation is computed in float32 or better.
    """

    def __init__(
        self,
        dim: int,
        max_len: int = 5000,
        base: float = 10000,
        *,
        interleaved: bool = True,
        scaling: float = 1.0,
    ):
        super().__init__(max_len)
        if dim < 2 or dim % 2:
            raise ValueError(f"dim must be even, for features are turned in pairs, as 64; got {dim}")
        if base <= 0 or scaling < 1:
            raise ValueError(f"base must be above 0, as 10000, and scaling at least 1; got {base} and {scaling}")
        self.dim, self.interleaved = dim, interleaved
        self.base = base * scaling ** (dim / max(dim - 2, 1))

    def _rows(self, positions: Tensor) -> Tensor:
        even = torch.arange(0, self.dim, 2, dtype=torch.float64, device="cpu")
        angles = positions[:, None] * self.base ** (-even / self.dim)  # (T,) -> (T, dim/2)
        pair = -1 if self.interleaved else -2
        cos = torch.stack((angles.cos(), angles.cos()), pair).flatten(1)  # -> (T, dim)
        sin = torch.stack((-angles.sin(), angles.sin()), pair).flatten(1)  # -> (T, dim)
        return torch.stack((cos, sin), 1)  # -> (T, 2, dim)

    def rotate(self, x: Tensor, *, offset: int = 0) -> Tensor:
        """Turn one tensor (…, T, features), whose first position is ``offset``."""
        if x.dim() < 2 or x.shape[-1] < self.dim or not x.is_floating_point():
            raise ValueError(f"expected float (…, T, {self.dim} or more); got {tuple(x.shape)} {x.dtype}")
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        cos, sin = self.rows(offset, offset + x.shape[-2], x.device, wide).unbind(1)  # (T, dim) each
        turned = x[..., : self.dim].to(wide)
        if self.interleaved:
            swapped = turned.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)  # (a, b, …) -> (b, a, …)
        else:
            swapped = turned.roll(self.dim // 2, -1)  # (a, …, b, …) -> (b, …, a, …)
        turned = (turned * cos).addcmul_(swapped, sin).to(x.dtype)  # sin has the signs; in place spares a copy
        return turned if x.shape[-1] == self.dim else torch.cat((turned, x[..., self.dim :]), -1)

    def forward(self, q: Tensor, k: Tensor, *, offset: int = 0) -> tuple[Tensor, Tensor]:
        """Turn both; their first position is ``offset``, the number of keys already in a cache."""
        return self.rotate(q, offset=offset), self.rotate(k, offset=offset)


class LearnedPositionalEmbedding(nn.Module):
    """Add a trained vector per position; Gehring et al. 2017, Section 3.1.

    Args:
        d_model: D.
        max_len: the longest input, offset included.

    Shapes:
        x (B, T, D) float; returns x + the first T vectors, of the same shape.
    """

    def __init__(self, d_model: int, max_len: int = 5000):
        super().__init__()
        if d_model < 1 or max_len < 1:
            raise ValueError(f"d_model and max_len must be at least 1, as (512, 5000); got ({d_model}, {max_len})")
        self.weight = nn.Parameter(torch.empty(max_len, d_model))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor, *, offset: int = 0) -> Tensor:
        """x + the vectors from position ``offset`` on."""
        max_len, d_model = self.weight.shape
        _check(x, d_model)
        end = offset + x.shape[1]
        if offset < 0 or end > max_len:
            raise ValueError(f"positions {offset} to {end - 1} asked for, 0 to {max_len - 1} trained; raise max_len")
        return x + self.weight[offset:end].to(x.dtype)


class ALiBi(nn.Module):
    """Attention with linear biases: scores fall with the distance; Press et al. 2022, Section 3.

        bias_h(i, j) = −m_h |i − j|,  m_h = 2^(−8h/H) for h = 1 … H, where H is a power of two

    For other H, as in the authors' code: the slopes of the power of two below, then every other one of the power above.
    The paper's model is causal: ``attention(x, x, x, mask=alibi(x), is_causal=True)``.

    Args:
        n_heads: H.

    Shapes:
        query (B, Tq, …), key (B, Tk, …), read for lengths, dtype and device alone; returns the additive mask
        (1, H, Tq, Tk). The queries are the last Tq of the Tk positions.
    """

    def __init__(self, n_heads: int):
        super().__init__()
        if n_heads < 1:
            raise ValueError(f"n_heads must be at least 1, as 8; got {n_heads}")
        below = 1 << (n_heads.bit_length() - 1)  # the largest power of two up to H
        slopes = [2 ** (-8 * h / below) for h in range(1, below + 1)]
        slopes += [2 ** (-4 * h / below) for h in range(1, 2 * below + 1, 2)]
        self.slopes = slopes[:n_heads]

    def forward(self, query: Tensor, key: Tensor | None = None) -> Tensor:
        """The bias for these queries and keys; without ``key``, for attention of a sequence to itself."""
        tq, tk = query.shape[1], (query if key is None else key).shape[1]
        i, j = torch.arange(tk - tq, tk, device=query.device), torch.arange(tk, device=query.device)
        slopes = torch.tensor(self.slopes, device=query.device, dtype=torch.float32)
        bias = -slopes[:, None, None] * (i[:, None] - j).abs()  # (H, 1, 1), (Tq, Tk) -> (H, Tq, Tk)
        return bias[None].to(query.dtype)


def _check(x: Tensor, d_model: int) -> None:
    if x.dim() != 3 or x.shape[-1] != d_model or not x.is_floating_point():
        raise ValueError(f"expected float (B, T, {d_model}); got {tuple(x.shape)} {x.dtype}")
