"""Federated averaging."""

import copy

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Algorithm 1: each chosen client trains a copy of the model, and the server averages the copies.

    Args:
        epochs: E of a client.
        size: B of a client.
        lr: η of a client.
    """

    def __init__(self, epochs: int, size: int, lr: float, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.epochs, self.size, self.lr = epochs, size, lr

    def configure_optimizers(self):
        return None

    def step(self, batch, metrics):
        x, y = batch
        logits = self.model(x)
        metrics.update(logits.detach(), y)
        return self.loss(logits, y)

    def client(self, x, y):
        model = copy.deepcopy(self.model)
        optimizer = torch.optim.SGD(model.parameters(), self.lr)
        losses = []
        for _ in range(self.epochs):
            for part in torch.randperm(len(x), device=x.device).split(self.size):
                loss = self.loss(model(x[part]), y[part])["loss"]
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        return model, torch.stack(losses).mean()

    def training_step(self, batch, batch_idx):
        copies, losses = zip(*(self.client(x, y) for x, y in zip(*batch, strict=True)), strict=True)
        with torch.no_grad():
            for p, *others in zip(self.model.parameters(), *(c.parameters() for c in copies), strict=True):
                p.copy_(torch.stack(others).mean(0))  # the clients have equally many images
        self.count_steps(1)
        self.log("train/loss", torch.stack(losses).mean())
