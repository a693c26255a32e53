"""Algorithm 1."""

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Algorithm 1: five steps of the critic for one of the generator, in one batch."""

    def __init__(self, critic_steps: int, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.critic_steps = critic_steps

    def configure_optimizers(self):
        return [self.optimizer(self.model.critic.parameters()), self.optimizer(self.model.generator.parameters())]

    def _noise(self, like):
        return torch.randn(len(like), self.model.latent, device=like.device)

    def training_step(self, batch, batch_idx):
        real = batch[0].flatten(1)
        critic, generator = self.optimizers()
        for _ in range(self.critic_steps):
            fake = self.model(self._noise(real)).detach()
            share = torch.rand(len(real), 1)
            between = (share * real + (1 - share) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(self.model.critic(between).sum(), between, create_graph=True)
            terms = self.loss(self.model.critic(real), self.model.critic(fake), slope.norm(dim=1))
            critic.zero_grad()
            self.manual_backward(terms["loss"])
            critic.step()
        self.toggle_optimizer(generator)
        loss = -self.model.critic(self.model(self._noise(real))).mean()
        generator.zero_grad()
        self.manual_backward(loss)
        generator.step()
        self.untoggle_optimizer(generator)
        self.log("train/loss", terms["loss"].detach())

    def validation_step(self, batch, batch_idx):
        pass

    def test_step(self, batch, batch_idx):
        pass

    def on_test_epoch_end(self):
        z = torch.randn(500, self.model.latent, generator=torch.Generator().manual_seed(0))
        fake = self.model(z)
        real = self.trainer.test_dataloaders.dataset.tensors[0].flatten(1)
        self.log("test/distance", (fake.mean(0) - real.mean(0)).norm())
