"""What this paper's parts must do, known before any training.

TODO(paper): the paper's own claims: its formulas, bounds and known solutions, each named as in ``Equation (3)``.
"""

import math

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from {{ cookiecutter.package_name }}.harness.training.build import build_procedure
from {{ cookiecutter.package_name }}.loss import PaperLoss
from {{ cookiecutter.package_name }}.metrics import PaperMetrics


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_model_shapes(cfg, batch_size):
    model = build_procedure(cfg).model.eval()
    images = torch.randn(batch_size, cfg.model.in_channels, 8, 8)
    assert model(images).shape == (batch_size, cfg.model.num_classes)


def test_accuracy_counts_images():
    """Whatever their class and their batch: 3 of 6, though 2 of 3 classes and one of two batches are known."""
    metrics = PaperMetrics(num_classes=3)
    logits = torch.tensor([[3.0, 0, 1], [0, 3, 1], [0, 1, 3]])  # where class 2 is not the first, it is the second
    metrics.update(logits[[0, 1]], torch.tensor([0, 1]))
    metrics.update(logits[[2, 0, 0, 1]], torch.tensor([2, 2, 2, 2]))
    assert metrics.compute()["accuracy"].item() == pytest.approx(3 / 6)


def test_labels_belong_to_the_images(data):
    """The nearest training image is of the same class, as a rule."""
    train, val = ([split.tensors[0].flatten(1), split.tensors[1]] for split in (data.train, data.val))
    assert KNeighborsClassifier(1).fit(*train).score(*val) > 0.9


def test_dropout_is_the_share_that_is_dropped(cfg):
    model = build_procedure(cfg).model.train()
    dropped = model.classifier[:2](torch.ones(100, 2 * cfg.model.width, 4, 4)) == 0
    assert dropped.float().mean().item() == pytest.approx(cfg.model.dropout, abs=0.02)


def test_loss_is_cross_entropy():
    logits = torch.tensor([[0.0, math.log(3.0)]])  # softmax: 1/4, 3/4
    loss = PaperLoss()(logits, torch.tensor([1]))["loss"]
    assert loss.item() == pytest.approx(-math.log(3 / 4))
