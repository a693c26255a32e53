"""What this paper's parts must do, known before any training.

TODO(paper): the paper's own claims: its formulas, bounds and known solutions, each named as in ``Equation (3)``.
"""

import math

import hydra
import pytest
import torch
from conftest import fit
from lightning import Callback
from omegaconf import OmegaConf

from {{ cookiecutter.package_name }}.harness.identity import ROOT
from {{ cookiecutter.package_name }}.harness.training.build import build_procedure, build_trainer
from {{ cookiecutter.package_name }}.loss import PaperLoss
from {{ cookiecutter.package_name }}.metrics import SampleQuality, mmd2
from {{ cookiecutter.package_name }}.model import TimeEmbedding
from {{ cookiecutter.package_name }}.procedure import Diffusion, cosine_betas, linear_betas, normal_like, write_grid

MODELS = sorted((ROOT / "configs/model").glob("*.yaml"))
STEPS = 100
SCHEDULES = {"linear": linear_betas(STEPS).double(), "cosine": cosine_betas(STEPS).double()}


@pytest.fixture(params=SCHEDULES)
def diffusion(request):
    torch.manual_seed(0)
    return Diffusion(SCHEDULES[request.param])


def exact(diffusion, mean, std):
    """The noise that a perfect network predicts where the data are normal: E[noise | x_t], both being normal."""

    def network(x_t, t):
        signal, noise = (
            values[t].view(-1, 1) for values in (diffusion.sqrt_alpha_bar, diffusion.sqrt_one_minus_alpha_bar)
        )
        return noise * (x_t - signal * mean) / (signal**2 * std**2 + noise**2)

    return network


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_model_shapes(path, batch_size):
    model = hydra.utils.instantiate(OmegaConf.load(path)).eval()
    x_t, t = torch.randn(batch_size, 1, 8, 8), torch.randint(1, 1000, (batch_size,))
    predicted = model(x_t, t)
    assert predicted.shape == x_t.shape
    assert not torch.allclose(model(x_t, t // 2), predicted), "the network does not see the time"


@pytest.mark.parametrize("size", [5, 6, 16])
def test_unet_takes_other_sizes(cfg, size):
    x_t = torch.randn(2, cfg.model.in_channels, size, size)
    assert build_procedure(cfg).model(x_t, torch.tensor([1, 9])).shape == x_t.shape


def test_loss_is_mean_squared_error():
    """Ho et al. 2020, Equation (14)."""
    assert PaperLoss()(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 3.0]]))["loss"] == 4.5


def test_loss_at_initialisation(cfg, data):
    """An untrained network knows nothing of the noise, whose variance is 1: its loss is that and its own square."""
    procedure = build_procedure(cfg).eval()
    images = data.train[:][0]
    t = torch.randint(1, procedure.diffusion.steps + 1, (len(images),))
    loss = procedure.step((images,), procedure.val_metrics)["loss"]
    own_square = procedure.model(images, t).square().mean()
    assert loss.item() == pytest.approx(1 + own_square.item(), rel=0.15)


def test_each_sample_is_trained_at_a_time_of_its_own(cfg):
    """Ho et al. 2020, Algorithm 1: t is uniform on 1 … T."""
    procedure, seen = build_procedure(cfg), []
    procedure.diffusion = Diffusion(torch.full((4,), 0.5))
    procedure.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    procedure.step((torch.zeros(400, 1, 8, 8),), procedure.train_metrics)
    assert (torch.bincount(seen[0], minlength=5) / 400).tolist() == pytest.approx([0, *4 * [1 / 4]], abs=0.1)


def test_frequencies_of_the_time():
    """Those of Vaswani et al. 2017, Section 3.5, as in Ho et al. 2020: from 1 towards 1 / 10,000."""
    expected = [10_000 ** (-i / 4) for i in range(4)]
    assert TimeEmbedding(8).frequencies.tolist() == pytest.approx(expected)


def test_data_are_in_the_range_that_samples_are_clipped_to(data):
    """The reference is of the training images."""
    data.setup("test")
    for split in (data.train, data.val, data.test):
        assert split[:][0].min() == -1 and split[:][0].max() == 1
    training = {image.numpy().tobytes() for image in data.train[:][0]}
    assert all(image.numpy().tobytes() in training for image in data.test[:][1])


