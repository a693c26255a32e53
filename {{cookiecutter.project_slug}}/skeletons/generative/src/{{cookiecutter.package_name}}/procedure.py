"""The training procedure: the diffusion process, what is done with a batch, and how samples are drawn."""

import math
from itertools import pairwise
from pathlib import Path

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from matplotlib.image import imsave
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


def linear_betas(steps: int, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """β_t on a straight line, Ho et al. 2020, Section 4, where ``first`` and ``last`` are those of 1,000 steps.

    Other numbers of steps scale them, so that as little of the image is left at the end.

    Shapes:
        returns (T,) float.
    """
    return (torch.linspace(first, last, steps, dtype=torch.float64) * 1000 / steps).float()


def cosine_betas(steps: int, offset: float = 0.008, largest: float = 0.999) -> Tensor:
    """β_t for which ᾱ_t is a squared cosine, Nichol & Dhariwal 2021, Equation (17).

    Shapes:
        returns (T,) float.
    """
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    f = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=largest).float()


class Diffusion(nn.Module):
    """The Markov chain that turns images into noise in T small steps, and its reversal, Ho et al. 2020.

    Times are 1 … T, as in the papers; at time 0 there is the image itself, with ᾱ_0 = 1.

    Args:
        betas: β_1 … β_T, the variance of the noise that each step adds, in (0, 1).

    Shapes:
        betas (T,) float. Of the methods: x_0, x_t, noise (B, …) float, t (B,) long, each sample at a time of its own.

    Raises:
        ValueError: a β is not in (0, 1).
    """

    def __init__(self, betas: Tensor):
        super().__init__()
        if not ((betas > 0) & (betas < 1)).all():
            raise ValueError(f"Each β must be in (0, 1), but they reach from {betas.min():g} to {betas.max():g}")
        self.steps = len(betas)
        beta = F.pad(betas.double(), (1, 0))  # (T,) -> (T + 1,), by time
        alpha_bar = (1 - beta).cumprod(0)
        # Known from the configuration, and so in no checkpoint. 1 - ᾱ_t of the first steps needs double precision.
        for name, values in (
            ("beta", beta),
            ("sqrt_alpha_bar", alpha_bar.sqrt()),
            ("sqrt_one_minus_alpha_bar", (1 - alpha_bar).sqrt()),
        ):
            self.register_buffer(name, values.to(betas), persistent=False)

    def q_sample(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t ~ q(x_t | x_0), all steps at once: Ho et al. 2020, Equation (4)."""
        return _at(self.sqrt_alpha_bar, t, x_0) * x_0 + _at(self.sqrt_one_minus_alpha_bar, t, x_0) * noise

    def predict_x_0(self, x_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The image that this noise would have turned into x_t: Ho et al. 2020, Equation (4), solved for x_0."""
        return (x_t - _at(self.sqrt_one_minus_alpha_bar, t, x_t) * noise) / _at(self.sqrt_alpha_bar, t, x_t)

    def posterior(self, x_0: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of q(x_{t-1} | x_t, x_0): Ho et al. 2020, Equations (6) and (7)."""
        beta = _at(self.beta, t, x_t)
        one_minus_alpha_bar = _at(self.sqrt_one_minus_alpha_bar, t, x_t) ** 2
        one_minus_before = _at(self.sqrt_one_minus_alpha_bar, t - 1, x_t) ** 2
        mean = _at(self.sqrt_alpha_bar, t - 1, x_t) * beta * x_0 + (1 - beta).sqrt() * one_minus_before * x_t
        return mean / one_minus_alpha_bar, beta * one_minus_before / one_minus_alpha_bar

    def ddim(self, x_0: Tensor, x_t: Tensor, t: Tensor, s: Tensor, eta: float) -> tuple[Tensor, Tensor]:
        """Mean and variance of x_s, at any earlier time s: Song et al. 2021 (DDIM), Equations (12) and (16).

        With s = t - 1 and η = 1 they are those of ``posterior``; with η = 0 the variance is zero.
        """
        a_t, a_s = _at(self.sqrt_alpha_bar, t, x_t) ** 2, _at(self.sqrt_alpha_bar, s, x_t) ** 2
        b_t, b_s = (_at(self.sqrt_one_minus_alpha_bar, time, x_t) ** 2 for time in (t, s))
        variance = eta**2 * b_s / b_t * (1 - a_t / a_s)
        noise = (x_t - a_t.sqrt() * x_0) / b_t.sqrt()
        return a_s.sqrt() * x_0 + (b_s - variance).clamp(min=0).sqrt() * noise, variance

    @torch.no_grad()
    def sample(
        self,
        network: nn.Module,
        x_t: Tensor,
        steps: int | None = None,
        eta: float = 0.0,
        clip: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Images from noise: ancestral sampling, Ho et al. 2020, Algorithm 2 with σ_t² = β̃_t, or DDIM.

        Args:
            network: predicts the noise in x_t (B, …) at t (B,).
            x_t: x_T, standard normal.
            steps: of DDIM, at equal distances over 1 … T; None for ancestral sampling, which takes all T.
            eta: η of DDIM, 0 for no noise but x_T.
            clip: whether each prediction of x_0 is brought into [-1, 1], where images are.
            generator: of the noise that is added.

        Shapes:
            x_t (B, …) float; returns x_0 of the same shape.
        """
        times = torch.linspace(self.steps, 1, steps or self.steps).round().long().tolist()
        for time, earlier in pairwise([*times, 0]):
            t, s = (torch.full((len(x_t),), i, device=x_t.device) for i in (time, earlier))  # (B,)
            x_0 = self.predict_x_0(x_t, t, network(x_t, t))
            if clip:
                x_0 = x_0.clamp(-1, 1)
            mean, variance = self.posterior(x_0, x_t, t) if steps is None else self.ddim(x_0, x_t, t, s, eta)
            x_t = mean + variance.sqrt() * normal_like(x_t, generator)
        return x_t


def _at(values: Tensor, t: Tensor, x: Tensor) -> Tensor:
    return values[t].view(-1, *(1,) * (x.ndim - 1))  # (T + 1,), (B,) -> (B, 1, …), as x has dimensions


def normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal noise of the shape, type and device of ``x``."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


class PaperProcedure(Procedure):
    """Predict the noise, Ho et al. 2020, Algorithm 1; measure an exponential moving average of the weights.

    Validation and test draw from a generator of their own, which starts anew each time: only the weights decide the
    result.

    TODO(paper): the paper's procedure, as in Algorithm …, if it is another. A batch may be tensors, a dict or a list.
    Any hook of LightningModule may be overridden: see PROCEDURES.md.

    Args:
        betas: β_1 … β_T of the diffusion, (T,) float.
        ema_decay: share of the average that each optimizer step keeps, in [0, 1).
        sampling_steps, eta, clip: of ``Diffusion.sample``.
        seed: of the generator.
        parts: what every ``Procedure`` has: model, loss, metrics, optimizer, scheduler.
    """

    def __init__(
        self,
        betas: Tensor,
        ema_decay: float,
        sampling_steps: int | None,
        eta: float,
        clip: bool,
        seed: int,
        **parts,
    ):
        super().__init__(**parts)
        self.diffusion = Diffusion(betas)
        # Here and not in Lightning's EMAWeightAveraging: with that, the test after training loads the weights that are
        # not averaged, and evaluate.py those that are
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay)).requires_grad_(False)
        self.sampling = {"steps": sampling_steps, "eta": eta, "clip": clip}
        self.seed = seed
        self.generator: torch.Generator | None = None

    def step(self, batch: tuple[Tensor, ...], metrics: MetricCollection) -> dict[str, Tensor]:
        x_0 = batch[0]
        network, generator = (self.model, None) if self.training else (self.average, self.generator)
        t = torch.randint(1, self.diffusion.steps + 1, (len(x_0),), generator=generator, device=x_0.device)
        noise = normal_like(x_0, generator)
        return self.loss(network(self.diffusion.q_sample(x_0, t, noise), t), noise)

    def optimizer_step(self, *args, **kwargs) -> None:
        super().optimizer_step(*args, **kwargs)
        self.average.update_parameters(self.model)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        super().test_step(batch, batch_idx)
        images, reference = batch
        self.test_metrics.update(self.sample(images, self.generator), images, reference)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """As many samples as there are images, of their shape: (B, C, H, W) -> (B, C, H, W)."""
        return self.diffusion.sample(self.average, normal_like(like, generator), generator=generator, **self.sampling)

    def on_validation_epoch_start(self) -> None:
        self.generator = self.new_generator()

    def on_test_epoch_start(self) -> None:
        self.generator = self.new_generator()

    def new_generator(self) -> torch.Generator:
        """In the state that belongs to the seed, and to this process of several."""
        return torch.Generator(self.device).manual_seed(self.seed + self.global_rank)


