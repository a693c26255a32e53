"""Shape: nothing is trained by gradients; the model is fitted in closed form before the only epoch, which measures it."""

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Fit, then measure."""

    def on_fit_start(self) -> None:
        self.model.fit(torch.cat(list(self.trainer.datamodule.train_dataloader())))

    def configure_optimizers(self) -> None:
        return None

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        self.step(batch, self.train_metrics)

    def step(self, batch: Tensor, metrics: MetricCollection) -> dict[str, Tensor]:
        reconstruction = self.model(batch)
        metrics.update(reconstruction, batch)
        return self.loss(reconstruction, batch)
