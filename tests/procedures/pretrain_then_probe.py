"""A network learns without labels, then is frozen, and a probe learns on its features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Features from predicting by how much an image was turned (Gidaris et al. 2018), then a linear probe on them."""

    def __init__(self, pretrain_epochs: int = 2, **parts):
        super().__init__(**parts)
        self.pretrain_epochs = pretrain_epochs
        self.turns = nn.LazyLinear(4)
        self.turns(self.model.features(torch.zeros(1, 1, 8, 8)).flatten(1))
        self.register_buffer("probing", torch.tensor(False))  # in the checkpoint, so that it is measured as it was
        self._train_only("pretrain")

    def _train_only(self, phase: str) -> None:
        for part, trained in [
            (self.model.features, "pretrain"),
            (self.turns, "pretrain"),
            (self.model.classifier, "probe"),
        ]:
            part.requires_grad_(trained == phase)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())  # of both phases; what has no gradient is left alone

    def on_train_epoch_start(self) -> None:
        if self.current_epoch >= self.pretrain_epochs:  # also after a resume
            self.probing.fill_(True)
            self._train_only("probe")

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        images, labels = batch
        if self.probing:
            with torch.no_grad():
                features = self.model.features.eval()(images)  # (B, 1, 8, 8) -> (B, C, 4, 4)
            logits = self.model.classifier(features)
            metrics.update(logits, labels)
            return self.loss(logits, labels)
        turned = torch.cat([images.rot90(turns, (2, 3)) for turns in range(4)])  # (B, 1, 8, 8) -> (4·B, 1, 8, 8)
        turns = torch.arange(4, device=self.device).repeat_interleave(len(images))  # (4·B,)
        metrics.update(self.model(images).detach(), labels)
        return {"loss": F.cross_entropy(self.turns(self.model.features(turned).flatten(1)), turns)}
