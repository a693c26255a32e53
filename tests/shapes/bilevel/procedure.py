"""Bilevel optimization with two optimizers."""

import torch
from torch.func import functional_call

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Algorithm 1: the weights of samples go down the gradient of the clean loss after one step of the classifier.

    Args:
        outer_lr: of the weights.
    """

    def __init__(self, outer_lr: float, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.outer_lr = outer_lr

    def configure_optimizers(self):
        return self.optimizer(self.model.classifier.parameters()), torch.optim.Adam([self.model.a], self.outer_lr)

    def training_step(self, batch, batch_idx):
        (x, y, index), (clean, labels) = batch["noisy"], batch["clean"]
        inner, outer = self.optimizers()
        rate = inner.param_groups[0]["lr"]
        logits = self.model(x)
        loss = self.loss(logits, y, self.model.a[index].sigmoid())["loss"]
        names, weights = zip(*self.model.named_parameters(), strict=True)
        grads = torch.autograd.grad(loss, weights[1:], create_graph=True)
        moved = {n: w - rate * g for n, w, g in zip(names[1:], weights[1:], grads, strict=True)}
        clean_loss = self.loss(functional_call(self.model, moved, (clean,)), labels)["loss"]
        outer.zero_grad()
        self.model.a.grad = torch.autograd.grad(clean_loss, self.model.a)[0]
        outer.step()
        inner.zero_grad()
        self.manual_backward(self.loss(self.model(x), y, self.model.a[index].sigmoid().detach())["loss"])
        inner.step()
        self.train_metrics.update(logits.detach(), y)
        self.log("train/loss", loss.detach())
        self.log("train/clean_loss", clean_loss.detach())

    def step(self, batch, metrics):
        x, y = batch
        logits = self.model(x)
        metrics.update(logits.detach(), y)
        return self.loss(logits, y)
