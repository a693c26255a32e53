"""Ours beside the equations of the cells, a step in time after the other."""

import pytest
import torch
from torch import nn

from chomsky_hierarchy.harness.training.build import build_data, build_procedure
from chomsky_hierarchy.harness.verification.reference import Reference, climb


class StepByStep(nn.Module):
    """The network from its weights alone: x_t is a column of W, and the state is carried by hand."""

    def __init__(self, model, cell):
        super().__init__()
        self.recurrent, self.read_out, self.cell = model.recurrent, model.read_out, cell

    def forward(self, tokens):
        W, U, b, c = self.recurrent.parameters()
        h = memory = torch.zeros(len(tokens), U.shape[1], dtype=U.dtype)
        for token in tokens.T:
            drive = W.T[token] + b + h @ U.T + c
            if self.cell == "rnn":
                h = drive.clamp(min=0)
            else:
                i, f, g, o = drive.chunk(4, dim=1)
                memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
                h = o.sigmoid() * memory.tanh()
        return h.clamp(min=0) @ self.read_out.weight.T + self.read_out.bias


def log_likelihood(logits, answers):
    odds = logits.exp()
    return -(odds[range(len(answers)), answers] / odds.sum(dim=1)).log().mean()


@pytest.mark.parametrize(("experiment", "cell"), [("paper", "rnn"), ("cycle_lstm", "lstm")])
def test_every_rung_equals_the_reference(compose, experiment, cell):
    """Appendix A.2 and Section 4: the cells, and cross entropy."""
    cfg = compose(f"experiment={experiment}", "model.hidden=16")
    other = build_procedure(compose(f"experiment={experiment}", "model.hidden=16", "seed=1")).model
    climb(cfg, Reference(StepByStep(other, cell), loss=log_likelihood), build_data(cfg))
