"""Files of checkpoints: written whole, read without running code, and exported as safetensors."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from ..evidence.record import file_digest
from ..identity import ROOT, UsageError, differences


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


def read_checkpoint(path: Path, config: dict, sha256: str | None = None) -> dict[str, Any]:
    """Read a checkpoint of the experiment whose ``identity`` is ``config``; with ``sha256``, no other than that file.

    Only containers and tensors are read, so a file from a stranger cannot run code.

    Raises:
        UsageError: the file is missing, damaged or another one, holds other objects, or is of another configuration.
    """
    if sha256 and path.is_file() and file_digest(path) != sha256:
        raise UsageError(
            f"{path} is not the checkpoint in the record of the run: its SHA-256 differs. Restore the file, or train the "
            "run again."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            why = "is damaged" if archive.testzip() else ""
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if different := differences(checkpoint["hyper_parameters"], config):
            why = f"belongs to another configuration: {different}"
    except FileNotFoundError:
        why = "does not exist"
    except pickle.UnpicklingError:
        why = "holds objects other than containers and tensors, which could run code"
    except (zipfile.BadZipFile, RuntimeError, KeyError, TypeError, AttributeError):
        why = "is damaged, or is not a checkpoint of this repository"
    if why:
        raise UsageError(f"{path} {why}. It was not loaded, and nothing was written.")
    return checkpoint


def export(record: dict, path: Path) -> None:
    """Write the weights that a run has tested to ``path``, as safetensors: a format that holds tensors alone."""
    try:
        from safetensors.torch import save_file
    except ImportError:
        raise UsageError('safetensors is an extra: pip install -e ".[weights]" -c constraints.txt') from None
    tested = record["tested"]
    checkpoint = Path(record["run"], "checkpoints", f"{tested['checkpoint']}.ckpt")
    state = read_checkpoint(ROOT / checkpoint, record["config"], tested["sha256"])["state_dict"]
    # a copy of each: safetensors refuses weights that share memory
    tensors = {name: value.clone().contiguous() for name, value in state.items() if isinstance(value, torch.Tensor)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
