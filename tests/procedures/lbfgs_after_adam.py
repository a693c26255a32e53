"""Adam on batches first, then L-BFGS, which asks for the loss several times in a step."""

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Adam for the first epochs, L-BFGS for the others, as in the training of physics-informed networks."""

    def __init__(self, adam_epochs: int = 2, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.adam_epochs = adam_epochs

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        lbfgs = torch.optim.LBFGS(self.model.parameters(), max_iter=4, line_search_fn="strong_wolfe")
        return [self.optimizer(self.model.parameters()), lbfgs]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        second_phase = self.current_epoch >= self.adam_epochs
        optimizer = self.optimizers()[second_phase]
        for module in self.model.modules():
            if second_phase and isinstance(module, nn.Dropout):
                module.eval()  # a line search needs the same loss twice
        seen = []

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.step(batch, self.train_metrics)["loss"]
            self.manual_backward(loss)
            seen.append(loss.detach())
            return loss

        optimizer.step(closure)
        self.log("train/loss", seen[0])

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        images, labels = batch
        logits = self.model(images)
        metrics.update(logits.detach(), labels)
        return self.loss(logits, labels)
