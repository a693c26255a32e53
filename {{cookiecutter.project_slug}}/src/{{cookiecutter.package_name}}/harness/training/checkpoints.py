"""Files of checkpoints: written whole, and read without running code."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.nn.parameter import UninitializedTensorMixin

from ..identity import UsageError, differences, flat

NOT_OURS = "is damaged, or is not a checkpoint of this repository"


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
            if damaged := archive.testzip():
                raise ValueError(damaged)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = flat(checkpoint["hyper_parameters"])
        checkpoint["state_dict"].keys()
    except pickle.UnpicklingError as error:
        refused = str(error).partition("GLOBAL ")[2].split(" ")[0]
        why = f"holds {refused}, which could run code" if refused else NOT_OURS
    except (zipfile.BadZipFile, RuntimeError, EOFError, KeyError, TypeError, ValueError, AttributeError):
        why = NOT_OURS
    else:
        different = differences(found, config)
        if not different:
            return checkpoint
        why = f"belongs to another configuration: {different}"
    raise UsageError(f"{path} {why}. It was not loaded, and nothing was written.")


def require_fit(path: Path, checkpoint: dict[str, Any], procedure: L.LightningModule) -> None:
    """Refuse a checkpoint whose tensors have other names or shapes than those of the procedure.

    Raises:
        UsageError: names them, with both shapes.
    """
    tensors = procedure.state_dict()
    shapes = {name: tuple(t.shape) for name, t in tensors.items() if not isinstance(t, UninitializedTensorMixin)}
    # some tensors are created later: by the first batch, or in configure_model
    incomplete = len(shapes) < len(tensors) or is_overridden("configure_model", procedure)
    saved = {name: tuple(t.shape) for name, t in checkpoint["state_dict"].items() if name in shapes or not incomplete}
    if different := differences(saved, shapes):
        raise UsageError(f"{path} was written by other code: {different}. It was not loaded.")
