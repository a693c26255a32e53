"""One trunk, two heads; Figure 2."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Images (B, 1, 8, 8) to logits (B, 10) of the digit or (B, 4) of the quarter turn, as ``task`` says."""

    def __init__(self, width: int):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.heads = nn.ModuleDict({"digit": nn.Linear(16 * width, 10), "turn": nn.Linear(16 * width, 4)})

    def forward(self, images: Tensor, task: str) -> Tensor:
        return self.heads[task](self.trunk(images))  # (B, 1, 8, 8) -> (B, 16·width) -> (B, K)
