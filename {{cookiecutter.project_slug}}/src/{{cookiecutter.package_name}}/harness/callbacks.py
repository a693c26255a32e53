"""Callbacks that Lightning does not have."""

from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback


class SaveOnInterrupt(Callback):
    """Write ``last.ckpt`` when Ctrl-C ends the training, so that nothing computed is lost.

    ``ModelCheckpoint(save_on_exception=True)`` would write over the best checkpoint.

    Args:
        dirpath: folder of the checkpoints.
    """

    def __init__(self, dirpath: str):
        self.path = Path(dirpath) / "last.ckpt"

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt) and trainer.training and trainer.global_step > 0:
            trainer.save_checkpoint(self.path)
