"""Files of checkpoints: written whole, and read without running code."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from ..identity import UsageError, differences


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a temporary file beside the checkpoint and renames it, so that a kill never leaves half a checkpoint.

    Lightning's own class writes to the system's temporary folder. From there, a move to another disk is a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.part")
        try:
            with beside.open("wb") as file:
                torch.save(checkpoint, file)
            os.replace(beside, path)
        except BaseException as error:
            beside.unlink(missing_ok=True)
            # torch hides the error of a full disk behind an error of its own
            raise error.__context__ if isinstance(error.__context__, OSError) else error  # noqa: B904


def read_checkpoint(path: Path, config: dict) -> dict[str, Any]:
    """Read a checkpoint of the experiment whose ``identity`` is ``config``.

    Only containers and tensors are read, so a file from a stranger cannot run code.

    Raises:
        UsageError: the file is damaged, holds other objects, or belongs to another configuration.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        different = differences(checkpoint["hyper_parameters"], config)
        why = f"belongs to another configuration: {different}" if different else damaged and f"is damaged: {damaged}"
    except pickle.UnpicklingError:
        why = "holds objects other than containers and tensors, which could run code"
    except (zipfile.BadZipFile, RuntimeError, KeyError, TypeError, AttributeError):
        why = "is damaged, or is not a checkpoint of this repository"
    if why:
        raise UsageError(f"{path} {why}. It was not loaded, and nothing was written.")
    return checkpoint
