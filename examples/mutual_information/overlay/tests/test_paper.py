"""The paper's own claims: what holds of Gaussians, of the estimators for any critic, and of the trace."""

import math
import statistics

import pytest
import torch
from conftest import fit

from mutual_information.data import PaperDataModule, correlation
from mutual_information.harness.training.build import build_data, build_procedure
from mutual_information.harness.training.evaluate import measure
from mutual_information.loss import CPC, NWJ, PaperLoss
from mutual_information.metrics import Trace
from mutual_information.model import JointCritic, PaperModel

LEVELS = [2, 4, 6, 8, 10]


def staircase(**settings):
    data = {"levels": LEVELS, "dimension": 20, "batch_size": 64, "iterations": 20000, "seed": 0}
    return PaperDataModule(**data | settings).train


def log_ratio(x, y, rho):
    """log p(x, y) / (p(x) p(y)) of every x with every y, in closed form: (B, D), (B, D) -> (B, B)."""
    x, y, scale = x.double(), y.double(), 1 - rho**2
    squares = x.square().sum(1)[:, None] + y.square().sum(1)
    return rho / scale * x @ y.T - rho**2 / (2 * scale) * squares - x.shape[1] / 2 * math.log(scale)


@pytest.mark.parametrize("mi", [0.05, 0.5, 2.0])
def test_correlation_gives_the_mutual_information(mi):
    """By quadrature of ∫∫ p(x, y) log p(x, y) / (p(x) p(y)) over the plane, one of D = 4 equal dimensions."""
    rho, z = correlation(mi, dimension=4), torch.linspace(-8, 8, 801, dtype=torch.float64)
    log_p = -z.square() / 2 - math.log(2 * math.pi) / 2
    ratio = log_ratio(z[:, None], z[:, None], rho)
    integral = ((log_p[:, None] + log_p + ratio).exp() * ratio).sum() * (16 / 800) ** 2
    assert 4 * integral.item() == pytest.approx(mi, rel=1e-6)


@pytest.mark.parametrize("mi", [2.0, 10.0])
def test_pairs_are_what_they_are_said_to_be(mi):
    """Both standard normal, correlated in each dimension with the other's same one alone; the ratio's mean is MI."""
    x, y, stated = staircase(levels=[mi], batch_size=50_000)[0]
    assert (stated == mi).all()
    rho, both = correlation(mi, 20), torch.cat([x, y], dim=1)
    covariance = torch.eye(40) + rho * (torch.eye(40).roll(20, 0))
    torch.testing.assert_close(both.T @ both / len(x), covariance, atol=0.03, rtol=0)
    assert log_ratio(x[:1000], y[:1000], rho).diagonal().mean().item() == pytest.approx(mi, abs=0.5)


def test_staircase_rises_after_equally_many_iterations():
    """4000 of each level; every iteration and every seed has pairs of its own, and each the same again."""
    data = staircase()
    assert [data[i][2][0].item() for i in (0, 3999, 4000, 7999, 8000, 16000, 19999)] == [2, 2, 4, 4, 6, 10, 10]
    assert len(data) == 20_000 and data[0][0].shape == data[0][1].shape == (64, 20)
    draws = [data[0], data[1], data[19_999], staircase(seed=1)[0], staircase(seed=1)[1]]
    assert len({tuple(x[0].tolist()) for x, _, _ in draws}) == 5
    assert torch.equal(data[7][1], staircase()[7][1])


def test_estimators_are_right_where_the_critic_is():
    """Little information, many pairs, the exact log ratio: all estimate MI. NWJ wants 1 more, the others no constant."""
    x, y, _ = staircase(levels=[1.0], batch_size=2000)[0]
    f = log_ratio(x, y, correlation(1.0, 20))
    for estimator in (CPC(), PaperLoss(tau=None), PaperLoss(tau=20.0)):
        assert estimator(f)["estimate"].item() == pytest.approx(1, abs=0.1)
    assert NWJ()(f + 1)["estimate"].item() == pytest.approx(1, abs=0.1)
    for constant in (-3.0, 2.0):
        assert CPC()(f + constant)["estimate"].item() == pytest.approx(CPC()(f)["estimate"].item())
        assert NWJ()(f + 1 + constant)["estimate"] < NWJ()(f + 1)["estimate"]