class SamplePictures(Callback):
    """A PNG after each validation, ``epoch_<number>.png``: what the model makes of the same noise each time.

    Args:
        dirpath: folder of the pictures.
        count: images in one, a multiple of 8.
    """

    def __init__(self, dirpath: str, count: int = 16):
        self.dirpath, self.count = Path(dirpath), count

    @rank_zero_only
    def on_validation_batch_end(
        self, trainer: L.Trainer, procedure: PaperProcedure, outputs: None, batch: tuple[Tensor, ...], batch_idx: int
    ) -> None:
        if batch_idx == 0 and not trainer.sanity_checking:
            like = batch[0].new_empty(self.count, *batch[0].shape[1:])  # (B, C, H, W) -> (count, C, H, W)
            path = self.dirpath / f"epoch_{trainer.current_epoch:03d}.png"
            write_grid(procedure.sample(like, procedure.new_generator()), path)


def write_grid(images: Tensor, path: Path, columns: int = 8, zoom: int = 4) -> None:
    """Write images side by side to a PNG, ``zoom`` pixels for one.

    Args:
        images: as many as fill whole rows.
        path: the file; its folder is made.

    Shapes:
        images (N, C, H, W) float in [-1, 1], C = 1 or 3.
    """
    images = F.pad((images.clamp(-1, 1) + 1) / 2, (1, 1, 1, 1), value=0.5)  # -> (N, C, H + 2, W + 2), grey between them
    rows = images.unflatten(0, (-1, columns)).permute(0, 3, 1, 4, 2)  # (N, C, H, W) -> (N/K, H, K, W, C)
    grid = rows.flatten(2, 3).flatten(0, 1)  # -> (N/K·H, K·W, C)
    grid = grid.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1).expand(-1, -1, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, grid.float().cpu().numpy())
