"""A training that is stopped within an epoch and resumed ends with the same bits as one without a stop."""

from pathlib import Path

import pytest
from conftest import QUIET, After, same
from lightning.pytorch.utilities.exceptions import SIGTERMException

from {{ cookiecutter.package_name }}.harness.identity import flat
from {{ cookiecutter.package_name }}.harness.training import build
from {{ cookiecutter.package_name }}.harness.training.resume import LastCheckpoint

BATCHES, STOPPED_AFTER = 5, 3


def train(cfg, folder: Path, after: After, ckpt_path: Path | None = None) -> dict:
    build.prepare(cfg)
    settings = QUIET | {"limit_val_batches": 0, "enable_checkpointing": True}
    trainer = build.build_trainer(cfg, [after, LastCheckpoint(str(folder))], **settings)
    procedure = build.build_procedure(cfg)
    trainer.fit(procedure, build.build_data(cfg), ckpt_path=ckpt_path, weights_only=True)
    optimizers = {f"optimizer {i}": optimizer.state_dict() for i, optimizer in enumerate(trainer.optimizers)}
    return flat(procedure.state_dict() | optimizers)


def test_resumed_training_is_the_same(cfg, tmp_path):
    uninterrupted = train(cfg, tmp_path / "one", end := After(BATCHES))
    if end.left > 0:
        pytest.skip(f"the training has fewer than {BATCHES} batches")
    with pytest.raises(SIGTERMException):
        train(cfg, tmp_path / "other", After(STOPPED_AFTER, sigterm=True))
    resumed = train(cfg, tmp_path / "other", After(BATCHES - STOPPED_AFTER), tmp_path / "other/last.ckpt")
    different = [name for name, value in uninterrupted.items() if not same(value, resumed.get(name))]
    assert not different, (
        f"after a stop, {different} differ. Keep what PaperProcedure remembers between batches in a buffer or in "
        "on_save_checkpoint, and what PaperDataModule remembers in its state_dict. The epoch starts again, with its "
        "on_train_epoch_start and with its stream: samples that depend on the model as it learns are made in step"
    )
