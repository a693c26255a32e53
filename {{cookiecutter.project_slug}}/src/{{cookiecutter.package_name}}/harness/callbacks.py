"""Callbacks that Lightning does not have."""

from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException


class LastCheckpoint(Checkpoint):
    """``last.ckpt``: after each validation (each epoch, where there is none), at the end, and on Ctrl-C or SIGTERM.

    ``ModelCheckpoint(save_last=True)`` writes it only together with a better one, and so not at the end of a plateau.

    As a ``Checkpoint`` it comes after all other callbacks, and so saves what they have just learned.

    Args:
        dirpath: folder of the checkpoints.
    """

    def __init__(self, dirpath: str):
        self.path = Path(dirpath) / "last.ckpt"

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.enable_validation:
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.save_checkpoint(self.path)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt | SIGTERMException) and trainer.training and trainer.global_step > 0:
            trainer.save_checkpoint(self.path)
