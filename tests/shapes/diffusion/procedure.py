"""Algorithm 1, with averaged weights."""

import copy

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Algorithm 1."""

    def __init__(self, decay: float, **parts):
        super().__init__(**parts)
        self.decay = decay
        self.average = copy.deepcopy(self.model).requires_grad_(False)

    def step(self, batch, metrics):
        x = batch[0].flatten(1)
        network = self.model if self.training else self.average
        t = torch.randint(len(network.alphas), (len(x),), device=x.device)
        noise, share = torch.randn_like(x), network.alphas[t][:, None]
        return self.loss(network(share.sqrt() * x + (1 - share).sqrt() * noise, t), noise)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.decay)
