"""Does it learn, and does it do so again? Whatever the procedure, through the configuration of ``experiment=paper``."""

import pytest
import torch
from conftest import fit, weights
from lightning import Callback
from omegaconf import OmegaConf

from {{ cookiecutter.package_name }}.harness.identity import ROOT
from {{ cookiecutter.package_name }}.harness.training.build import build_procedure
from {{ cookiecutter.package_name }}.harness.training.callbacks import FiniteLoss

OVERFIT_STEPS = 150


class Gradients(Callback):
    """Which parameters had a gradient, and whether it was finite, over all optimizer steps."""

    def __init__(self):
        self.seen: dict[str, bool] = {}
        self.nonzero: set[str] = set()

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        for name, parameter in pl_module.named_parameters():
            if parameter.grad is not None:
                self.seen[name] = self.seen.get(name, True) and bool(torch.isfinite(parameter.grad).all())
                if parameter.grad.any():
                    self.nonzero.add(name)


class Losses(Callback):
    """The loss of each training step."""

    def __init__(self):
        self.values: list[float] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        loss = outputs["loss"] if outputs else trainer.callback_metrics.get("train/loss")
        if loss is None:
            pytest.skip("training_step neither returns the loss nor logs train/loss")
        self.values.append(float(loss))


def test_every_parameter_gets_a_finite_gradient(cfg):
    gradients = Gradients()
    trainer = fit(cfg, 3, gradients)
    trained = set(weights(trainer.lightning_module))
    assert not (trained - gradients.seen.keys()), "parameters that the loss does not depend on"
    assert not {name for name, finite in gradients.seen.items() if not finite}, "gradients that are not finite"
    assert not (trained - gradients.nonzero), "parameters whose gradient is always zero"


def test_training_changes_every_parameter(cfg):
    """Within a few steps: behind a layer that begins with zeros, the first one changes nothing."""
    before = weights(build_procedure(cfg))
    after = weights(fit(cfg, 3).lightning_module)
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert not still, f"not changed by three optimizer steps: {still}"


def test_one_batch_can_be_overfitted(cfg, fact):
    """To ``facts.overfit_one_batch`` of its loss at first."""
    share = fact("overfit_one_batch")
    cfg.scheduler = OmegaConf.load(ROOT / "configs/scheduler/constant.yaml")  # a warm-up may be longer than this test
    losses = Losses()
    fit(cfg, OVERFIT_STEPS, losses, overfit_batches=1)
    first, last = losses.values[0], sum(losses.values[-5:]) / 5
    assert last < share * first, (
        f"the loss of one batch went from {first:.3g} only to {last:.3g}, more than {share} of it. Where the loss has a "
        "lower bound above that, state facts.overfit_one_batch, or null"
    )


def test_same_seed_same_weights(cfg, compose):
    one, again = weights(fit(cfg, 3).lightning_module), weights(fit(cfg, 3).lightning_module)
    assert all(torch.equal(one[name], again[name]) for name in one)
    other = weights(build_procedure(compose("experiment=paper", "seed=1")))
    initial = weights(build_procedure(cfg))
    assert any(not torch.equal(initial[name], other[name]) for name in initial), "the seed does not reach the weights"


def test_checkpoint_holds_the_model(cfg, tmp_path):
    trainer = fit(cfg, 2)
    trainer.save_checkpoint(tmp_path / "test.ckpt")
    checkpoint = torch.load(tmp_path / "test.ckpt", weights_only=True)  # plain containers and tensors only
    loaded = build_procedure(cfg)
    loaded.load_state_dict(checkpoint["state_dict"])
    batch = trainer.precision_plugin.convert_input(next(iter(trainer.train_dataloader)))
    losses = []
    for procedure in (trainer.lightning_module, loaded):
        procedure.eval()
        torch.manual_seed(0)
        losses.append(procedure.step(batch, procedure.val_metrics)["loss"])
    assert torch.equal(*losses), "the loaded model computes something else"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_trains_on_a_gpu(cfg, tmp_path):
    trainer = fit(cfg, 2, FiniteLoss(str(tmp_path)), accelerator="gpu")
    assert all(p.device.type == "cuda" for p in trainer.lightning_module.parameters())