def test_betas():
    """Ho et al. 2020, Section 4: 1e-4 to 0.02 in 1,000 steps; Nichol & Dhariwal 2021, Equation (17)."""
    linear, cosine = linear_betas(1000), cosine_betas(1000)
    assert linear[[0, -1]].tolist() == pytest.approx([1e-4, 0.02]) and linear.diff().std() < 1e-7
    alpha_bar = (1 - cosine.double()).cumprod(0)
    f = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 1, 500, 900)]
    assert alpha_bar[[0, 499, 899]].tolist() == pytest.approx([value / f[0] for value in f[1:]], rel=1e-4)
    assert cosine.max().item() == pytest.approx(0.999)
    for betas in (linear_betas, cosine_betas):  # however many steps, hardly anything of the image is left at the end
        assert all(Diffusion(betas(steps)).sqrt_alpha_bar[-1] < 0.01 for steps in (100, 1000, 4000))
    with pytest.raises(ValueError, match="in \\(0, 1\\)"):
        Diffusion(torch.tensor([0.1, 1.0]))


def test_alpha_bar_is_the_product(diffusion):
    """Ho et al. 2020, Equation (4): ᾱ_t is the product of 1 - β_s over s ≤ t, and ᾱ_0 = 1."""
    beta = diffusion.beta.tolist()
    products = [math.prod(1 - b for b in beta[1 : t + 1]) for t in range(diffusion.steps + 1)]
    assert (diffusion.sqrt_alpha_bar**2).tolist() == pytest.approx(products)
    assert (diffusion.sqrt_one_minus_alpha_bar**2).tolist() == pytest.approx([1 - p for p in products], abs=1e-12)


def test_all_steps_at_once_are_single_steps(diffusion):
    """Ho et al. 2020, Equation (4) against Equation (2): x_t = √(1 - β_t) x_{t-1} + √β_t noise, t times."""
    x_0 = torch.tensor([[-0.8, 0.3]], dtype=torch.float64)
    mean, variance = x_0, torch.zeros(1, dtype=torch.float64)
    for t in range(1, diffusion.steps + 1):
        beta = diffusion.beta[t]
        mean, variance = (1 - beta).sqrt() * mean, (1 - beta) * variance + beta
        at = torch.tensor([t])
        torch.testing.assert_close(diffusion.q_sample(x_0, at, torch.zeros_like(x_0)), mean)
        torch.testing.assert_close(diffusion.q_sample(0 * x_0, at, torch.ones_like(x_0)) ** 2, variance.expand(1, 2))


def test_each_sample_has_its_own_time(diffusion):
    x_0, noise = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64)
    t = torch.tensor([1, 50, STEPS])
    x_t = diffusion.q_sample(x_0, t, noise)
    for i in range(3):
        torch.testing.assert_close(x_t[i : i + 1], diffusion.q_sample(x_0[i : i + 1], t[i : i + 1], noise[i : i + 1]))
    torch.testing.assert_close(diffusion.predict_x_0(x_t, t, noise), x_0)


def test_posterior_is_that_of_bayes(diffusion):
    """Ho et al. 2020, Equations (6) and (7): precisions of two Gaussians add, and so do means weighted by them."""
    x_0, x_t = torch.randn(2, 5, 4, dtype=torch.float64)
    for t in (2, 3, 50, STEPS):
        mean, variance = diffusion.posterior(x_0, x_t, torch.full((5,), t))
        alpha, before = 1 - diffusion.beta[t], (1 - diffusion.beta[1:t]).prod()
        # prior of x_{t-1} given x_0: N(√ᾱ_{t-1} x_0, 1 - ᾱ_{t-1}); likelihood: x_t ~ N(√α_t x_{t-1}, β_t)
        precision = 1 / (1 - before) + alpha / diffusion.beta[t]
        weighted = before.sqrt() * x_0 / (1 - before) + alpha.sqrt() * x_t / diffusion.beta[t]
        torch.testing.assert_close(variance, (1 / precision).expand(5, 1))
        torch.testing.assert_close(mean, weighted / precision)
    mean, variance = diffusion.posterior(x_0, x_t, torch.ones(5, dtype=torch.long))
    torch.testing.assert_close(mean, x_0)
    assert not variance.any()


