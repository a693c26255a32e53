"""What this paper's parts must do, known before any training.

TODO(paper): the paper's own claims: its formulas, bounds and known solutions, each named as in ``Equation (3)``.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import fit

from {{ cookiecutter.package_name }}.harness.training.build import build_data, build_procedure, prepare
from {{ cookiecutter.package_name }}.harness.training.evaluate import measure
from {{ cookiecutter.package_name }}.loss import PaperLoss
from {{ cookiecutter.package_name }}.metrics import PaperMetrics


@pytest.fixture
def loss(cfg) -> PaperLoss:
    return build_procedure(cfg).loss


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5)])
def test_model_shapes(cfg, shape):
    model = build_procedure(cfg).model
    assert model(torch.rand(*shape, 2)).shape == shape


def test_residual_of_a_polynomial(loss):
    """u = tx + x² has u_t = x, u_x = t + 2x, u_xx = 2: every term of the equation, with its sign and its factor."""
    points = torch.rand(100, 2, dtype=torch.float64)
    t, x = points.unbind(-1)
    expected = x + (t * x + x**2) * (t + 2 * x) - loss.problem.viscosity * 2
    torch.testing.assert_close(loss.residual(lambda points: points.prod(-1) + points[:, 1] ** 2, points), expected)


def test_exact_solution_has_no_loss(loss, data):
    points = {name: tensor.double() for name, tensor in data.val.tensors.items()}
    terms = loss(loss.problem.exact, points)
    assert terms["residual"] < 1e-12 and terms["initial"] < 1e-24 and terms["boundary"] < 1e-24
    mirrored = loss(lambda points: -loss.problem.exact(points), points)  # solves no such equation
    assert mirrored["residual"] > 1e-2 and mirrored["initial"] > 1e-2


def test_exact_solution_is_that_of_a_spectral_method(loss):
    """Odd and of period 2, the solution is a Fourier series; classical Runge-Kutta carries it from t = 0 to 1."""
    places, steps, viscosity = 512, 4000, loss.problem.viscosity
    x = np.arange(places) * 2 / places - 1
    wavenumber = math.pi * np.fft.rfftfreq(places, 1 / places)

    def rate(series: np.ndarray) -> np.ndarray:
        squared = np.fft.rfft(np.fft.irfft(series) ** 2)
        return -0.5j * wavenumber * squared - viscosity * wavenumber**2 * series  # u_t = -(u² / 2)_x + ν·u_xx

    series, h = np.fft.rfft(-np.sin(math.pi * x)), 1 / steps
    for step in range(steps + 1):
        if step in (steps // 4, steps // 2, steps):
            points = torch.tensor(np.stack([np.full(places, step * h), x], axis=-1))
            assert loss.problem.exact(points).numpy() == pytest.approx(np.fft.irfft(series), abs=1e-6)
        a = rate(series)
        b = rate(series + h / 2 * a)
        c = rate(series + h / 2 * b)
        series = series + h / 6 * (a + 2 * b + 2 * c + rate(series + h * c))


def test_terms_are_mean_squares(loss, cfg, data):
    """Raissi et al. 2019: of the residual, of what is missed at the start and at the boundary, each over its points."""
    model, points = build_procedure(cfg).model, data.val.tensors
    terms = loss(model, points)
    start, edge = model(points["initial"]), model(points["boundary"])
    torch.testing.assert_close(terms["residual"], (loss.residual(model, points["inside"]) ** 2).mean())
    torch.testing.assert_close(terms["initial"], ((start + torch.sin(math.pi * points["initial"][:, 1])) ** 2).mean())
    torch.testing.assert_close(terms["boundary"], (edge**2).mean())


def test_model_has_a_second_derivative(cfg, data):
    """Of another value at each point: that of a network of ReLUs is zero, and the equation would lose its last term."""
    points = data.val.tensors["inside"].clone().requires_grad_()
    (first,) = torch.autograd.grad(build_procedure(cfg).model(points).sum(), points, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 1].sum(), points)
    assert second[:, 1].abs().min() < second[:, 1].abs().max() and second[:, 1].std() > 1e-3


def test_initial_weights(cfg):
    """Glorot & Bengio 2010: a variance of 2 / (inputs + outputs), and no bias."""
    for layer in build_procedure(cfg).model.layers:
        if isinstance(layer, torch.nn.Linear):
            assert not layer.bias.any()
            if layer.weight.numel() > 500:
                expected = math.sqrt(2 / (layer.in_features + layer.out_features))
                assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)


def test_terms_are_weighted(loss, cfg, data):
    model, points = build_procedure(cfg).model, data.val.tensors
    terms = PaperLoss(loss.problem, initial_weight=3.0, boundary_weight=5.0)(model, points)
    expected = terms["residual"] + 3 * terms["initial"] + 5 * terms["boundary"]
    torch.testing.assert_close(terms["loss"], expected)
    assert terms["residual"] > 0 and terms["initial"] > 0 and terms["boundary"] > 0


def test_loss_without_gradients(loss, cfg, data):
    """Validation and test, where gradients are off, measure the same loss."""
    model, points = build_procedure(cfg).model, data.val.tensors
    with torch.no_grad():
        terms = loss(model, points)
    assert all(torch.equal(terms[name], term) for name, term in loss(model, points).items())


def test_relative_l2_is_of_the_whole_split():
    exact = torch.cat([torch.full((4,), 100.0), torch.full((4,), 1.0)])
    predicted = torch.cat([torch.full((4,), 101.0), torch.full((4,), 4.0)])
    metrics = PaperMetrics()
    for half in (slice(4), slice(4, 8)):  # their own errors are 0.01 and 3
        metrics.update(predicted[half], exact[half])
    assert metrics.compute()["relative_l2"].item() == pytest.approx(math.sqrt(40 / 40004))


def test_points(cfg, compose, data):
    """Where they belong, as many as was said, the same for every seed; and the solution is no secret but in training."""
    splits = {"train": data.train.tensors, "val": data.val.tensors, "test": data.test.tensors}
    for name, size in [("train", cfg.data.train_size), ("val", cfg.data.val_size), ("test", math.prod(data.test_grid))]:
        inside, start, edge = (splits[name][kind] for kind in ("inside", "initial", "boundary"))
        assert len(inside) == len(start) == len(edge) == size
        for points in (inside, start, edge):
            t, x = points.unbind(-1)
            assert 0 <= t.min() and t.max() <= 1 and -1 <= x.min() and x.max() <= 1
        assert not start[:, 0].any() and set(edge[:, 1].tolist()) == {-1.0, 1.0}
    grid = data.grid()
    assert torch.equal(splits["test"]["inside"], grid.flatten(0, 1).float())
    assert torch.equal(grid[:, 0, 1], -torch.ones_like(grid[:, 0, 1])) and not grid[0, :, 0].any()
    assert "exact" not in splits["train"] and len(splits["val"]["exact"]) == cfg.data.val_size

    other = compose("experiment=paper", "seed=1")
    prepare(other)
    again = build_data(other)
    again.setup("fit")
    for split, tensors in splits.items():
        assert all(torch.equal(getattr(again, split).tensors[name], tensor) for name, tensor in tensors.items())


def test_the_solution_is_drawn(cfg):
    trainer = fit(cfg, 1)
    trainer.save_checkpoint(checkpoint := Path(cfg.run.dir) / "test.ckpt")
    measure(cfg, trainer, trainer.lightning_module, build_data(cfg), checkpoint)
    assert Path(cfg.procedure.picture).read_bytes().startswith(b"\x89PNG")
