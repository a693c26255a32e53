"""A mixture density network."""

from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, Normal


class PaperModel(nn.Module):
    """Equation (22): x (B, 1) to p(t | x), a mixture of M Gaussians; its batch has the shape (B,)."""

    def __init__(self, width: int, components: int):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(1, width), nn.Tanh())
        self.weights, self.means, self.scales = (nn.Linear(width, components) for _ in range(3))

    def forward(self, x: Tensor) -> MixtureSameFamily:
        h = self.hidden(x)
        return MixtureSameFamily(Categorical(logits=self.weights(h)), Normal(self.means(h), self.scales(h).exp()))
