"""Attention: what each position of a sequence takes from the others."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several heads.

        Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V
        head_h = Attention(Q W_h^Q, K W_h^K, V W_h^V)
        output = [head_1, …, head_H] W^O

    Vaswani et al. 2017, Equation (1) and Section 3.2.2; fewer heads for keys and values: Ainslie et al. 2023.

    Memory grows linearly with T, through ``scaled_dot_product_attention``, but for the mask, where one has T × T
    entries, and in these cases: the weights are asked for; a float mask is itself trained; dropout in training on a
    CPU. Causal attention needs no mask of that size unless it is combined with another mask or Tq ≠ Tk.

    Args:
        d_model: D, size of the queries and of the output.
        n_heads: H; each head has D/H features.
        dropout: share of the attention weights that is dropped, in training only, in [0, 1].
        n_kv_heads: heads of keys and values, each shared by H / n_kv_heads heads of queries. None for H.
        kdim: size of the keys, where it is not D.
        vdim: size of the values, where it is not D.
        bias: whether the four projections have one.
        rotary: applied to the queries and keys of each head, a ``RotaryPositionalEmbedding(D/H)``.

    Shapes:
        query (B, Tq, D), key (B, Tk, kdim), value (B, Tk, vdim) float; returns (B, Tq, D) float.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        dropout: float = 0.0,
        *,
        n_kv_heads: int | None = None,
        kdim: int | None = None,
        vdim: int | None = None,
        bias: bool = True,
        rotary: nn.Module | None = None,
    ):
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        if n_heads < 1 or d_model < 1 or d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model, as in (512, 8); got d_model={d_model}, n_heads={n_heads}")
        if n_kv_heads < 1 or n_heads % n_kv_heads:
            raise ValueError(f"n_kv_heads must divide n_heads, as 2 does 8; got {n_kv_heads} for n_heads={n_heads}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is a share in [0, 1], as 0.1; got {dropout}")
        head_dim = d_model // n_heads
        if rotary is not None and rotary.dim > head_dim:
            raise ValueError(f"rotary turns {rotary.dim} features, a head has d_model / n_heads = {head_dim}")
        self.n_heads, self.n_kv_heads, self.dropout, self.rotary = n_heads, n_kv_heads, dropout, rotary
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model if kdim is None else kdim, n_kv_heads * head_dim, bias=bias)
        self.v_proj = nn.Linear(d_model if vdim is None else vdim, n_kv_heads * head_dim, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        for projection in (self.q_proj, self.k_proj, self.v_proj, self.out_proj):
            nn.init.xavier_uniform_(projection.weight)
            if bias:
                nn.init.zeros_(projection.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        *,
        key_mask: Tensor | None = None,
        is_causal: bool = False,
        need_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attend. A query that may attend to no key gets zeros.

        Args:
            query: (B, Tq, D).
            key: (B, Tk, kdim).
            value: (B, Tk, vdim).
            mask: bool or integer, False or 0 for what is *not* attended (in ``torch.nn.MultiheadAttention`` it is
                True); or float, added to the scores before the softmax, -inf for what is not attended. (Tq, Tk);
                (B, Tq, Tk); or (B, H, Tq, Tk), where B, H and Tq may be 1. Two dimensions are always (Tq, Tk), three
                always start with B: padding (B, Tk) goes into ``key_mask``, a mask by head is (1, H, Tq, Tk).
            key_mask: (B, Tk) bool or integer, False or 0 for padding: ``~key_padding_mask`` of torch's.
            is_causal: the queries are the last Tq of the Tk positions, and each attends to those up to its own.
            need_weights: return the attention weights too, (B, H, Tq, Tk), before dropout.

        Raises:
            ValueError: shapes or dtypes do not fit.
        """
        self._check(query, key, value)
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        q = q.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, Tq, D) -> (B, H, Tq, D/H)
        k = k.unflatten(-1, (self.n_kv_heads, -1)).transpose(1, 2)  # -> (B, n_kv_heads, Tk, D/H)
        v = v.unflatten(-1, (self.n_kv_heads, -1)).transpose(1, 2)  # -> (B, n_kv_heads, Tk, D/H)
        if self.rotary is not None:
            q = self.rotary.rotate(q, offset=k.shape[2] - q.shape[2] if is_causal else 0)
            k = self.rotary.rotate(k)
        by_kernel = is_causal and mask is None and key_mask is None and q.shape[2] == k.shape[2] and not need_weights
        mask, alive = (None, None) if by_kernel else self._mask(q, k, mask, key_mask, is_causal)
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            k, v = (x.repeat_interleave(self.n_heads // self.n_kv_heads, dim=1) for x in (k, v))
            scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, H, Tq, D/H) -> (B, H, Tq, Tk)
            if mask is not None:
                scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
            weights = scores.softmax(-1)
            weights = weights if alive is None else weights.masked_fill(~alive, 0)
            heads = F.dropout(weights, dropout) @ v.to(weights.dtype)  # -> (B, H, Tq, D/H)
        else:
            heads = F.scaled_dot_product_attention(
                q, k, v, mask, dropout, is_causal=by_kernel, enable_gqa=self.n_heads != self.n_kv_heads
            )
        if alive is not None:
            heads = heads.masked_fill(~alive, 0)
        output = self.out_proj(heads.transpose(1, 2).flatten(2))  # (B, H, Tq, D/H) -> (B, Tq, D)
        if alive is not None:
            output = output.masked_fill(~alive.any(1), 0)  # the bias of the projection too
        return (output, weights) if need_weights else output

    def _mask(
        self, q: Tensor, k: Tensor, mask: Tensor | None, key_mask: Tensor | None, is_causal: bool
    ) -> tuple[Tensor | None, Tensor | None]:
        """All masks in one, and which queries have a key (…, Tq, 1); the others see all keys, so that none gives NaN.

        A softmax over nothing is NaN in some of the kernels, and so is its gradient, even where the output is replaced.
        """
        (batch, heads, tq, _), tk = q.shape, k.shape[2]
        allowed, added = [], None
        if mask is not None:
            mask = self._broadcastable(mask, (batch, heads, tq, tk))
            if mask.is_floating_point():
                added = mask.to(q.dtype)
            else:
                allowed.append(mask != 0)
        if key_mask is not None:
            if key_mask.is_floating_point() or key_mask.shape != (batch, tk):
                found = f"{tuple(key_mask.shape)} {key_mask.dtype}"
                raise ValueError(f"key_mask must be bool or integer, (B, Tk) = {(batch, tk)}; got {found}")
            allowed.append((key_mask != 0)[:, None, None, :])  # (B, Tk) -> (B, 1, 1, Tk)
        if is_causal and tq > 1:
            allowed.append(torch.ones(tq, tk, dtype=torch.bool, device=q.device).tril(tk - tq)[None, None])
        if tk == 0:
            allowed.append(torch.ones(1, 1, tq, 0, dtype=torch.bool, device=q.device))
        if not allowed and added is None:
            return None, None
        both = allowed.pop() if allowed else None
        while allowed:
            both = both & allowed.pop()
        if added is None:
            alive = both.any(-1, keepdim=True)
            return both | ~alive, alive
        added = added if both is None else added.masked_fill(~both, -math.inf)
        alive = (added != -math.inf).any(-1, keepdim=True)
        return added.masked_fill(~alive, 0), alive

    @staticmethod
    def _broadcastable(mask: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
        """The mask with four dimensions; refused where it does not fit, or is a 0/1 mask of the wrong dtype."""
        batch, _, tq, tk = shape
        four = mask[:, None] if mask.dim() == 3 else mask  # (B, Tq, Tk) -> (B, 1, Tq, Tk)
        four = four[(None,) * (4 - four.dim())] if four.dim() < 4 else four  # (Tq, Tk) -> (1, 1, Tq, Tk)
        if four.dim() != 4 or any(have not in (1, want) for have, want in zip(four.shape, shape, strict=True)):
            hint = "; padding (B, Tk) goes into key_mask=" if tuple(mask.shape) == (batch, tk) else ""
            hint = hint or "; a mask by head is mask[None], (1, H, Tq, Tk)" * (tuple(mask.shape) == shape[1:])
            raise ValueError(
                f"mask must be (Tq, Tk), (B, Tq, Tk) or (B, H, Tq, Tk), with (B, H, Tq, Tk) = {shape}; "
                f"got {tuple(mask.shape)}{hint}"
            )
        # On the CPU alone, where a look at the values waits for nothing
        if mask.is_floating_point() and mask.device.type == "cpu" and not torch.compiler.is_compiling():
            if mask.numel() and mask.min() == 0 and mask.max() == 1 and ((mask == 0) | (mask == 1)).all():
                raise ValueError(
                    "mask is float and so added to the scores, but holds only 0 and 1; if these say what is attended, "
                    "pass mask.bool()"
                )
        return four

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        projections = {"query": self.q_proj, "key": self.k_proj, "value": self.v_proj}
        for (name, projection), x in zip(projections.items(), (query, key, value), strict=True):
            if x.dim() != 3 or x.shape[-1] != projection.in_features:
                raise ValueError(f"{name} must be (B, T, {projection.in_features}); got {tuple(x.shape)}")
        if not query.shape[0] == key.shape[0] == value.shape[0] or key.shape[1] != value.shape[1]:
            shapes = ", ".join(str(tuple(x.shape)) for x in (query, key, value))
            raise ValueError(f"query, key and value must share B, key and value Tk; got {shapes}")
