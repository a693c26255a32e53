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


def test_loss_at_initialisation(cfg, data):
    """An untrained classifier knows nothing: its cross-entropy is that of a uniform guess, log K."""
    procedure = build_procedure(cfg).eval()
    losses = [procedure.step(batch, procedure.val_metrics)["loss"] for batch in data.val_dataloader()]
    assert torch.stack(losses).mean().item() == pytest.approx(math.log(cfg.model.num_classes), rel=0.2)


def test_loss_is_cross_entropy():
    logits = torch.tensor([[0.0, math.log(3.0)]])  # softmax: 1/4, 3/4
    loss = PaperLoss()(logits, torch.tensor([1]))["loss"]
    assert loss.item() == pytest.approx(-math.log(3 / 4))
