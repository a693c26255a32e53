"""What all training procedures share. The paper's own part is ``PaperProcedure`` in ``procedure.py``."""

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.data import extract_batch_size
from torch import Tensor, nn
from torchmetrics import MetricCollection

from .training import lightning_internals as internals


class Procedure(L.LightningModule):
    """Minimises the loss over batches, and measures.

    A subclass defines in ``step`` what happens to one batch. It may override any hook of ``LightningModule`` as well:
    ``training_step`` with ``self.automatic_optimization = False`` for several optimizers or an inner loop,
    ``configure_optimizers`` for parameter groups, ``on_test_epoch_end`` for a measurement of the whole model.

    Args:
        model: the paper's network.
        loss: returns named terms, the total under ``loss``.
        optimizer: takes parameters and returns the optimizer.
        metrics: are cloned for each split. None measures the loss alone.
        scheduler: takes the optimizer and ``total_steps``; a function of ``harness/schedules.py``.
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
        self.terms: dict[str, Tensor] = {}  # of the last training batch
        # Logging a value takes longer than a small training step. So terms are kept, with the weight of their batch,
        # and their mean is logged.
        self.unlogged_terms: dict[str, list[tuple[int, dict[str, Tensor]]]] = {"train": [], "val": [], "test": []}

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning sets this sixty times a step, and torch.nn.Module.__setattr__ is slow
        if name == internals.CURRENT_HOOK:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def step(self, batch: Any, metrics: MetricCollection) -> dict[str, Tensor]:
        """Run one batch of any split, update ``metrics`` with it, and return the terms of the loss.

        The checks in ``tests/`` call it without a trainer: use ``self.training``, not ``self.trainer``.
        """
        raise NotImplementedError("Define in PaperProcedure.step what happens to one batch.")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.terms = self._step("train", batch)
        if internals.logging_now(self.trainer):
            self._log_terms("train", on_step=True, prog_bar=True)
        return self._of_its_window(self.terms["loss"], batch_idx)

    def _of_its_window(self, loss: Tensor, batch_idx: int) -> Tensor:
        """Undo that Lightning divides by accumulate_grad_batches where an epoch ends with fewer batches."""
        window = self.trainer.accumulate_grad_batches
        left = self.trainer.num_training_batches - batch_idx // window * window
        return loss * (window / left) if left < window else loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._step("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._step("test", batch)

    def on_train_epoch_end(self) -> None:
        self._log_metrics("train")

    def on_train_end(self) -> None:
        # The last steps, if they were fewer than log_every_n_steps
        if terms := self._mean_terms("train"):
            internals.log_after_training(self.trainer, terms)

    def on_validation_epoch_end(self) -> None:
        self._log_terms("val", sync_dist=True)
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self._log_terms("test", sync_dist=True)
        self._log_metrics("test")

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.parameters() if p.requires_grad]
        # The fused form, our default, does not support complex numbers
        plain = {"fused": False} if any(p.is_complex() for p in trained) and "fused" in self.optimizer.keywords else {}
        optimizer = self.optimizer(trained, **plain)
        if self.scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer, total_steps=self.total_steps())}

    def total_steps(self) -> float:
        """The number of schedule steps in the whole training: one per optimizer step, or per epoch for ``interval: epoch``.

        Infinite if the training has no end, or if its end depends on the unknown length of an epoch.
        """
        settings = getattr(self.scheduler, "keywords", {})
        total = self.trainer.estimated_stepping_batches
        if settings.get("interval") == "epoch":
            self.trainer.fit_loop.setup_data()  # until then, an epoch has no length
            batches = self.trainer.num_training_batches
            total = math.inf if math.isinf(batches) else total * self.trainer.accumulate_grad_batches / batches
        if total < 0 or math.isinf(total):  # Lightning writes -1 for no limit
            return math.inf
        return math.ceil(total / settings.get("frequency", 1))

    def count_steps(self, number: int) -> None:
        """Count ``number`` steps that a ``training_step`` has made by hand, without ``self.optimizers()``.

        A call of ``training_step`` costs as much as a thousand tiny updates, so it makes many of them. With this, the
        budget ``trainer.max_steps``, the curves and a resumed run count single steps.
        """
        internals.count_steps(self.trainer, number)

    def weight_of(self, batch: Any) -> int:
        """The weight of a batch in the mean of a term over batches: its number of samples.

        Override it if the loss is a mean over something else, such as the characters of a batch.
        """
        return extract_batch_size(batch)

    def _step(self, split: str, batch: Any) -> dict[str, Tensor]:
        terms = self.step(batch, getattr(self, f"{split}_metrics"))
        detached = {name: term.detach() for name, term in terms.items()}
        self.unlogged_terms[split].append((self.weight_of(batch), detached))
        return terms

    def _log_terms(self, split: str, **settings: Any) -> None:
        for name, mean in self._mean_terms(split).items():
            self.log(name, mean, **settings)

    def _mean_terms(self, split: str) -> dict[str, Tensor]:
        """The mean of each term since it was last logged, over the samples of all processes."""
        kept, self.unlogged_terms[split] = self.unlogged_terms[split], []
        names = list(kept[0][1]) if kept else []
        if not names:
            return {}
        if same := set(names) & {name.removeprefix(f"{split}/") for name in getattr(self, f"{split}_metrics")}:
            raise ValueError(f"{sorted(same)}: a term of the loss and a metric have the same name. Rename one of them.")
        values = torch.stack([terms[name] for _, terms in kept for name in names]).view(-1, len(names))
        values = values.to(torch.promote_types(values.dtype, torch.float32))  # 16 bits are too few for a mean
        weights = torch.tensor([weight for weight, _ in kept], dtype=values.dtype, device=self.device)
        sums = self.trainer.strategy.reduce(torch.cat([weights @ values, weights.sum()[None]]), reduce_op="sum")
        return {f"{split}/{name}": mean for name, mean in zip(names, sums[:-1] / sums[-1], strict=True)}

    def _log_metrics(self, split: str) -> None:
        metrics = getattr(self, f"{split}_metrics")
        if any(metric.update_called for metric in metrics.values()):  # some metrics are updated in one split alone
            self.log_dict(metrics.compute(), sync_dist=True)
            metrics.reset()
