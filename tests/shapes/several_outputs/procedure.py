"""Shape: complex inputs and weights; the model returns a dataclass, and three losses are added."""

from torch import Tensor

from .data import Signals
from .harness.procedure import Procedure
from .metrics import PaperMetrics


class PaperProcedure(Procedure):
    """Minimise Equation (2)."""

    def step(self, batch: Signals, metrics: PaperMetrics) -> dict[str, Tensor]:
        outputs = self.model(batch.spectrum)
        metrics.update(outputs, batch.form, batch.pitch)
        return self.loss(outputs, batch.form, batch.pitch, batch.clean)
