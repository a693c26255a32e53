"""The architecture: a network that learns the Hamiltonian, and the baseline that learns the field itself."""

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with tanh between them, Section 3.1; initialisation and last bias as in the official code.

    Args:
        out: D', size of the output.
        hidden: units of a hidden layer.
        layers: linear layers, the last one included.

    Shapes:
        x (…, 2) float; returns (…, D') float.
    """

    def __init__(self, out: int, hidden: int, layers: int):
        sizes = [2] + (layers - 1) * [hidden]
        parts = []
        for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
            parts += [nn.Linear(fan_in, fan_out), nn.Tanh()]
        super().__init__(*parts, nn.Linear(sizes[-1], out, bias=False))
        for part in self:
            if isinstance(part, nn.Linear):
                nn.init.orthogonal_(part.weight)


class PaperModel(nn.Module):
    """Hamiltonian neural network, Section 2: learn a scalar H(q, p), predict (∂H/∂p, -∂H/∂q).

    Args:
        hidden, layers: of the ``MLP`` that is H.

    Shapes:
        x = (q, p) (B, 2) float; returns (dq/dt, dp/dt) (B, 2) float.
    """

    def __init__(self, hidden: int, layers: int):
        super().__init__()
        self.hamiltonian = MLP(1, hidden, layers)

    def forward(self, x: Tensor) -> Tensor:
        # A transform of the function, not of a recorded graph: it works where gradients are off, as in test
        dH = torch.func.grad(lambda x: self.hamiltonian(x).sum())(x)  # (B, 2)
        dH_dq, dH_dp = dH.unbind(-1)  # -> (B,), (B,)
        return torch.stack([dH_dp, -dH_dq], dim=-1)  # -> (B, 2)


class Baseline(nn.Module):
    """The baseline of Section 3.1: the same ``MLP``, predicting (dq/dt, dp/dt) directly. Shapes as ``PaperModel``."""

    def __init__(self, hidden: int, layers: int):
        super().__init__()
        self.field = MLP(2, hidden, layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.field(x)