def test_posterior_mean_in_terms_of_the_noise(diffusion):
    """Ho et al. 2020, Equation (11): (x_t - β_t / √(1 - ᾱ_t) · noise) / √α_t."""
    x_t, noise = torch.randn(2, 5, 4, dtype=torch.float64)
    for time in (1, 2, 50, STEPS):
        t = torch.full((5,), time)
        beta, rest = diffusion.beta[time], diffusion.sqrt_one_minus_alpha_bar[time]
        mean, _ = diffusion.posterior(diffusion.predict_x_0(x_t, t, noise), x_t, t)
        torch.testing.assert_close(mean, (x_t - beta / rest * noise) / (1 - beta).sqrt())


def test_ddim_between_neighbours_is_the_posterior_for_eta_1(diffusion):
    """Song et al. 2021 (DDIM), Equations (12) and (16), against Ho et al. 2020, Equation (7)."""
    x_0, x_t = torch.randn(2, 5, 4, dtype=torch.float64)
    for t in (torch.full((5,), time) for time in (1, 2, 50, STEPS)):
        mean, variance = diffusion.posterior(x_0, x_t, t)
        torch.testing.assert_close(diffusion.ddim(x_0, x_t, t, t - 1, 1.0), (mean, variance))
        torch.testing.assert_close(diffusion.ddim(x_0, x_t, t, t - 1, 0.5)[1], variance / 4)  # σ is proportional to η


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_keeps_the_marginals(diffusion, eta):
    """Song et al. 2021 (DDIM), Lemma 1: from x_t ~ q(x_t | x_0), whatever η, comes x_s ~ q(x_s | x_0)."""
    x_0, t, s = torch.full((1, 1), 0.7, dtype=torch.float64), torch.tensor([75]), torch.tensor([30])
    zero, one = torch.zeros_like(x_0), torch.ones_like(x_0)
    mean, variance = diffusion.ddim(x_0, diffusion.q_sample(x_0, t, zero), t, s, eta)
    slope = diffusion.ddim(x_0, diffusion.q_sample(x_0, t, one), t, s, eta)[0] - mean  # of x_s in the noise of x_t
    torch.testing.assert_close(mean, diffusion.q_sample(x_0, s, zero))
    torch.testing.assert_close(slope**2 + variance, diffusion.sqrt_one_minus_alpha_bar[s].view(1, 1) ** 2)
    assert bool(variance > 0) == (eta > 0)


SAMPLERS = {
    "ancestral": {"steps": None},
    "ddim": {"steps": STEPS, "eta": 0.0},
    "ddim with η = 1": {"steps": STEPS, "eta": 1.0},
}


