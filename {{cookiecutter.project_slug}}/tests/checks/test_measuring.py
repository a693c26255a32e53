"""Whether the weights that are measured are those that were trained, in every module that validation calls."""

import contextlib

import lightning as L
import pytest
import torch
from conftest import QUIET, Enough, copy_of, fit
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_pre_hook

from {{ cookiecutter.package_name }}.harness.training import build


class Called(L.Callback):
    """Notes the modules that the first batch of validation or test passes through, and which are in training mode."""

    def __init__(self):
        self.modules: dict[nn.Module, bool] = {}

    def note(self, module: nn.Module, inputs) -> None:
        self.modules.setdefault(module, module.training)

    def on_validation_batch_start(self, *_):
        self.hook = register_module_forward_pre_hook(self.note)

    def on_validation_batch_end(self, *_):
        raise Enough

    def on_exception(self, *_):
        self.hook.remove()

    on_test_batch_start, on_test_batch_end = on_validation_batch_start, on_validation_batch_end

    def outermost(self) -> list[nn.Module]:
        inner = {part for module in self.modules for part in module.modules() if part is not module}
        return [module for module in self.modules if module not in inner]

    def weights(self) -> dict[tuple, list[Tensor]]:
        """The parameters of each outermost module; modules of the same shapes have one key."""
        found: dict[tuple, list[Tensor]] = {}
        for module in self.outermost():
            if parameters := [p.detach() for p in module.parameters() if not p.is_meta]:
                flat = torch.cat([p.flatten() for p in parameters])
                found.setdefault(tuple(p.shape for p in parameters), []).append(flat)
        return found


def called(cfg, data, trained: L.LightningModule, split: str) -> tuple[L.LightningModule, Called]:
    """A copy of the trained procedure, and what the first batch of a split calls of it."""
    procedure, watch = copy_of(cfg, trained), Called()
    trainer = build.build_trainer(cfg, [watch], **QUIET)
    with contextlib.suppress(Enough):
        (trainer.validate if split == "val" else trainer.test)(procedure, data, verbose=False)
    return procedure, watch


@pytest.fixture
def validation(cfg, data, needs_evaluation_data, trained) -> tuple[L.LightningModule, Called]:
    return called(cfg, data, trained[0].lightning_module, "val")


def names(procedure: L.LightningModule, modules) -> str:
    known = {module: name for name, module in procedure.named_modules()}
    return ", ".join(known.get(module, type(module).__name__) for module in modules)


def test_statistics_go_with_their_weights(validation):
    """No batch norm has trained weights but initial running statistics, as in an average that skips the buffers."""
    procedure, watch = validation
    norms = [m for m in watch.modules if isinstance(m, _BatchNorm) and m.affine and m.running_mean is not None]
    fresh = names(procedure, [m for m in norms if not m.running_mean.any() and max(m.weight.std(), m.bias.std()) > 0])
    moved = [name for name, value in procedure.state_dict().items() if name.endswith("running_mean") and value.any()]
    assert not fresh or not moved, (
        f"validation calls {fresh}: its weights are trained, and its running statistics are not. Let the buffers of an average "
        "follow, too: torch.optim.swa_utils.AveragedModel(model, use_buffers=True)"
    )


def test_every_measured_module_is_in_evaluation_mode(validation, facts):
    procedure, watch = validation
    if facts["stochastic_inference"]:
        pytest.skip("facts.stochastic_inference is true")
    has_mode = lambda m: isinstance(m, _BatchNorm) or (isinstance(m, _DropoutNd) and m.p > 0)  # noqa: E731
    wrong = names(procedure, [m for m, training in watch.modules.items() if training and has_mode(m)])
    assert not wrong, (
        f"validation calls {wrong} in training mode. Lightning's eval() reaches attributes of PaperProcedure; put what lies in a "
        "list or dict into nn.ModuleList or nn.ModuleDict"
    )


def test_training_goes_on_in_training_mode(cfg, needs_validation):
    """After an epoch and a validation, too."""
    modes = []

    class Modes(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            modes.append(any(module.training for module in pl_module.model.modules()))

    few = {"limit_train_batches": cfg.trainer.accumulate_grad_batches, "limit_val_batches": 1}
    fit(cfg, 2, Modes(), check_val_every_n_epoch=1, max_epochs=2, num_sanity_val_steps=0, **few)
    assert modes[-1] or not modes[0], (
        "training goes on in evaluation mode after an epoch or a validation. Call train() again"
    )


def test_what_is_measured_is_trained(cfg, data, validation):
    """Training changes the parameters that validation uses: no copy that is never updated is measured."""
    build.prepare(cfg)
    initial = build.build_procedure(cfg).state_dict()

    def unmoved(procedure: L.LightningModule, watch: Called) -> str:
        known = {module: name for name, module in procedure.named_modules()}
        measured = [m for m in watch.outermost() if m in known and any(True for _ in m.parameters())]
        own = {f"{known[m]}.{name}".lstrip("."): p for m in measured for name, p in m.named_parameters()}
        return "" if any(not torch.equal(p, initial[name]) for name, p in own.items()) else names(procedure, measured)

    if unmoved(*validation):  # an average may follow once an epoch
        trained = fit(cfg, 12, limit_train_batches=10 * cfg.trainer.accumulate_grad_batches).lightning_module
        left = unmoved(*called(cfg, data, trained, "val"))
        assert not left, f"validation calls {left}, whose parameters no training changes: update them in optimizer_step"


def test_validation_and_test_measure_the_same_weights(cfg, data, validation, trained):
    """If both use one architecture, such as a model and its average, test uses the same weights as validation."""
    data.setup("test")
    if not is_overridden("test_dataloader", data):
        pytest.skip("the paper has no test split")
    tested = called(cfg, data, trained[0].lightning_module, "test")[1].weights()
    for shapes, weights in validation[1].weights().items():
        same = [any(torch.equal(w, one) for one in tested.get(shapes, [w])) for w in weights]
        assert all(same), (
            f"validation calls {names(validation[0], validation[1].outermost())}, and test other weights of the same shapes. "
            "Measure an average of the weights in both, or in neither"
        )
