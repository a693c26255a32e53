"""The training procedure: what is done with a batch."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Minimise the loss over batches of two views; measure the frozen encoder, and an untrained one beside it in test.

    TODO(paper): the paper's procedure, as in Algorithm …, if it is more than that. A batch may be tensors, a dict or a
    list. Any hook of LightningModule may be overridden: see PROCEDURES.md.

    Args:
        **parts: as ``Procedure``.
    """

    def __init__(self, **parts: Any):
        super().__init__(**parts)
        self.untrained = copy.deepcopy(self.model.encoder).requires_grad_(False)

    def step(self, batch: tuple[Tensor, ...], metrics: MetricCollection) -> dict[str, Tensor]:
        _, _, view_i, view_j = batch
        z_i, z_j = self.model(torch.cat([view_i, view_j])).chunk(2)  # (2B, C, H, W) -> (2B, E) -> (B, E) each
        return self.loss(z_i, z_j)

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        knn = self.val_metrics["knn"]  # alone: fitting a probe costs more than the epoch
        knn.update(*self._features(self.model.encoder, "train"), *self._features(self.model.encoder, "val"))
        self.log("val/knn", knn.compute(), sync_dist=True)
        knn.reset()

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        beside = self.test_metrics.clone(postfix="_untrained")
        for encoder, metrics in [(self.model.encoder, self.test_metrics), (self.untrained, beside)]:
            metrics.update(*self._features(encoder, "train"), *self._features(encoder, "test"))
            self.log_dict(metrics.compute())
            metrics.reset()

    @torch.no_grad()
    def _features(self, encoder: nn.Module, split: str) -> tuple[Tensor, Tensor]:
        """Features and labels of a whole split, each image once and as it is: (N, D), (N,)."""
        parts = [
            (encoder(images.to(self.device, self.dtype)), labels.to(self.device))
            for images, labels in self.trainer.datamodule.plain_dataloader(split)
        ]
        features, labels = zip(*parts, strict=True)
        return torch.cat(features), torch.cat(labels)
