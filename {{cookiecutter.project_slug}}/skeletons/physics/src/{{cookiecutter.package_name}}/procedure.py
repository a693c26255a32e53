"""The training procedure: what is done with a batch."""

from typing import Any

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure
from .metrics import draw_solution


class PaperProcedure(Procedure):
    """Minimise the loss over batches of points; draw the solution once it is tested.

    TODO(paper): the paper's procedure, as in Algorithm …, if it is more than that. A batch may be tensors, a dict or a
    list. Any hook of LightningModule may be overridden: see PROCEDURES.md.

    Args:
        picture: file that the solution is drawn to.
        **parts: as ``Procedure``.
    """

    def __init__(self, picture: str, **parts: Any):
        super().__init__(**parts)
        self.picture = picture

    def step(self, batch: dict[str, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        if "exact" in batch:  # not in training
            metrics.update(self.model(batch["inside"]), batch["exact"])
        return self.loss(self.model, batch)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        data = self.trainer.datamodule
        if self.trainer.is_global_zero:
            grid = data.grid()
            predicted = self.model(grid.to(self.device, self.dtype))  # (T, X, 2) -> (T, X)
            draw_solution(predicted.cpu().float(), data.problem.exact(grid), self.picture)
