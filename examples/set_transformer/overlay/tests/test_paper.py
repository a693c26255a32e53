"""The paper's own claims: what holds of functions of sets, whatever the weights, and of the sets that are drawn."""

import math

import pytest
import torch
import torch.nn.functional as F
from conftest import fit
from torch import nn

from set_transformer.data import TRAIN, PaperDataModule, Sets
from set_transformer.harness.training.build import build_procedure, build_trainer
from set_transformer.loss import PaperLoss
from set_transformer.model import MAB, PMA, SAB, Pooling

SETS = {"batch_size": 128, "largest": 10, "high": 100.0}
VARIANTS = pytest.mark.parametrize("variant", ["paper", "rff", "scale_4", "mean", "sum", "max"])


@pytest.fixture
def X():
    torch.manual_seed(0)
    return torch.rand(7, 5, 1, dtype=torch.float64)


@VARIANTS
def test_output_is_invariant(compose, X, variant):
    """Section 3: the order of the elements does not matter, and each of them does."""
    model = build_procedure(compose(f"model={variant}")).model.double()
    y = model(X)
    assert y.shape == (7,)
    torch.testing.assert_close(model(X[:, torch.randperm(5)]), y)
    X.requires_grad_()
    (gradient,) = torch.autograd.grad(model(100 * X).sum(), X)
    assert (gradient != 0).any(0).all()


def test_sab_is_equivariant(X):
    """Section 3: SAB(X) = MAB(X, X) of a set in another order is in that order, and knows all of the set."""
    sab, order = SAB(1, 64, 4, 8.0).double(), torch.randperm(5)
    torch.testing.assert_close(sab(X[:, order]), sab(X)[:, order])
    other = X.clone()
    other[:, 0] += 1
    assert (sab(other) - sab(X)).abs().amax(2)[:, 1:].min() > 0


@pytest.mark.parametrize("scale", [8.0, 4.0])
def test_mab_is_its_formula(X, scale):
    """Section 3: H + rFF(H), H = X + Multihead(X, Y, Y), in loops over sets, elements and heads."""
    mab, Y = MAB(1, 3, 8, 4, scale).double(), torch.randn(7, 6, 3, dtype=torch.float64)
    Q, K, V = mab.query(X), mab.key(Y), mab.value(Y)
    H = Q.clone()
    for b in range(7):
        for n in range(5):
            for head in (slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)):
                scores = [math.exp((Q[b, n, head] @ K[b, m, head]).item() / scale) for m in range(6)]
                H[b, n, head] += sum(scores[m] / sum(scores) * V[b, m, head] for m in range(6))
    torch.testing.assert_close(mab(X, Y), H + mab.rff(H))
    assert (mab.rff(H) >= 0).all(), "rFF ends with ReLU"


def test_pma_pools_to_its_seeds():
    """Section 3: PMA_k(Z) = MAB(S, rFF(Z)), k vectors for a set of any size; in the official code MAB(S, Z)."""
    Z = torch.randn(2, 9, 8)
    for rff in (False, True):
        pma = PMA(3, 8, 4, 8.0, rff)
        inner = F.linear(Z, *pma.rff[0].parameters()).clamp(min=0) if rff else Z
        torch.testing.assert_close(pma(Z), pma.mab(torch.cat([pma.S, pma.S]), inner))
    assert pma(Z).shape == pma(Z[:, :1]).shape == (2, 3, 8) and pma.S.requires_grad


def linears(module):
    return [(part.in_features, part.out_features) for part in module.modules() if isinstance(part, nn.Linear)]


def test_layers_are_those_of_the_table(cfg):
    """Supplement, Table 1: all of D = 64 features, rFF with three ReLU and none behind the last layer."""
    assert linears(build_procedure(cfg).model) == [(1, 64)] * 3 + [(64, 64)] * (1 + 4 + 4) + [(64, 1)]
    pooling = Pooling(64, "max")
    assert linears(pooling) == [(1, 64), (64, 64), (64, 64), (64, 64), (64, 64), (64, 1)]
    layers = [type(part).__name__[0] for part in [*pooling.encoder, *pooling.decoder]]
    assert layers == list("LRLRLRL" + "LRL")


