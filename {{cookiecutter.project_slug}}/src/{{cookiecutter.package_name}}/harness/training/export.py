"""The tested weights of a run as safetensors, a format that holds tensors alone."""

from pathlib import Path

import torch

from ..evidence.record import file_digest
from ..identity import ROOT, UsageError
from .checkpoints import read_checkpoint


def export(record: dict, path: Path) -> None:
    """Write the weights that a run has tested to ``path``.

    Raises:
        UsageError: safetensors is not installed, or the checkpoint is missing, damaged, or not the one in the record.
    """
    try:
        from safetensors.torch import save_file
    except ImportError:
        raise UsageError('safetensors is an extra: pip install -e ".[weights]" -c constraints.txt') from None
    checkpoint = ROOT / record["run"] / "checkpoints" / f"{record['tested']['checkpoint']}.ckpt"
    if not checkpoint.is_file() or file_digest(checkpoint) != record["tested"]["sha256"]:
        raise UsageError(
            f"{checkpoint.relative_to(ROOT)} is missing, or is not the checkpoint in the record of the run."
        )
    state = read_checkpoint(checkpoint, record["config"])["state_dict"]
    # a copy of each: safetensors refuses weights that share memory
    tensors = {name: value.clone().contiguous() for name, value in state.items() if isinstance(value, torch.Tensor)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
