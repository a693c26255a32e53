"""The paper's own claims: what holds for any Hamiltonian field, for the exact system, and for its data."""

import math

import pytest
import torch

from hamiltonian_nn.data import PaperDataModule, Spring
from hamiltonian_nn.loss import PaperLoss
from hamiltonian_nn.metrics import EnergyError
from hamiltonian_nn.model import Baseline, PaperModel

SPRING = Spring(k=2.0, m=0.5)
DATA = {"spring": SPRING, "trajectories": 25, "observations": 30, "duration": 3.0, "radius": (0.1, 1.0)}
DATA |= {"energy": None, "noise_std": 0.0, "seed": 0, "steps_per_epoch": 100}
ENERGY = {"spring": SPRING, "starts": 15, "span": 0.8, "gap": 0.2, "groups": 5}
ENERGY |= {"duration": 20.0, "points": 100, "stretch": 1.09, "tolerance": 1e-9, "seed": 0}


class Exact(torch.nn.Module):
    """The system's own Hamiltonian, where the HNN has its MLP."""

    def forward(self, x):
        return SPRING.energy(x)[..., None]


@pytest.fixture
def hnn():
    torch.manual_seed(0)
    return PaperModel(hidden=200, layers=3).double()


@pytest.fixture
def exact(hnn):
    hnn.hamiltonian = Exact()
    return hnn


def data(**settings):
    module = PaperDataModule(**DATA | settings)
    module.setup()
    return module


def divergence(model):
    x = torch.randn(64, 2, dtype=torch.float64, requires_grad=True)
    dq_dt, dp_dt = model(x).sum(0)
    return torch.autograd.grad(dq_dt, x, retain_graph=True)[0][:, 0] + torch.autograd.grad(dp_dt, x)[0][:, 1]


def test_field_has_no_divergence_whatever_the_weights(hnn):
    """Section 2: a field of the form (∂H/∂p, -∂H/∂q) preserves volume; the baseline's need not."""
    assert divergence(hnn).abs().max() < 1e-12
    assert divergence(Baseline(hidden=200, layers=3).double()).abs().max() > 1e-3


def test_flow_conserves_the_learned_hamiltonian(hnn):
    """Section 2: moving along the field leaves H unchanged, even that of an untrained network."""
    H = hnn.hamiltonian(EnergyError(**ENERGY).rollout(hnn))  # (T, S, 1)
    assert H[0].std() > 1e-3
    assert (H - H[0]).abs().max() < 1e-6


@pytest.mark.parametrize("grad", [True, False])
def test_field_is_the_same_where_gradients_are_off(hnn, grad):
    x = torch.randn(8, 2, dtype=torch.float64)
    expected = hnn(x).detach()
    with torch.set_grad_enabled(grad):
        field = hnn(x)
    assert field.requires_grad is grad and not x.requires_grad
    torch.testing.assert_close(field.detach(), expected)


@pytest.mark.parametrize("spring", [SPRING, Spring(k=1.0, m=1.0), Spring(k=3.0, m=2.0)])
def test_flow_solves_the_equations_of_motion(spring):
    """Section 3, Task 1: d/dt of the exact flow is the field, and H is constant along it."""
    start, t = torch.randn(5, 2, dtype=torch.float64), torch.linspace(0, 3, 7, dtype=torch.float64)
    x, dx_dt = torch.autograd.functional.jvp(lambda t: spring.flow(start, t), t, torch.ones_like(t))
    torch.testing.assert_close(x[:, 0], start)
    torch.testing.assert_close(dx_dt, spring.field(x))
    torch.testing.assert_close(spring.energy(x), spring.energy(start)[:, None].expand(5, 7))


def test_data_lie_on_circles():
    """Section 3, Task 1: 25 trajectories of 30 observations each; with H = q² + p² they are circles."""
    x, dx_dt = data().train
    assert x.shape == dx_dt.shape == (25 * 30, 2)
    radius = x.view(25, 30, 2).norm(dim=-1)
    assert (radius.std(dim=1) < 1e-6).all()
    assert 0.1 <= radius.min() and radius.max() <= 1.0 and radius[:, 0].std() > 0.1
    assert len(radius[:, 0].unique()) == 25
    torch.testing.assert_close(dx_dt, SPRING.field(x))


def test_starts_are_uniform():
    """Radius uniform in [0.1, 1]; or Section 3, Task 1, literally: k = m = 1 and the energy uniform in [0.2, 1]."""
    radius = data(trajectories=2000).train[0].norm(dim=-1)
    assert radius.mean().item() == pytest.approx(0.55, abs=0.02)
    text = Spring(k=1.0, m=1.0)
    energy = text.energy(data(trajectories=2000, spring=text, radius=None, energy=(0.2, 1.0)).train[0])
    assert 0.2 - 1e-6 <= energy.min() and energy.max() <= 1 + 1e-6
    assert energy.mean().item() == pytest.approx(0.6, abs=0.02)


def test_splits_differ_and_the_seed_decides():
    module, again, other = data(noise_std=0.1), data(noise_std=0.1), data(noise_std=0.1, seed=1)
    assert torch.equal(module.train[0], again.train[0])
    assert not torch.isclose(module.train[0], module.test[0]).all(dim=1).any()
    assert not torch.isclose(module.train[0], other.train[0]).all(dim=1).any()


def test_exact_hamiltonian_has_no_loss_but_that_of_the_noise(exact):
    """Section 2, Table 1: 0 on clean states; with noise on the states alone, E[(2ε)²] = 4σ², 0.04 for each component."""

    def loss(**settings):
        x, dx_dt = data(**settings).test
        return PaperLoss()(exact(x), dx_dt)["loss"].item()

    assert loss() == pytest.approx(0, abs=1e-12)
    assert loss(noise_std=0.1, trajectories=1000) == pytest.approx(0.04, rel=0.03)


def test_energy_error_is_that_of_the_field(exact):
    """Section 3.1, Table 1: 0 for the exact system, and all of the energy squared for one that loses all of it."""
    metric = EnergyError(**ENERGY)
    metric.update(exact)
    assert metric.compute()["energy"] < 1e-12

    class Decay(torch.nn.Module):
        def forward(self, x):
            return -100 * x

    metric.update(Decay())  # all but the first of 100 points are at the origin
    energy = SPRING.energy(torch.from_numpy(metric.start))
    assert metric.compute()["energy"].item() == pytest.approx(0.99 * energy.square().mean().item(), rel=1e-3)


def test_starts_keep_away_from_the_origin():
    metric = EnergyError(**ENERGY | {"starts": 3000})
    assert 0.2 <= abs(metric.start).min() < 0.21 and 0.99 < abs(metric.start).max() <= 1.0
    assert metric.t[-1] == pytest.approx(21.8)


def test_error_is_averaged_over_groups(exact):
    metric = EnergyError(**ENERGY)
    metric.update(exact)
    metric.errors = torch.arange(15.0)  # means of the five groups of three: 1, 4, 7, 10, 13
    assert metric.compute()["energy"] == 7
    assert metric.compute()["energy_stderr"].item() == pytest.approx(math.sqrt(22.5 / 5))
