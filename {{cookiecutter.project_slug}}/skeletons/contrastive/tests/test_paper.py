"""What this paper's parts must do, known before any training.

TODO(paper): the paper's own claims: its formulas, bounds and known solutions, each named as in ``Equation (3)``.
"""

import math
from pathlib import Path

import pytest
import torch
from conftest import fit
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from {{ cookiecutter.package_name }}.data import Augment
from {{ cookiecutter.package_name }}.harness.training.build import build_data, build_procedure
from {{ cookiecutter.package_name }}.harness.training.evaluate import measure
from {{ cookiecutter.package_name }}.loss import PaperLoss
from {{ cookiecutter.package_name }}.metrics import KNN, LinearProbe, PaperMetrics


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_model_shapes(cfg, batch_size):
    model = build_procedure(cfg).model.eval()
    images = torch.randn(batch_size, cfg.model.in_channels, 8, 8)
    assert model(images).shape == (batch_size, cfg.model.embedding)
    assert model.encoder(images).dim() == 2


def test_views(data):
    """Of the same shape, of another look, each image's own, and the same for the same seed."""
    images = data.val.tensors[0]
    torch.manual_seed(0)
    one, other = data.augment(images), data.augment(images)
    torch.manual_seed(0)
    again = data.augment(images)
    assert one.shape == images.shape and one.dtype == images.dtype
    assert torch.equal(one, again)
    changed = lambda a, b: (a != b).flatten(1).any(dim=1).all()  # noqa: E731
    assert changed(one, images) and changed(other, images) and changed(one, other)
    same_image = data.augment(images[:1].expand(50, -1, -1, -1))
    assert changed(same_image[1:], same_image[:-1])


def test_batches_hold_the_image_and_two_views(data):
    for loader in (data.train_dataloader(), data.val_dataloader()):
        images, labels, *views = next(iter(loader))
        stored, stored_labels = loader.dataset.tensors
        row = (stored == images[0]).flatten(1).all(dim=1).nonzero()[0, 0]
        assert stored_labels[row] == labels[0]
        assert len(views) == 2 and not torch.equal(*views)
        assert all(view.shape == images.shape and not torch.equal(view, images) for view in views)


def test_moves_are_as_large_as_they_say():
    """On a ramp of slope 1 a move shows: its slope turns by the angle and grows with the size, its middle is shifted."""
    ramp = torch.arange(8.0).expand(500, 1, 8, 8)
    still = {"rotation": 0.0, "scale": 0.0, "shift": 0.0, "erased": 0, "noise_std": 0.0}
    torch.testing.assert_close(Augment(**still)(ramp), ramp)
    torch.manual_seed(0)
    shifted = (Augment(**still | {"shift": 1.0})(ramp) - ramp)[:, 0, 4, 4]
    assert -1 <= shifted.min() < -0.9 and 0.9 < shifted.max() <= 1
    turned = Augment(**still | {"rotation": 20.0, "scale": 0.1})(ramp)[:, 0]
    slope = torch.stack([turned[:, 4, 4] - turned[:, 4, 3], turned[:, 4, 4] - turned[:, 3, 4]])
    angle, size = torch.rad2deg(torch.atan2(slope[1], slope[0])), slope.norm(dim=0)
    assert -20.01 < angle.min() < -19 and 19 < angle.max() < 20.01
    assert 0.899 < size.min() < 0.91 and 1.09 < size.max() < 1.101


def test_erased_and_noisy():
    torch.manual_seed(0)
    ones, still = torch.ones(500, 2, 8, 8), {"rotation": 0.0, "scale": 0.0, "shift": 0.0}
    erased = Augment(**still, erased=3, noise_std=0.0)(ones) == 0
    assert (erased.sum(dim=(2, 3)) == 9).all() and torch.equal(erased[:, 0], erased[:, 1])
    assert erased.any(dim=0).all(), "somewhere no square ever lies"
    assert Augment(**still, erased=0, noise_std=0.2)(ones).std().item() == pytest.approx(0.2, rel=0.02)


def test_loss_at_initialisation():
    """Embeddings that know nothing are nearly orthogonal: each of the 2B - 1 candidates is as likely."""
    torch.manual_seed(0)
    z_i, z_j = torch.randn(2, 64, 8192)
    assert PaperLoss(temperature=0.5)(z_i, z_j)["loss"].item() == pytest.approx(math.log(127), rel=0.01)


@pytest.mark.parametrize("temperature", [0.2, 0.5])
def test_loss_of_equal_views(temperature):
    """Of orthogonal images with equal views the similarities are known: 1 to the other view, 0 to all else."""
    z = torch.eye(8)
    expected = math.log(1 + 14 * math.exp(-1 / temperature))
    assert PaperLoss(temperature)(z, 3 * z)["loss"].item() == pytest.approx(expected, rel=1e-3)


