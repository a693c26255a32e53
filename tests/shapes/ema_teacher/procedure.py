"""Shape: mean teacher; the measured weights are averages of the trained ones, and belong to another module."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Tarvainen and Valpola 2017: the student learns from labels and teacher, and the teacher is its average.

    Args:
        decay: α of Equation (2).
        noise: standard deviation of the noise on the pixels, drawn for each of the two.
    """

    def __init__(self, decay: float, noise: float, **parts):
        super().__init__(**parts)
        self.teacher = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(decay))  # copies the buffers
        self.teacher.requires_grad_(False)
        self.noise = noise

    def step(self, batch: list[Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        pixels, labels = batch
        if not self.training:
            logits = self.teacher(pixels)
            metrics.update(logits, labels)
            return self.loss(logits, labels, logits)
        student = self.model(pixels + self.noise * torch.randn_like(pixels))
        with torch.no_grad():
            teacher = self.teacher(pixels + self.noise * torch.randn_like(pixels))
        metrics.update(student, labels)
        return self.loss(student, labels, teacher)

    def optimizer_step(self, *args, **kwargs) -> None:
        super().optimizer_step(*args, **kwargs)
        self.teacher.update_parameters(self.model)  # Equation (2)