@pytest.mark.parametrize(("pool", "expected"), [("max", 9.0), ("mean", 4.0), ("sum", 12.0)])
def test_pooling_by_hand(pool, expected):
    """Table 1: with layers that pass an element on as it is, the network is its pooling; so max is exact."""
    model = Pooling(1, pool)
    for weight in model.parameters():
        nn.init.constant_(weight, float(weight.dim() == 2))
    assert model(torch.tensor([[[1.0], [9.0], [2.0]]])).item() == expected


def test_sets_are_as_stated():
    """Supplement, Section 2.1: n uniform in {1, …, 10}, elements uniform in [0, 100], and E max = 100 · n / (n + 1)."""
    by_size = {n: [] for n in range(1, 11)}
    for X, y in map(Sets(2000, (TRAIN, 0), **SETS).__getitem__, range(2000)):
        assert X.shape[0] == 128 and X.shape[2] == 1
        assert torch.equal(y, torch.tensor([max(x) for x in X[..., 0].tolist()]))
        by_size[X.shape[1]].append((X, y))
    for n, drawn in by_size.items():
        assert len(drawn) == pytest.approx(200, abs=5 * math.sqrt(180))  # five standard deviations
        X, y = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        assert 0 <= X.min() < 1 and 99 < X.max() <= 100
        assert X.mean().item() == pytest.approx(50, abs=1) and X.std().item() == pytest.approx(100 / 12**0.5, abs=1)
        assert y.mean().item() == pytest.approx(100 * n / (n + 1), abs=1)


def test_each_step_has_sets_of_its_own(cfg, data):
    """Supplement, Section 2.1: no set is seen twice, nor by another seed, nor in the test, which all seeds share."""
    assert len(data.train) == cfg.trainer.max_steps == 20_000
    other = PaperDataModule(steps=50, test_batches=50, seed=1, **SETS)
    drawn = [part[i][0] for part in (data.train, data.test, other.train) for i in range(50)]
    elements = torch.cat([X.flatten() for X in drawn])
    assert len(elements.unique()) > 0.99 * len(elements), "but for a few that float32 cannot tell apart"
    assert all(torch.equal(data.test[i][0], other.test[i][0]) for i in range(50))
    assert [X.shape[1] for X in drawn[50:60]] == list(range(1, 11)), "all sizes in turn, so that none counts more"


def test_the_error_is_that_of_the_last_steps(compose, data):
    """Of the last ``window`` steps of training, each before its step; what is tested does not count."""
    cfg = compose("experiment=max", "procedure.window=4")
    trainer = fit(cfg, 6, data=data)
    weights = build_procedure(cfg)
    before = [weights.step(data.train[0], None)["loss"].item()]  # in training mode, at step 0
    assert trainer.lightning_module.errors.shape == (4,) and weights.errors[0].item() == before[0]
    kept = trainer.lightning_module.errors.clone()
    told = build_trainer(cfg, enable_progress_bar=False, limit_test_batches=2).test(
        trainer.lightning_module, data, verbose=False
    )[0]
    assert torch.equal(trainer.lightning_module.errors, kept)
    assert told["test/error"] == pytest.approx(kept.mean().item()) and told["test/loss"] != told["test/error"]
    one = fit(compose("experiment=max", "procedure.window=4"), 1, data=data).lightning_module.errors
    assert one[0].item() == pytest.approx(before[0]) and one[1:].isnan().all()


def test_loss_is_the_mean_absolute_error():
    """Section 5.1, Table 1."""
    assert PaperLoss()(torch.tensor([1.0, -2.0]), torch.tensor([3.0, -3.0]))["loss"].item() == 1.5
