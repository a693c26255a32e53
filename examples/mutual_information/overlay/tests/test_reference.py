"""Ours beside the estimators as they are written down: a sum over each i and each j ≠ i."""

import math

import pytest
import torch
from torch import nn

from mutual_information.harness.training.build import build_data, build_procedure
from mutual_information.harness.verification.reference import Reference, climb


class ByPair(nn.Module):
    """f_ij = g(x_i)ᵀ h(y_j), a pair at a time."""

    def __init__(self, critic):
        super().__init__()
        self.g, self.h = critic.g, critic.h

    def forward(self, x, y):
        return torch.stack([torch.stack([(self.g(one) * self.h(other)).sum() for other in y]) for one in x])


def both(f):
    B = range(len(f))
    return [f[i, i] for i in B], [f[i, j] for i in B for j in B if i != j]


def mean(values):
    return sum(values) / len(values)


def cpc(f):
    estimate = mean([(f[i, i].exp() / mean([f[i, j].exp() for j in range(len(f))])).log() for i in range(len(f))])
    return {"loss": -estimate, "estimate": estimate}


def nwj(f):
    pairs, others = both(f)
    estimate = mean(pairs) - mean([score.exp() for score in others]) / math.e
    return {"loss": -estimate, "estimate": estimate}


def smile(tau):
    def loss(f):
        pairs, others = both(f)
        bound = mean([score.sigmoid().log() for score in pairs]) + mean([(-score).sigmoid().log() for score in others])
        clipped = [torch.tensor(min(max(score.item(), -tau), tau), dtype=f.dtype).exp() for score in others]
        return {"loss": -bound, "estimate": mean(pairs) - mean(clipped).log()}

    return loss


LOSSES = {"cpc": cpc, "nwj": nwj, "smile_1": smile(1), "paper": smile(5), "smile_inf": smile(math.inf)}


@pytest.mark.parametrize("option", LOSSES)
def test_every_rung_equals_the_reference(compose, option):
    cfg = compose("experiment=paper", f"loss={option}", "data.batch_size=6")
    critic = build_procedure(compose("experiment=paper", "seed=1")).model  # other weights than ours begins with
    for part in (critic.g[-1], critic.h[-1]):
        nn.init.normal_(part.weight)  # scores beyond every τ
    exact = (torch.float64,)  # summed one by one, the reference's exponentials lose digits in float32
    climb(cfg, Reference(ByPair(critic), loss=LOSSES[option], dtypes=exact), build_data(cfg))
