"""The contrastive losses against explicit loops: 1e-12 in float64, 1e-5 in float32."""

import math

import pytest
import torch

from {{ cookiecutter.package_name }}.components.contrastive import ContrastiveLoss

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def loops(z_i, z_j, temperature, form):
    """The mean of −log( exp(s(a, a⁺)/τ) / Σ_c exp(s(a, c)/τ) ), term by term."""
    z = [row / row.norm() for row in (*z_i, *z_j)]
    n = len(z_i)
    pairs = {
        "nt_xent": [(a, (a + n) % (2 * n), [c for c in range(2 * n) if c != a]) for a in range(2 * n)],
        "info_nce": [(a, a + n, range(n, 2 * n)) for a in range(n)],
        "clip": [(a, (a + n) % (2 * n), range(n, 2 * n) if a < n else range(n)) for a in range(2 * n)],
    }[form]
    terms = []
    for anchor, partner, candidates in pairs:
        total = sum(torch.exp(z[anchor] @ z[c] / temperature) for c in candidates)
        terms.append(-torch.log(torch.exp(z[anchor] @ z[partner] / temperature) / total))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("block_size", [None, 1, 4, 100])
@pytest.mark.parametrize("form", ["nt_xent", "info_nce", "clip"])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_equals_the_loops(n, form, block_size, dtype):
    views = [torch.randn(n, 3, dtype=dtype, requires_grad=True) for _ in range(2)]
    loss = 3 * ContrastiveLoss(0.5, form=form, block_size=block_size)(*views)  # 3: the gradient that comes in counts
    expected = 3 * loops(*views, 0.5, form)
    assert loss.item() == pytest.approx(expected.item(), rel=0, abs=TOLERANCE[dtype])
    gradients = torch.autograd.grad(expected, views)
    for ours, theirs in zip(torch.autograd.grad(loss, views), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("block_size", [None, 3])
def test_known_values(block_size):
    # all alike: each of the other 2N − 1 is as likely as the partner
    alike = torch.ones(4, 2)
    assert ContrastiveLoss(block_size=block_size)(alike, alike).item() == pytest.approx(math.log(7))
    # partners alike, all else at right angles, τ = 1: log(1 + 6 e⁻¹)
    apart = torch.eye(4)
    assert ContrastiveLoss(1.0, block_size=block_size)(apart, apart).item() == pytest.approx(math.log(1 + 6 / math.e))


@pytest.mark.parametrize("block_size", [None, 3])
def test_small_temperatures_and_half_precision_stay_finite(block_size):
    loss = ContrastiveLoss(1e-3, block_size=block_size)
    views = [torch.randn(5, 4).bfloat16().requires_grad_() for _ in range(2)]
    value = loss(*views)
    value.backward()
    assert value.dtype == torch.float32 and torch.isfinite(value)
    assert all(torch.isfinite(view.grad).all() for view in views)


@pytest.mark.parametrize("block_size", [None, 3])
def test_learned_temperature(block_size):
    loss = ContrastiveLoss(0.2, learnable=True, form="clip", block_size=block_size).double()
    views = [torch.randn(6, 3, dtype=torch.float64) for _ in range(2)]
    loss(*views).backward()
    assert loss.temperature.item() == pytest.approx(0.2)
    scale, step = 1 / loss.temperature.item(), 1e-5
    up, down = (ContrastiveLoss(1 / (scale * math.exp(s)), form="clip")(*views) for s in (step, -step))
    assert loss.log_scale.grad.item() == pytest.approx((up - down).item() / (2 * step), rel=1e-6)
    loss.log_scale.data.fill_(10.0)  # an optimizer went too far: scores are never multiplied by more than 100
    loss(*views)
    assert loss.temperature.item() == pytest.approx(0.01)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"\(N, D\)"):
        ContrastiveLoss()(torch.zeros(3, 2), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="N at least 1"):
        ContrastiveLoss()(torch.zeros(0, 2), torch.zeros(0, 2))
    with pytest.raises(ValueError, match="temperature"):
        ContrastiveLoss(0.0)
    with pytest.raises(ValueError, match="'clip'"):
        ContrastiveLoss(form="simclr")
