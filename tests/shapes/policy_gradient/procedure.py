"""Shape: a policy gradient. The batches are rollouts that the model itself has played, and nothing else is data."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """REINFORCE, Algorithm 1, with the mean return of each step of the rollout as the baseline."""

    def step(self, batch, metrics):
        states, actions, returns, alive = batch  # each (B, T)
        count = alive.sum(0).clamp(min=1)
        advantages = (returns - (returns * alive).sum(0) / count) * alive
        return self.loss(self.model(states), actions, advantages, alive)

    def test_step(self, batch, batch_idx):
        self.test_metrics.update(self.trainer.datamodule.walk.play(self.model, len(batch[0])).rewards.sum(1))

    def on_train_epoch_end(self):
        super().on_train_epoch_end()
        self.log("train/return", self.trainer.datamodule.last_return)
