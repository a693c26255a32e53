"""Shape: tabular reinforcement learning. A million tiny updates by hand, a thousand in each batch."""

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """TD(0), Algorithm 1, without discount.

    Args:
        alpha: step size.
    """

    def __init__(self, alpha: float, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.alpha = alpha
        self.register_buffer("state", torch.tensor(3))  # C, the centre; 0 and 6 are terminal

    def configure_optimizers(self):
        return None

    def training_step(self, batch, batch_idx):
        (moves,) = batch
        v, state, squares = [0.0, *self.model().tolist(), 0.0], int(self.state), 0.0
        for move in moves.tolist():
            after = state + move
            delta = (after == 6) + v[after] - v[state]  # Equation (2)
            v[state] += self.alpha * delta  # Equation (1)
            squares += delta**2
            state = after if 0 < after < 6 else 3
        self.model.v.copy_(torch.tensor(v[1:-1], dtype=torch.float64))
        self.state.fill_(state)
        self.count_steps(len(moves))
        self.log("train/loss", squares / len(moves))

    def test_step(self, batch, batch_idx):
        pass

    def on_test_epoch_end(self):
        error = self.model() - torch.arange(1, 6, device=self.device) / 6
        self.log("test/rms_error", error.square().mean().sqrt())
