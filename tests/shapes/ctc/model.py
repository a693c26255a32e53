"""The recogniser."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Frames (B, T, D) and their number (B,) to log-probabilities (T, B, K + 1); class 0 is the blank."""

    def __init__(self, features: int, width: int, classes: int):
        super().__init__()
        self.conv = nn.Conv1d(features, width, 3, padding=1)
        self.head = nn.Linear(width, classes + 1)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        hidden = self.conv(frames.transpose(1, 2)).relu().transpose(1, 2)  # (B, T, D) -> (B, T, W)
        return self.head(hidden).log_softmax(-1).transpose(0, 1)  # (T, B, K + 1)
