"""What this paper's parts must do, known before any training.

TODO(paper): the paper's own claims: its formulas, bounds and known solutions, each named as in ``Equation (3)``.
"""

import math

import pytest
import torch

from {{ cookiecutter.package_name }}.harness.building import build_procedure
from {{ cookiecutter.package_name }}.loss import PaperLoss


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_model_shapes(cfg, batch_size):
    model = build_procedure(cfg).model.eval()
    images = torch.randn(batch_size, cfg.model.in_channels, 8, 8)
    assert model(images).shape == (batch_size, cfg.model.num_classes)


def test_loss_is_cross_entropy():
    logits = torch.tensor([[0.0, math.log(3.0)]])  # softmax: 1/4, 3/4
    loss = PaperLoss()(logits, torch.tensor([1]))["loss"]
    assert loss.item() == pytest.approx(-math.log(3 / 4))