def test_partners_are_views_of_one_image(cfg, data):
    procedure = build_procedure(cfg).eval()
    batch = next(iter(data.val_dataloader()))
    expected = procedure.loss(procedure.model(batch[2]), procedure.model(batch[3]))["loss"]
    torch.testing.assert_close(procedure.step(batch, procedure.val_metrics)["loss"], expected)


def test_knn_is_that_of_scikit_learn(data):
    known, images = data.train.tensors[0].flatten(1), data.test.tensors[0].flatten(1)
    known_labels = data.train.tensors[1]
    for k in (1, 4, 20):
        theirs = KNeighborsClassifier(k, metric="cosine").fit(known, known_labels).predict(images)
        assert KNN(k).predict(known, known_labels, images).tolist() == theirs.tolist()


def test_probe_is_that_of_scikit_learn(data):
    known, labels = data.train.tensors[0].flatten(1).double(), data.train.tensors[1]
    theirs = LogisticRegression(C=1 / 30, max_iter=10_000, tol=1e-8).fit(known, labels)
    intercept = torch.from_numpy(theirs.intercept_)  # the same for all classes says nothing
    weight, bias = LinearProbe(l2=30.0).fit(known, labels)
    torch.testing.assert_close(weight, torch.from_numpy(theirs.coef_), rtol=0, atol=1e-3)
    torch.testing.assert_close(bias - bias.mean(), intercept - intercept.mean(), rtol=0, atol=1e-2)


def test_prediction_depends_on_no_other_sample():
    torch.manual_seed(0)
    known, labels, features = torch.randn(60, 3) + 1, torch.arange(60) % 3, torch.randn(9, 3) + 1
    for metric in PaperMetrics(k=5, l2=1.0).values():
        together = metric.predict(known, labels, features)
        assert together.tolist() == [metric.predict(known, labels, one[None]).item() for one in features]


def test_metrics_are_apart():
    """Opposite corners of a square alike: neighbours know them, and no line parts them. Left and right: both do."""
    corners = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]).repeat(25, 1)
    right, opposite = (corners[:, 0] > 0).long(), (corners.prod(dim=1) > 0).long()
    metrics = PaperMetrics(k=5, l2=1.0)
    metrics.update(corners, right, corners, right)
    assert metrics.compute() == {"knn": 1, "linear": 1}
    beside = metrics.clone(postfix="_untrained")
    for both in (metrics, beside):
        both.reset()
        both.update(corners, opposite, corners, opposite)
    assert metrics.compute()["knn"] == 1 and metrics.compute()["linear"] <= 0.75
    assert beside.compute()["knn_untrained"] == 1 and beside.compute()["linear_untrained"] <= 0.75


def test_measuring_leaves_the_model_alone(cfg):
    """Features are frozen: measuring moves no weight or statistic, and sends no gradient; the untrained stay untrained."""
    trainer = fit(cfg, 3)
    procedure = trainer.lightning_module
    procedure.zero_grad()
    trainer.save_checkpoint(checkpoint := Path(cfg.run.dir) / "test.ckpt")
    before = {name: tensor.clone() for name, tensor in procedure.state_dict().items()}
    logged = measure(cfg, trainer, procedure, build_data(cfg), checkpoint)
    assert logged.keys() == {f"test/{name}" for name in ("loss", "knn", "linear", "knn_untrained", "linear_untrained")}
    assert all(torch.equal(tensor, before[name]) for name, tensor in procedure.state_dict().items())
    splits = [trainer.datamodule.train.tensors, trainer.datamodule.test.tensors]
    known, features = (procedure.model.eval().encoder(images).detach() for images, _ in splits)  # h, not z
    predicted = procedure.test_metrics["knn"].predict(known, splits[0][1], features)
    assert logged["test/knn"] == pytest.approx((predicted == splits[1][1]).float().mean().item())
    assert all(parameter.grad is None for parameter in procedure.parameters())

    start = build_procedure(cfg).model.encoder.state_dict()
    assert all(torch.equal(tensor, start[name]) for name, tensor in procedure.untrained.state_dict().items())
    assert any(not torch.equal(tensor, start[name]) for name, tensor in procedure.model.encoder.state_dict().items())


def test_probe_sends_no_gradient():
    features = torch.randn(40, 3, requires_grad=True)
    weight, bias = LinearProbe(l2=1.0).fit(features, torch.arange(4).repeat(10))
    assert features.grad is None and not weight.requires_grad and not bias.requires_grad


def test_plain_images_are_whole_and_in_order(data):
    for split in ("train", "val", "test"):
        images, labels = (torch.cat(parts) for parts in zip(*data.plain_dataloader(split), strict=True))
        tensors = getattr(data, split).tensors
        assert torch.equal(images, tensors[0]) and torch.equal(labels, tensors[1])
