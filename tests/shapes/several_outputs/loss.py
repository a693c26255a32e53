"""The objective, Equation (2)."""

import torch.nn.functional as F
from torch import Tensor, nn

from .model import Outputs


class PaperLoss(nn.Module):
    """L = L_form + 0.5 L_pitch + L_spectrum, Equation (2): cross-entropy, squared error and squared modulus."""

    def forward(self, outputs: Outputs, forms: Tensor, pitch: Tensor, clean: Tensor) -> dict[str, Tensor]:
        form, error = F.cross_entropy(outputs.logits, forms), F.mse_loss(outputs.pitch, pitch)
        spectrum = (outputs.spectrum - clean).abs().square().mean()
        return {"loss": form + 0.5 * error + spectrum, "form": form, "pitch": error, "spectrum": spectrum}
