"""Shape: the paper is an optimizer. One scalar, updates by hand, no data set, no validation. Algorithm 2."""

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """AMSGrad, Algorithm 2, or Adam with the same averages (Algorithm 1), one round after the other.

    Args:
        amsgrad: whether v̂ is the maximum.
        alpha: step size; alpha_t = alpha / sqrt(t).
        betas: β1, β2.
    """

    def __init__(self, amsgrad: bool, alpha: float, betas, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.amsgrad, self.alpha, self.betas = amsgrad, alpha, betas
        for name in ("m", "v", "v_hat", "t", "regret"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    def training_step(self, batch, batch_idx):
        (slopes,) = batch
        x, m, v, v_hat, t, regret = (
            float(s) for s in (self.model().detach(), self.m, self.v, self.v_hat, self.t, self.regret)
        )
        b1, b2 = self.betas
        for slope in slopes.tolist():
            t += 1
            regret += slope * x
            m, v = b1 * m + (1 - b1) * slope, b2 * v + (1 - b2) * slope**2
            v_hat = max(v_hat, v) if self.amsgrad else v
            x = min(1.0, max(-1.0, x - self.alpha / t**0.5 * m / v_hat**0.5))
        with torch.no_grad():
            self.model.x.fill_(x)
        for name, value in {"m": m, "v": v, "v_hat": v_hat, "t": t, "regret": regret}.items():
            getattr(self, name).fill_(value)
        self.optimizers().step()
        self.log("train/loss", slope * x)
        self.log("train/iterate", x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)

    def test_step(self, batch, batch_idx):
        pass

    def on_test_epoch_end(self):
        self.log("test/iterate", self.model.x)
        best = -self.t * (1010 - 10 * 100) / 101  # f_t summed at x = -1, over whole periods
        self.log("test/regret", (self.regret - best) / self.t)