@pytest.mark.parametrize("settings", SAMPLERS.values(), ids=SAMPLERS)
def test_exact_noise_gives_the_data_of_a_point(diffusion, settings):
    """Where all data are one point, each sampler ends there: ancestral as in Ho et al. 2020, Algorithm 2."""
    point = torch.tensor([[-0.5, 0.9]], dtype=torch.float64)
    x = diffusion.sample(exact(diffusion, point, 0.0), torch.randn(8, 2, dtype=torch.float64), **settings)
    torch.testing.assert_close(x, point.expand(8, 2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("settings", SAMPLERS.values(), ids=SAMPLERS)
def test_exact_noise_gives_the_data_of_a_gaussian(diffusion, settings):
    """Where the data are normal, so are the samples, with their mean and variance."""
    mean, std = torch.tensor([0.3, -1.0], dtype=torch.float64), torch.tensor([0.5, 2.0], dtype=torch.float64)
    x_T = torch.randn(5_000, 2, dtype=torch.float64)
    x = diffusion.sample(exact(diffusion, mean, std), x_T, clip=False, **settings)
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=0.1)
    torch.testing.assert_close(x.std(0), std, rtol=0.1, atol=0)
    assert abs(torch.corrcoef(x.T)[0, 1]) < 0.05
    clipped = diffusion.sample(exact(diffusion, mean, std), x_T, **settings)
    assert clipped.abs().max() < 1 + 1e-9 < x.abs().max()


def test_ddim_without_eta_is_a_function_of_the_noise(diffusion):
    """And of nothing else, with any number of steps; with η it draws, from the generator it is given."""
    network, x_T = exact(diffusion, 0.2, 0.4), torch.randn(4, 3, dtype=torch.float64)

    def sample(seed, **settings):
        return diffusion.sample(network, x_T, generator=torch.Generator().manual_seed(seed), **settings)

    for steps in (1, 7, STEPS):
        assert torch.equal(sample(0, steps=steps), sample(1, steps=steps))
    for settings in ({"steps": None}, {"steps": 7, "eta": 1.0}):
        assert torch.equal(sample(0, **settings), sample(0, **settings))
        assert not torch.isclose(sample(0, **settings), sample(1, **settings)).any()


def test_sampler_visits_the_times(diffusion):
    """From T down to 1: all of them, or as many as were asked for at about equal distances."""
    seen = []

    def network(x_t, t):
        seen.append(t.unique().item())
        return x_t

    x_T = torch.randn(2, 1, dtype=torch.float64)
    diffusion.sample(network, x_T)
    assert seen == list(range(STEPS, 0, -1))
    seen.clear()
    diffusion.sample(network, x_T, steps=5)
    assert seen[0] == STEPS and seen[-1] == 1 and len(seen) == 5
    assert all(abs(a - b - (STEPS - 1) / 4) <= 1 for a, b in zip(seen, seen[1:], strict=False))


class Steps(Callback):
    """The weights of a layer after each optimizer step."""

    def __init__(self):
        self.weights = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step > len(self.weights):
            self.weights.append(next(pl_module.model.parameters()).detach().clone())


@pytest.mark.parametrize("accumulated", [1, 2])
def test_average_is_the_closed_form(cfg, accumulated):
    """After k optimizer steps: d^(k-1) θ_1 + (1 - d) Σ_i d^(k-i) θ_i over i = 2 … k; it starts at θ_1."""
    cfg.procedure.ema_decay = d = 0.7
    steps = Steps()
    procedure = fit(cfg, 5, steps, accumulate_grad_batches=accumulated).lightning_module
    first, *others = steps.weights
    assert len(others) == 4
    expected = d**4 * first + sum((1 - d) * d ** (3 - i) * weights for i, weights in enumerate(others))
    torch.testing.assert_close(next(procedure.average.parameters()), expected)
    assert not torch.equal(next(procedure.average.parameters()), others[-1])


def test_what_is_measured_is_the_average(cfg):
    """In validation and test the network is the average, in training it is not."""
    procedure = fit(cfg, 5).lightning_module
    x_0 = torch.zeros(16, 1, 8, 8)

    def loss(network):
        torch.manual_seed(0)
        t = torch.randint(1, procedure.diffusion.steps + 1, (16,))
        noise = normal_like(x_0, None)
        return procedure.loss(network(procedure.diffusion.q_sample(x_0, t, noise), t), noise)["loss"].item()

    def step():
        torch.manual_seed(0)
        return procedure.step((x_0,), procedure.val_metrics)["loss"].item()

    assert loss(procedure.average) != loss(procedure.model)
    assert step() == loss(procedure.model if procedure.training else procedure.average)
    procedure.train(not procedure.training)
    assert step() == loss(procedure.model if procedure.training else procedure.average)

    drawn = procedure.sample(x_0, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    x_T = normal_like(x_0, generator)
    expected = procedure.diffusion.sample(procedure.average, x_T, generator=generator, **procedure.sampling)
    assert torch.equal(drawn, expected)


def test_same_weights_same_measurement(cfg, data):
    """However often, in validation as in test, and whatever was drawn before."""
    procedure, trainer = build_procedure(cfg), build_trainer(cfg, enable_progress_bar=False, enable_checkpointing=False)
    settings = {"datamodule": data, "verbose": False}
    assert trainer.validate(procedure, **settings) == trainer.validate(procedure, **settings)
    trainer = build_trainer(cfg, enable_progress_bar=False, enable_checkpointing=False, limit_test_batches=1)
    one, again = trainer.test(procedure, **settings), trainer.test(procedure, **settings)
    assert one == again and one[0].keys() == {"test/loss", "test/mmd2", "test/mmd2_reference"}
    procedure.seed += 1
    other = trainer.test(procedure, **settings)
    assert other[0]["test/mmd2"] != one[0]["test/mmd2"] and other[0]["test/loss"] != one[0]["test/loss"]


def test_metric_is_zero_for_the_same_distribution():
    """The estimate is unbiased: over many pairs of small sets of one distribution, its mean is zero."""
    torch.manual_seed(0)
    estimates = torch.stack([mmd2(*torch.randn(2, 6, 3, dtype=torch.float64), bandwidth=1.0) for _ in range(1000)])
    assert abs(estimates.mean()) < 3 * estimates.std() / math.sqrt(1000)
    assert (estimates < 0).double().mean() > 0.3


def test_metric_has_the_value_of_two_gaussians():
    """Closed form for N(0, 1) and N(m, 1) with bandwidth h: 2h / √(h² + 2) · (1 - exp(-m² / (2 (h² + 2))))."""
    torch.manual_seed(0)
    m, h = 1.5, 0.8
    x, y = torch.randn(2, 2000, 1, dtype=torch.float64)
    expected = 2 * h / math.sqrt(h**2 + 2) * (1 - math.exp(-(m**2) / (2 * (h**2 + 2))))
    assert mmd2(x, y + m, h).item() == pytest.approx(expected, rel=0.1)


def test_kernel_is_chosen_by_the_training_images():
    """As wide as the median distance of one to its nearest neighbour, whatever is held out."""
    torch.manual_seed(0)
    samples, images, reference = torch.randn(3, 20, 4) * torch.tensor([1.0, 3.0, 2.0]).view(3, 1, 1)
    metric = SampleQuality()
    metric.update(samples, images, reference)
    nearest = [min((a - b).norm() for b in reference if not torch.equal(a, b)) for a in reference]
    expected = mmd2(samples, images, torch.stack(nearest).median())
    assert metric.compute()["mmd2"].item() == pytest.approx(expected.item(), abs=1e-6)


def test_metric_tells_digits_from_what_is_like_them(data):
    """Training images are at the reference, far from it are others of the same mean and covariance, and noise."""
    data.setup("test")
    torch.manual_seed(0)
    images, reference = data.test[:]
    every = data.train[:][0].flatten(1)
    like = torch.distributions.MultivariateNormal(every.mean(0), every.T.cov() + 1e-4 * torch.eye(64)).sample((360,))

    def measure(samples):
        metric = SampleQuality()
        for i in range(0, 360, 100):  # batch by batch, as in a test
            metric.update(samples[i : i + 100], images[i : i + 100], reference[i : i + 100])
        return {name: value.item() for name, value in metric.compute().items()}

    real = measure(data.train[360:720][0])
    assert abs(real["mmd2"]) < 0.0015 and abs(real["mmd2_reference"]) < 0.0015
    assert measure(like.view_as(images))["mmd2"] > 0.004
    assert measure(torch.randn_like(images).clamp(-1, 1))["mmd2"] > 0.02
    assert measure(reference)["mmd2"] == real["mmd2_reference"]


def test_grid_is_a_picture(tmp_path):
    from matplotlib.image import imread

    images = torch.full((6, 1, 8, 8), -1.0)
    images[4, :, 0] = 1.0  # the upper edge of the image in the second row and second column
    write_grid(images, tmp_path / "samples/grid.png", columns=3, zoom=2)
    picture = imread(tmp_path / "samples/grid.png")[..., :3]
    assert picture.shape[:2] == (2 * 10 * 2, 3 * 10 * 2)
    assert (picture[22:24, 22:38] == 1).all() and (picture[24:38, 22:38] == 0).all()
    assert (picture[2:18, 2:18] == 0).all() and (picture[18:22] == picture[18, 0]).all()


def test_each_epoch_leaves_a_picture(cfg, tmp_path):
    pictures = hydra.utils.instantiate(cfg.callbacks.pictures)
    fit(cfg, -1, pictures, max_epochs=2, limit_train_batches=1, limit_val_batches=1)
    assert [path.name for path in sorted((tmp_path / "samples").iterdir())] == ["epoch_000.png", "epoch_001.png"]