@pytest.mark.parametrize("size", [2, 64])
@pytest.mark.parametrize("scale", [0.1, 10.0, 1000.0])
def test_cpc_never_exceeds_the_logarithm_of_the_batch(size, scale):
    """Whatever the critic: log B is reached where each pair stands out, so at MI 10 the bias is at least 10 - log 64."""
    torch.manual_seed(0)
    f = scale * torch.randn(size, size, dtype=torch.float64)
    assert CPC()(f)["estimate"] <= math.log(size)
    best = CPC()(f + 1e5 * torch.eye(size))["estimate"].item()
    assert best == pytest.approx(math.log(size), rel=1e-12) and best <= math.log(size) + 1e-12
    assert PaperLoss(tau=5.0)(f + 1e5 * torch.eye(size))["estimate"] > math.log(size), "only CPC is bounded"


def test_smile_is_learned_by_jensen_shannon_whatever_tau():
    """At f = 0 the bound is -2 log 2, and its gradient that of a logistic regression, σ(f_ij) less 1 for a pair."""
    f = (3 * torch.randn(8, 8, dtype=torch.float64)).requires_grad_()
    assert PaperLoss(tau=5.0)(torch.zeros(8, 8))["loss"].item() == pytest.approx(2 * math.log(2))
    pairs = torch.eye(8, dtype=torch.float64)
    expected = (f.sigmoid() - pairs) * torch.where(pairs > 0, 1 / 8, 1 / 56)
    for tau in (1.0, 5.0, None):
        (gradient,) = torch.autograd.grad(PaperLoss(tau)(f)["loss"], f)
        torch.testing.assert_close(gradient, expected.detach())


def test_tau_bounds_what_others_add():
    """Log of a mean of exp(clip(f, -τ, τ)) is within ±τ; τ = ∞ clips nothing."""
    f = torch.full((4, 4), 50.0, dtype=torch.float64)
    assert [PaperLoss(tau)(f)["estimate"].item() for tau in (1.0, 5.0, None)] == pytest.approx([49, 45, 0])
    assert PaperLoss(tau=5.0)(-f)["estimate"].item() == pytest.approx(-45)


@pytest.mark.parametrize("critic", [PaperModel(3, 8, 2, embedding=4), JointCritic(3, 8, 2)])
def test_score_is_of_row_and_column(critic):
    x, y = torch.randn(2, 5, 3)
    f = critic(x, y)
    assert f.shape == (5, 5)
    for i, j in [(0, 0), (1, 4), (4, 1)]:
        torch.testing.assert_close(f[i, j], critic(x[i : i + 1], y[j : j + 1])[0, 0])


@pytest.mark.parametrize("critic", ["paper", "joint"])
def test_critics_have_three_hidden_layers(compose, critic):
    model = build_procedure(compose("experiment=paper", f"model={critic}")).model
    sizes = [tuple(p.shape) for name, p in model.named_parameters() if name.endswith("weight")]
    g = [(256, 20), (256, 256), (256, 256), (32, 256)]
    assert sizes == (2 * g if critic == "paper" else [(256, 40), (256, 256), (256, 256), (1, 256)])


def test_bias_and_variance_are_of_all_iterations_of_a_level():
    torch.manual_seed(0)
    values = {level: (torch.randn(50) - level / 2).tolist() for level in (2, 10)}
    metric = Trace(levels=LEVELS)
    for level, estimates in values.items():
        metric.update(torch.tensor(estimates), torch.full([50], float(level)))
    found = metric.compute()
    for level, estimates in values.items():
        assert found[f"bias_{level}"].item() == pytest.approx(abs(level - statistics.fmean(estimates)))
        assert found[f"variance_{level}"].item() == pytest.approx(statistics.pvariance(estimates))
    assert found["bias_4"].isnan() and found["highest"].item() == pytest.approx(max(values[2]))


def test_what_is_tested_is_the_trace_of_the_training(cfg, tmp_path):
    """Every iteration once, in order, before its own step; also read from the checkpoint alone."""
    cfg.data.iterations = 10
    trainer = fit(cfg, 10)
    trainer.save_checkpoint(tmp_path / "test.ckpt")
    estimates, truth = torch.load(tmp_path / "test.ckpt", weights_only=True)["trace"].T
    assert truth.tolist() == [2, 2, 4, 4, 6, 6, 8, 8, 10, 10]
    untrained = build_procedure(cfg)
    assert untrained.step(build_data(cfg).train[0], untrained.train_metrics)["estimate"] == estimates[0]
    logged = measure(cfg, trainer, untrained, build_data(cfg), tmp_path / "test.ckpt")
    assert logged["test/highest"] == estimates.max()
    assert logged["test/bias_8"] == pytest.approx((8 - estimates[6:8].mean()).abs().item())
