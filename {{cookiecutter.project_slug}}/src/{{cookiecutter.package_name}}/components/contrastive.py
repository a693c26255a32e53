"""Contrastive losses: two views of the same thing close together, everything else apart."""

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class ContrastiveLoss(nn.Module):
    """Cross-entropy of finding the partner of an embedding a among candidates c by similarity.

        ℓ(a) = −log( exp(sim(a, a⁺)/τ) / Σ_c exp(sim(a, c)/τ) ),  sim = cosine

    averaged over the anchors a, which with their candidates are, by ``form``:

    - ``nt_xent``: all 2N embeddings, each against all others but itself; Chen et al. 2020, Equation (1).
    - ``info_nce``: each z_i against all z_j; van den Oord et al. 2018, Equation (4), with exp(sim/τ) for its f.
    - ``clip``: the mean of ``info_nce`` in both directions, for two towers; Radford et al. 2021, Figure 3.

    With ``gather``, the candidates are those of all W processes, and each returns the mean over its own anchors.
    DistributedDataParallel averages gradients over processes, which then gives exactly the gradient of one process with
    the mean over the whole batch of W · N pairs, and the mean of the W losses is its loss. Every process must have the
    same N.

    With ``block_size``, the similarities of so many anchors at a time are held, with the same result: memory grows
    linearly with N, not with its square. The gradient comes with the forward pass, and has no further derivative.

    Args:
        temperature: τ, above 0; where it is learned, its initial value, at least 0.01.
        form: ``nt_xent``, ``info_nce`` or ``clip``.
        learnable: learn log 1/τ, with τ ≥ 0.01 (Radford et al. 2021, Section 2.5).
        normalize: use cosines; False for plain dot products.
        gather: take the candidates of all processes of ``torch.distributed``, where there are several.
        block_size: anchors at a time, as 1024; None for all at once.

    Shapes:
        z_i, z_j (N, D) float, row n of one the partner of row n of the other; returns a scalar, in float32 or better.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        *,
        form: str = "nt_xent",
        learnable: bool = False,
        normalize: bool = True,
        gather: bool = False,
        block_size: int | None = None,
    ):
        super().__init__()
        if form not in ("nt_xent", "info_nce", "clip"):
            raise ValueError(f"form must be 'nt_xent', 'info_nce' or 'clip'; got {form!r}")
        if not temperature > 0 or (learnable and temperature < 0.01):
            raise ValueError(f"temperature must be above 0, at least 0.01 where learned, as 0.07; got {temperature}")
        if block_size is not None and block_size < 1:
            raise ValueError(f"block_size must be at least 1, as 1024, or None; got {block_size}")
        self.form, self.normalize, self.gather, self.block_size = form, normalize, gather, block_size
        self._scale = 1 / temperature
        self.log_scale = nn.Parameter(torch.tensor(math.log(self._scale))) if learnable else None

    @property
    def temperature(self) -> float | Tensor:
        """τ, as it is now."""
        return 1 / self._scale if self.log_scale is None else (-self.log_scale).exp()

    def forward(self, z_i: Tensor, z_j: Tensor) -> Tensor:
        """The mean loss over the anchors.

        Raises:
            ValueError: the inputs are not two float tensors of the same shape (N, D) with N ≥ 1.
        """
        if z_i.dim() != 2 or z_i.shape != z_j.shape or not len(z_i) or not z_i.is_floating_point():
            found = f"{tuple(z_i.shape)} {z_i.dtype} and {tuple(z_j.shape)} {z_j.dtype}"
            raise ValueError(f"expected two float (N, D) with N at least 1, as (256, 128) each; got {found}")
        with torch.autocast(z_i.device.type, enabled=False):  # a similarity over τ needs more than half precision
            z = torch.stack((z_i, z_j))  # (N, D) twice -> (2, N, D)
            z = z if z.dtype == torch.float64 else z.float()
            z = F.normalize(z, dim=-1) if self.normalize else z
            first, candidates = 0, z
            if self.gather and dist.is_initialized() and dist.get_world_size() > 1:
                first, candidates = dist.get_rank() * len(z_i), _Gather.apply(z)  # (2, N, D) -> (2, W·N, D)
            anchors, n = z * self._current_scale(), candidates.shape[1]
            own = torch.arange(first, first + len(z_i), device=z.device)  # (N,), where the rows stand among all
            if self.form == "nt_xent":
                itself, partner = torch.cat((own, own + n)), torch.cat((own + n, own))  # (2N,)
                return self._mean(anchors.flatten(0, 1), candidates.flatten(0, 1), partner, itself)
            loss = self._mean(anchors[0], candidates[1], own)
            return loss if self.form == "info_nce" else (loss + self._mean(anchors[1], candidates[0], own)) / 2

    def _current_scale(self) -> float | Tensor:
        if self.log_scale is None:
            return self._scale
        if self.training:
            with torch.no_grad():  # the parameter, not its exponential: past a clamp it would have no gradient
                self.log_scale.clamp_(max=math.log(100))
        return self.log_scale.exp()

    def _mean(self, anchors: Tensor, candidates: Tensor, partner: Tensor, itself: Tensor | None = None) -> Tensor:
        if self.block_size is None:
            return F.cross_entropy(_logits(anchors, candidates, itself), partner)
        return _Blockwise.apply(anchors, candidates, partner, itself, self.block_size)


def _logits(anchors: Tensor, candidates: Tensor, itself: Tensor | None) -> Tensor:
    """(A, D), (C, D) -> (A, C); -inf for the candidate that is the anchor itself."""
    logits = anchors @ candidates.T
    return logits if itself is None else logits.scatter_(1, itself[:, None], -math.inf)


class _Blockwise(torch.autograd.Function):
    """The mean cross-entropy and its gradient, softmax − one-hot, some rows at a time and then forgotten."""

    @staticmethod
    def forward(ctx, anchors, candidates, partner, itself, block_size):
        loss = anchors.new_zeros(())
        to_anchors, to_candidates = torch.zeros_like(anchors), torch.zeros_like(candidates)
        for begin in range(0, len(anchors), block_size):
            rows = slice(begin, begin + block_size)
            logits = _logits(anchors[rows], candidates, None if itself is None else itself[rows])  # (block, C)
            log_p, target = logits.log_softmax(1), partner[rows, None]
            loss -= log_p.gather(1, target).sum()
            if any(ctx.needs_input_grad):
                residual = log_p.exp_().scatter_add_(1, target, log_p.new_full((), -1).expand(target.shape))
                to_anchors[rows] = residual @ candidates  # (block, C), (C, D) -> (block, D)
                to_candidates.addmm_(residual.T, anchors[rows])  # (C, block), (block, D) -> (C, D)
        ctx.save_for_backward(to_anchors / len(anchors), to_candidates / len(anchors))
        return loss / len(anchors)

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # create_graph=True
            raise RuntimeError("with block_size, the gradient has no further derivative; use block_size=None")
        to_anchors, to_candidates = ctx.saved_tensors
        return grad * to_anchors, grad * to_candidates, None, None, None


class _Gather(torch.autograd.Function):
    """The rows of all processes, in the order of their ranks; backward, what all their losses say about our own."""

    @staticmethod
    def forward(ctx, z):
        ctx.rows = z.shape[1]
        rows = torch.tensor([ctx.rows], device=z.device)
        everyone = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(everyone, rows)
        if any(int(other) != ctx.rows for other in everyone):
            raise ValueError(f"every process must have as many pairs; got {[int(other) for other in everyone]}")
        parts = [torch.empty_like(z) for _ in everyone]
        dist.all_gather(parts, z.contiguous())
        return torch.cat(parts, 1)  # (2, N, D) each -> (2, W·N, D)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        grad = grad.clone(memory_format=torch.contiguous_format)  # all_reduce writes into it
        dist.all_reduce(grad)
        return grad.narrow(1, dist.get_rank() * ctx.rows, ctx.rows)  # (2, W·N, D) -> (2, N, D)
