"""What every training procedure shares; the paper's own part is ``PaperProcedure`` in ``procedure.py``."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.data import extract_batch_size
from torch import Tensor, nn
from torchmetrics import MetricCollection

from .training import lightning_internals as internals


class Procedure(L.LightningModule):
    """Minimise the loss over batches, and measure.

    A subclass says in ``step`` what happens to one batch. Any hook of ``LightningModule`` may be overridden as well:
    ``training_step`` with ``self.automatic_optimization = False`` for several optimizers or an inner loop,
    ``configure_optimizers`` for parameter groups, ``on_test_epoch_end`` for what is measured once over a model.

    Args:
        model: the paper's network.
        loss: returns named terms, the total under ``loss``.
        metrics: what is measured, cloned for each split. None for nothing but the loss.
        optimizer: takes parameters and returns the optimizer.
        scheduler: takes the optimizer and ``total_steps`` and returns Lightning's ``lr_scheduler`` configuration
            (``harness/schedules.py``).
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        metrics: MetricCollection | None = None,
        scheduler: Callable[..., dict] | None = None,
    ):
        super().__init__()
        self.model = model
        self.loss = loss
        self.optimizer, self.scheduler = optimizer, scheduler
        metrics = metrics or MetricCollection({})
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")
        self.terms: dict[str, Tensor] = {}  # of the last batch that was trained on
        # Logging a value costs more than a small training step, so terms wait here and are averaged now and then.
        self.unlogged_terms: dict[str, list[tuple[int, dict[str, Tensor]]]] = {"train": [], "val": [], "test": []}

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes here which hook it is in, sixty times a step; a module's way to set attributes is a slow one
        if name == internals.CURRENT_HOOK:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        # 64-true: Lightning would load the weights into a model of 32 bits, and make it one of 64 only then
        if all(t.dtype == torch.float64 for t in state_dict.values() if torch.is_floating_point(t)):
            self.double()
        return super().load_state_dict(state_dict, *args, **kwargs)

    def step(self, batch: Any, metrics: MetricCollection) -> dict[str, Tensor]:
        """Run one batch of any split, update ``metrics`` with it, and return the terms of the loss."""
        raise NotImplementedError("Say in PaperProcedure.step what happens to one batch.")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.terms = terms = self.step(batch, self.train_metrics)
        self._keep("train", batch, terms)
        # just at the steps at which Lightning hands values to the loggers, and once for all that is accumulated
        if internals.logging_now(self.trainer):
            self._log_terms("train", on_step=True, prog_bar=True)
        return terms["loss"]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._keep("val", batch, self.step(batch, self.val_metrics))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._keep("test", batch, self.step(batch, self.test_metrics))

    def on_train_epoch_end(self) -> None:
        self._log_metrics(self.train_metrics)

    def on_train_end(self) -> None:
        # The last steps, where they were fewer than are averaged; Lightning's own self.log is over
        if terms := {f"train/{name}": mean for name, mean in self._mean_terms("train").items()}:
            internals.log_after_training(self.trainer, terms)

    def on_validation_epoch_end(self) -> None:
        self._log_terms("val", sync_dist=True)
        self._log_metrics(self.val_metrics)

    def on_test_epoch_end(self) -> None:
        self._log_terms("test", sync_dist=True)
        self._log_metrics(self.test_metrics)

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer([p for p in self.parameters() if p.requires_grad])
        if self.scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer, total_steps=self.total_steps())}

    def total_steps(self) -> float:
        """How often the schedule moves in the whole training: each optimizer step, or each epoch if it counts those.

        Infinite where nobody knows: there is no budget, or it depends on the length of an epoch, and that is not known.
        """
        settings = getattr(self.scheduler, "keywords", {})
        total = self.trainer.estimated_stepping_batches
        if settings.get("interval") == "epoch":
            internals.load_training_data(self.trainer)  # until then, no loader has a length
            batches = self.trainer.num_training_batches
            total = math.inf if math.isinf(batches) else total * self.trainer.accumulate_grad_batches / batches
        if total < 0 or math.isinf(total):  # Lightning's -1 steps are any number
            return math.inf
        return math.ceil(total / settings.get("frequency", 1))

    def weight_of(self, batch: Any) -> int:
        """How much a batch counts where the terms of the loss are averaged over batches: as its number of samples.

        To be overridden where the loss is a mean over something else, such as the characters of a batch.
        """
        return extract_batch_size(batch)

    def _keep(self, split: str, batch: Any, terms: dict[str, Tensor]) -> None:
        self.unlogged_terms[split].append(
            (self.weight_of(batch), {name: term.detach() for name, term in terms.items()})
        )

    def _log_terms(self, split: str, **how: Any) -> None:
        for name, mean in self._mean_terms(split).items():
            self.log(f"{split}/{name}", mean, **how)

    def _mean_terms(self, split: str) -> dict[str, Tensor]:
        """The mean of each term over the samples since the last time, over all processes."""
        kept, self.unlogged_terms[split] = self.unlogged_terms[split], []
        if not kept:
            return {}
        names = list(kept[0][1])
        values = torch.stack([terms[name] for _, terms in kept for name in names]).view(-1, len(names))
        values = values.to(torch.promote_types(values.dtype, torch.float32))  # a mean in 16 bits would be a rough one
        sizes = torch.tensor([size for size, _ in kept], dtype=values.dtype, device=self.device)
        sums = self.trainer.strategy.reduce(torch.cat([sizes @ values, sizes.sum()[None]]), reduce_op="sum")
        return dict(zip(names, sums[:-1] / sums[-1], strict=True))

    def _log_metrics(self, metrics: MetricCollection) -> None:
        if any(metric.update_called for metric in metrics.values()):  # a metric may be of the test alone
            self.log_dict(metrics.compute(), sync_dist=True)
            metrics.reset()
