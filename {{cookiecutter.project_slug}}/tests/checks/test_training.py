"""Whether training works and can be repeated, for any procedure, with the configuration of ``experiment=paper``."""

import pytest
import torch
from conftest import EXPERIMENT, QUIET, Draws, Watch, build_procedure, first_batch, fit, same, with_schedule
from lightning import Callback
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from {{ cookiecutter.package_name }}.harness.training.build import build_data, build_trainer

OVERFIT_STEPS = 150
STAGES = 300  # epochs, at most, of which a batch is trained on


class Losses(Callback):
    """The loss of each training step; ends the training once the loss is below this share of the first one."""

    def __init__(self, enough: float):
        self.enough = enough
        self.values: list[float] = []

    @property
    def last(self) -> float:
        return sum(self.values[-5:]) / 5

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        loss = outputs["loss"] if outputs else trainer.callback_metrics.get("train/loss")
        if loss is None:
            pytest.skip("training_step neither returns the loss nor logs train/loss")
        self.values.append(float(loss))
        trainer.should_stop = len(self.values) > 5 and self.last < self.enough * self.values[0]


def without_shifts(names: set[str], with_gradient: set[str]) -> list[str]:
    """The parameters besides biases of layers whose weights learn: a difference of two outputs has none of a shift."""
    shifts = {name for name in names if f"{name.removesuffix('bias')}weight" in with_gradient and name.endswith("bias")}
    return sorted(names - shifts)


def test_every_parameter_gets_a_finite_gradient(cfg, trained, needs_gradients):
    """In five steps, or in a batch of each epoch, for a procedure that trains some parts only later."""
    watch, procedure = trained[1], trained[0].lightning_module
    names = {name for name, p in procedure.named_parameters() if p.requires_grad}
    if names - watch.finite.keys() or without_shifts(names - watch.nonzero, watch.nonzero):
        watch, epochs = Watch(), min(cfg.trainer.max_epochs or STAGES, STAGES)
        few = {"limit_train_batches": cfg.trainer.accumulate_grad_batches, "max_epochs": epochs, "max_steps": -1}
        fit(cfg, epochs, watch, **few)
    unused, infinite = names - watch.finite.keys(), {name for name, finite in watch.finite.items() if not finite}
    assert not unused, f"the loss does not depend on {sorted(unused)}"
    assert not infinite, f"the gradient is not finite for {sorted(infinite)}"
    zero = without_shifts(names - watch.nonzero, watch.nonzero)
    assert not zero, f"the gradient is always zero for {zero}"


def hold_first_batch(data) -> None:
    """Let each training step take the same batch, whatever draws the batches."""
    loaders = data.train_dataloader
    data.train_dataloader = lambda: DataLoader([first_batch(loaders())] * OVERFIT_STEPS, batch_size=None)


def test_one_batch_can_be_overfitted(cfg, needs_gradients, fact):
    """The loss falls to the share of its first value that ``facts.overfit_one_batch`` states: 0.5, or {600: 0.5}."""
    stated = fact("overfit_one_batch")
    ((steps, share),) = (stated if isinstance(stated, dict) else {OVERFIT_STEPS: stated}).items()
    losses, data = Losses(enough=share), build_data(cfg)
    hold_first_batch(data)
    fit(with_schedule(cfg, "constant"), int(steps), losses, data=data)
    first, last = losses.values[0], losses.last
    assert last < share * first, (
        f"in {steps} steps the loss of one batch went from {first:.3g} to {last:.3g}, not to {share} of it as "
        "facts.overfit_one_batch states. If it falls later, jumps (python train.py debug=overfit), may be negative or ends far "
        "above 0, as with soft labels or noisy targets, state that, or null"
    )


def test_what_is_learned_holds_on_validation(cfg, needs_validation, fact):
    """After ``facts.learns_within_steps`` steps, val/loss is lower: inputs and targets belong together."""
    steps = fact("learns_within_steps")
    before, after = validation_loss(cfg, 0), validation_loss(cfg, steps)
    assert after < 0.9 * before, (
        f"in {steps} steps (facts.learns_within_steps) val/loss fell only from {before:.3g} to {after:.3g}. Does it fall "
        "later, or end far above 0, as with soft labels? If not, inputs and targets may not belong together, or (B, 1) "
        "minus (B,) makes (B, B)"
    )


def validation_loss(cfg, steps: int) -> float:
    """``val/loss`` after some steps with a constant learning rate: a warm-up may be longer."""
    cfg = with_schedule(cfg, "constant")
    procedure = fit(cfg, steps).lightning_module if steps else build_procedure(cfg)
    logged, *_ = build_trainer(cfg, limit_val_batches=20, **QUIET).validate(procedure, build_data(cfg), verbose=False)
    return logged["val/loss"]  # the same for each loader


def test_same_seed_same_weights(cfg, trained):
    one, again = (trainer.lightning_module.state_dict() for trainer in (trained[0], fit(cfg, 5)))
    assert same(one, again), "the same seed trains other weights"


def test_another_seed_draws_other_weights(cfg, compose):
    with Draws() as draws:
        build_procedure(cfg)
    if not draws.found:
        pytest.skip("no initial weight is drawn at random")
    one, other = (build_procedure(c).state_dict() for c in (cfg, compose(f"experiment={EXPERIMENT}", "seed=1")))
    assert not same(one, other), "the seed does not change the initial weights"


def test_pretrained_weights_are_loaded(cfg, fact):
    """Those of the modules that ``facts.pretrained`` names, such as [model.backbone], whatever is drawn at random."""
    redrawn = cfg.copy()
    OmegaConf.resolve(redrawn)  # a file of weights for each seed, such as teacher-seed${seed}.pt, stays the same
    redrawn.seed = cfg.seed + 1
    for part in fact("pretrained"):
        one, other = (build_procedure(c).get_submodule(part).state_dict() for c in (cfg, redrawn))
        loaded = same(one, other)
        assert loaded, f"weights of {part} are drawn at random: not loaded, or passed over by strict=False"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_trains_on_a_gpu(cfg):
    trainer = fit(cfg, 2, accelerator="gpu")
    assert all(p.device.type == "cuda" for p in trainer.lightning_module.parameters())
