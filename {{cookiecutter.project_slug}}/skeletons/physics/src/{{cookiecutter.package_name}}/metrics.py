"""How the paper measures its results."""

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class RelativeL2(Metric):
    """‖u_θ - u‖₂ / ‖u‖₂ over all points of a split (Raissi et al. 2019), 0 for the exact solution.

    torchmetrics' ``RelativeSquaredError`` is not it: that one subtracts the mean of u in the denominator.

    Shapes:
        updated with u_θ (B,) float and u (B,) float.
    """

    higher_is_better = False

    def __init__(self):
        super().__init__()
        self.add_state("error", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("size", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, exact: Tensor) -> None:
        self.error += (predicted - exact).square().sum()
        self.size += exact.square().sum()

    def compute(self) -> Tensor:
        return (self.error / self.size).sqrt()


class PaperMetrics(MetricCollection):
    """The relative L² error against the exact solution.

    TODO(paper): the metrics of the paper's table, as defined in Section …. A target in ``configs/paper.yaml`` names
    one of them as ``test/<name>``.

    Shapes:
        as ``RelativeL2``.
    """

    def __init__(self):
        super().__init__({"relative_l2": RelativeL2()})


def draw_solution(predicted: Tensor, exact: Tensor, path: str) -> None:
    """Write a picture of the predicted solution, the exact one and their difference over t and x.

    Args:
        predicted: u_θ on a regular grid of [0, 1] × [-1, 1], (T, X) float.
        exact: u on the same grid, (T, X) float.
        path: of the picture.
    """
    figure = Figure(figsize=(12.0, 2.8), layout="constrained")
    size = exact.abs().max().item()
    shown = {"predicted": (predicted, "RdBu_r", -size, size), "exact": (exact, "RdBu_r", -size, size)}
    shown["|predicted - exact|"] = ((predicted - exact).abs(), "viridis", 0.0, None)
    for axes, (title, (values, colors, low, high)) in zip(figure.subplots(1, 3), shown.items(), strict=True):
        image = axes.imshow(
            values.T.numpy(),  # (T, X) -> (X, T): rows are places
            cmap=colors,
            vmin=low,
            vmax=high,
            origin="lower",
            extent=(0, 1, -1, 1),
            aspect="auto",
        )
        axes.set(title=title, xlabel="t", ylabel="x")
        figure.colorbar(image, ax=axes)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
