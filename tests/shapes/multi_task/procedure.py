"""Shape: two tasks with a loader and a head each, joined in training by CombinedLoader, measured one after the other."""

from torch import Tensor
from torchmetrics import MetricCollection

from .harness.procedure import Procedure

TASKS = ["digit", "turn"]


class PaperProcedure(Procedure):
    """Minimise Equation (3); a batch of training has a batch of each task."""

    def step(self, batch: dict[str, list[Tensor]], metrics: MetricCollection) -> dict[str, Tensor]:
        outputs = {task: (self.model(images, task), labels) for task, (images, labels) in batch.items()}
        for task, (logits, labels) in outputs.items():
            metrics[f"{task}_accuracy"].update(logits, labels)
        return self.loss(outputs)

    def validation_step(self, batch: list[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        self.step({TASKS[dataloader_idx]: batch}, self.val_metrics)

    def test_step(self, batch: list[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        self.step({TASKS[dataloader_idx]: batch}, self.test_metrics)
