"""Shape: a recommender; sparse gradients, integer inputs, ranks with ties, negatives drawn in the step."""

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from .data import Interactions
from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """LearnBPR, Figure 4: a negative item is drawn for each positive one."""

    def step(self, batch: Interactions, metrics: MetricCollection) -> dict[str, Tensor]:
        drawn = torch.multinomial((~batch.seen).float(), 1)  # (B, 1): an item that the user did not take
        better, worse = self.model(batch.user, torch.cat([batch.item[:, None], drawn], dim=1)).unbind(1)
        if not self.training:
            every = torch.arange(batch.seen.shape[1], device=self.device).expand_as(batch.seen)  # (B, I)
            metrics.update(self.model(batch.user, every).masked_fill(batch.seen, -torch.inf), batch.item)
        return self.loss(better, worse)
