"""How the paper measures its results: by what each estimate of the training was."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class Trace(Metric):
    """Bias and variance of the estimates at each level of the true mutual information, and the highest estimate of all.

    Over all iterations of a level, those in which the critic still adapts to it included. The bias counts without its
    sign, so that too much is not better than too little.

    Args:
        levels: in nats.

    Shapes:
        updated with estimates (T,) float and the true values (T,) float, one for each iteration, in nats; computes
        scalars ``bias_<level>`` and ``variance_<level>``, nan for a level that was not reached, and ``highest``.
    """

    def __init__(self, levels: list[float]):
        super().__init__()
        self.levels = levels
        self.add_state("estimates", default=[], dist_reduce_fx="cat")
        self.add_state("true", default=[], dist_reduce_fx="cat")

    def update(self, estimates: Tensor, true: Tensor) -> None:
        self.estimates.append(estimates.double())
        self.true.append(true)

    def compute(self) -> dict[str, Tensor]:
        estimates, true = torch.cat(list(self.estimates)), torch.cat(list(self.true))  # (T,) each
        found = {"highest": estimates.max()}
        for level in self.levels:
            at_level = estimates[true == level]
            found[f"bias_{level:g}"] = (at_level.mean() - level).abs()
            found[f"variance_{level:g}"] = (at_level - at_level.mean()).square().mean()
        return found


class PaperMetrics(MetricCollection):
    """What ``Trace`` measures."""

    def __init__(self, levels: list[float]):
        super().__init__({"trace": Trace(levels)})
