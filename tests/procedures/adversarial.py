"""Two networks against each other, each with its optimizer; the generator is trained on what the other sees."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """A generative adversarial network; Goodfellow et al. 2014, Algorithm 1 with k = 1.

    The model is the discriminator: its first logit says whether an image is real.
    """

    def __init__(self, latent: int = 8, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, 64), nn.Unflatten(1, (1, 8, 8)))
        self.latent = latent

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer(self.model.parameters()), self.optimizer(self.generator.parameters())]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        first, second = self.optimizers()
        terms = self.step(batch, self.train_metrics)
        for optimizer, term in [(first, "loss"), (second, "generator")]:
            self.toggle_optimizer(optimizer)
            optimizer.zero_grad()
            self.manual_backward(terms[term], retain_graph=term == "loss")
            self.untoggle_optimizer(optimizer)
        first.step()
        second.step()
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        images, labels = batch
        metrics.update(self.model(images), labels)
        fakes = self.generator(torch.randn(len(images), self.latent, device=self.device))  # (B, latent) -> (B, 1, 8, 8)
        real, fake = (self.model(x)[:, 0] for x in (images, fakes.detach()))  # (B, 1, 8, 8) -> (B,)
        return {
            "loss": F.softplus(-real).mean() + F.softplus(fake).mean(),
            "generator": F.softplus(-self.model(fakes)[:, 0]).mean(),
        }
