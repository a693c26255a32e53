"""The training procedure: what is done with a batch."""

from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor
from torchmetrics import MetricCollection

from .data import IGNORED
from .harness.procedure import Procedure
from .metrics import BitsPerCharacter, NGram


class PaperProcedure(Procedure):
    """Minimise the loss over batches; in the test, measure an n-gram model on the same characters.

    TODO(paper): the paper's procedure, as in Algorithm …, if it is more than that. A batch may be tensors, a dict or a
    list. Any hook of LightningModule may be overridden: see PROCEDURES.md.

    Args:
        ngram: n of the n-gram model.
        parts: what every ``Procedure`` has: model, loss, metrics, optimizer, scheduler.
    """

    def __init__(self, ngram: int = 5, **parts):
        super().__init__(**parts)
        self.ngram, self.baseline = ngram, BitsPerCharacter()

    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        characters, targets = batch
        logits = self.model(characters)
        metrics.update(logits, targets)
        return self.loss(logits, targets)

    def weight_of(self, batch: tuple[Tensor, Tensor]) -> int:
        return int((batch[1] != IGNORED).sum())  # the loss is a mean over the characters that are predicted

    def on_test_epoch_start(self) -> None:
        data = self.trainer.datamodule
        self.ngram_model = NGram([text.to(self.device) for text in data.numbers["train"]], self.ngram, data.vocab_size)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        super().test_step(batch, batch_idx)
        characters, targets = batch
        self.baseline.update(self.ngram_model(characters), targets)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log(f"test/bits_per_character_{self.ngram}gram", self.baseline.compute())
        self.baseline.reset()


class SampleText(Callback):
    """What the tested model writes, in ``sample.txt``: it goes on from the beginning of a test topic.

    Args:
        dirpath: folder of the file.
        length: characters that are drawn.
        temperature: of ``PaperModel.generate``.
    """

    def __init__(self, dirpath: str, length: int = 300, temperature: float = 0.8):
        self.path, self.length, self.temperature = Path(dirpath) / "sample.txt", length, temperature

    @rank_zero_only
    def on_test_end(self, trainer: L.Trainer, procedure: PaperProcedure) -> None:
        data = trainer.datamodule
        prompt = data.test.tensors[0][:1, : data.context // 2].to(procedure.device)  # (1, T/2)
        generator = torch.Generator(procedure.device).manual_seed(0)
        written = procedure.model.generate(prompt, self.length, self.temperature, generator)[0]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(data.vocabulary.decode(written) + "\n", encoding="utf-8")
