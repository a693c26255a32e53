"""Shape: a generative adversarial network on points of the plane; two optimizers, no step, and no data to measure."""

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Discriminator and generator in turn, Algorithm 1.

    Args:
        ratio: learning rate of the discriminator over that of the generator.
        samples: drawn to measure.
    """

    def __init__(self, ratio: float, samples: int, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.ratio, self.samples = ratio, samples

    def configure_optimizers(self):
        lr = self.optimizer.keywords["lr"]
        groups = [(self.model.discriminator, self.ratio * lr), (self.model.generator, lr)]
        return [self.optimizer(module.parameters(), lr=rate) for module, rate in groups], []

    def training_step(self, batch, batch_idx):
        (real,) = batch
        discriminates, generates = self.optimizers()
        fake = self.model(len(real))
        terms = self.loss(self.model.discriminator(real), self.model.discriminator(fake.detach()))
        discriminates.zero_grad()
        self.manual_backward(terms["discriminator"])
        discriminates.step()
        generator = self.loss(None, self.model.discriminator(fake))["generator"]
        generates.zero_grad()
        self.manual_backward(generator)
        generates.step()
        self.log("train/loss", generator.detach())
        self.log("train/discriminator", terms["discriminator"].detach())

    def validation_step(self, batch, batch_idx):
        self.val_metrics.update(self.draw(), batch[0])

    def test_step(self, batch, batch_idx):
        self.test_metrics.update(self.draw(), batch[0])

    def draw(self):
        with torch.random.fork_rng():  # so that validation does not change the training
            torch.manual_seed(0)
            return self.model(self.samples)
