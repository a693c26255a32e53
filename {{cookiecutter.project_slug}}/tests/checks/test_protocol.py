"""The test set is used only at the end: it selects nothing, and training does not see it."""

import contextlib

import pytest
import torch
from conftest import build_procedure, fit
from splits import read_splits, rows
from torch.nn.modules.module import register_module_forward_pre_hook

from {{ cookiecutter.package_name }}.harness.evidence.targets import stated_targets
from {{ cookiecutter.package_name }}.harness.identity import ROOT
from {{ cookiecutter.package_name }}.harness.training.request import refuse_test_metrics

CONFIGS = sorted((ROOT / "configs").glob("*/*.yaml"))
EXPERIMENTS = [path.stem for path in CONFIGS if path.parent.name == "experiment"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_nothing_is_chosen_by_a_test_metric(compose, experiment):
    refuse_test_metrics(compose(f"experiment={experiment}"))
    for path in CONFIGS:
        if path.parent.name in ("callbacks", "scheduler") and "test" in path.read_text(encoding="utf-8"):
            refuse_test_metrics(compose(f"experiment={experiment}", f"{path.parent.name}={path.stem}"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_best_checkpoint_is_the_best(compose, experiment):
    """``monitor.mode``, and mode and claim of each target, are in the direction in which the metric is better, if it knows."""
    cfg = compose(f"experiment={experiment}")
    procedure = build_procedure(cfg)
    metrics = dict(procedure.val_metrics.items()) | dict(procedure.test_metrics.items())
    stated = {"monitor.mode": (cfg.monitor.metric or "", cfg.monitor.mode)}
    for i, target in enumerate(stated_targets(cfg.paper)):
        stated |= {f"targets[{i}].mode": (target.metric, target.mode)} if target.get("mode") else {}
        compares = target.get("minus") or target.get("over")
        if target.get("experiment") == "paper" and not compares:  # a baseline may be claimed to fail
            stated[f"targets[{i}].claim"] = (target.metric, target.get("claim"))
    for place, (name, found) in stated.items():
        better = False if name.endswith("/loss") else getattr(metrics.get(name), "higher_is_better", None)
        wrong = {True: ("min", "at most"), False: ("max", "at least")}.get(better, ())
        assert found not in wrong, f"{place} is {found}, but {'higher' if better else 'lower'} is better for {name}"


def test_validation_chooses_the_checkpoint(cfg, needs_validation):
    by_training = cfg.ckpt == "best" and str(cfg.monitor.metric).startswith("train/")
    assert not by_training, f"{cfg.monitor.metric} chooses the checkpoint. Choose by validation, or set ckpt to last"


def test_training_does_not_see_the_test_set(cfg, data):
    read = {split: found.inputs for split, found in read_splits(data).items() if found.inputs is not None}
    if "test" not in read:
        pytest.skip("there is no test split, or its samples cannot be recognised")
    keys = {split: set(rows(inputs)) for split, inputs in read.items()}
    # samples of a few numbers, such as points in space or short sequences, may be equal on purpose
    only_test = {row for row in keys.pop("test").difference(*keys.values()) if len(row) >= 64}
    seen: set[str] = set()

    def look(module, inputs):
        for x in inputs:
            alike = torch.is_tensor(x) and not x.is_nested and x.dim() > 0 and x.shape[2:] == read["test"].shape[2:]
            with contextlib.suppress(RuntimeError):  # inside vmap a tensor has no numbers
                if alike and not only_test.isdisjoint(rows(x.detach().cpu())):
                    seen.add(type(module).__name__)

    hook = register_module_forward_pre_hook(look)
    try:
        data.test_dataloader = lambda: pytest.fail("training asks for test_dataloader")
        trainer = fit(cfg, 4, data=data, limit_train_batches=2, limit_val_batches=2, check_val_every_n_epoch=1)
    finally:
        hook.remove()
    assert not seen, f"training or validation passes samples of the test set through {sorted(seen)}"
    logged = {name for name in trainer.callback_metrics if name.startswith("test")}
    assert not logged, f"training logs {sorted(logged)}, but only the test may log test metrics"
