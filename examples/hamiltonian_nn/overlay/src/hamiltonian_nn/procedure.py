"""The training procedure: what is done with a batch."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss on the whole training set, Section 3.1; the energy is measured once, of the trained model."""

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        x, dx_dt = batch
        return self.loss(self.model(x), dx_dt)

    def on_test_epoch_end(self) -> None:
        self.test_metrics.update(self.model)
        super().on_test_epoch_end()
