"""Learning-rate schedules: the factor of the learning rate as a function of the step.

A schedule takes the optimizer and the length of the training, and returns Lightning's ``lr_scheduler`` configuration.
``interval`` says what counts as a step, in the warm-up too: ``step`` or ``epoch``. The warm-up is linear, from
``lr / warmup_steps`` in the first step to ``lr`` in step ``warmup_steps``.
"""

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau, SequentialLR


def _schedule(formula: Callable[..., float], default_interval: str = "step") -> Callable[..., dict]:
    """The schedule whose factor is ``formula(step, warmup_steps, share, **settings)`` after the warm-up.

    ``share()`` is the share of the steps after the warm-up that are done, from 0 to 1 at the end of the training.
    """

    def schedule(
        optimizer: Optimizer,
        total_steps: float,
        warmup_steps: int = 0,
        interval: str = default_interval,
        frequency: int = 1,
        **settings: Any,
    ) -> dict:
        def factor(step: int) -> float:
            if step < warmup_steps:
                return (step + 1) / warmup_steps
            return formula(
                step, warmup_steps, lambda: _share(step - warmup_steps, total_steps - warmup_steps), **settings
            )

        factor(warmup_steps)  # an error in the settings shows now, and not after the warm-up
        return {"scheduler": LambdaLR(optimizer, factor), "interval": interval, "frequency": frequency}

    return schedule


def _share(done: int, length: float) -> float:
    if math.isinf(length):
        raise ValueError(
            "This schedule ends with the training, but the length of the training is unknown, because train_dataloader "
            "has no length. Count steps, as in scheduler.interval=step trainer.max_steps=10000, or give the data set a "
            "__len__."
        )
    return min(1.0, done / max(1, length))


# lr in every step
constant = _schedule(lambda step, warmup, share: 1.0)
# A straight line from lr to final · lr at the end of the training
linear = _schedule(lambda step, warmup, share, final=0.0: 1 + (final - 1) * share())
# Half a cosine from lr to final · lr at the end (Loshchilov and Hutter, 2017, one period)
cosine = _schedule(lambda step, warmup, share, final=0.0: final + (1 - final) * (1 + math.cos(math.pi * share())) / 2)
# lr · sqrt(warmup_steps / step) (Vaswani et al., 2017, Section 5.3, up to its scale)
inverse_sqrt = _schedule(lambda step, warmup, share: math.sqrt(max(1, warmup) / (step + 1)))
# lr · gamma to the number of milestones passed, counted from the start of the training
step = _schedule(
    lambda step, warmup, share, milestones, gamma=0.1: gamma ** sum(step >= m for m in milestones), "epoch"
)


def plateau(
    optimizer: Optimizer, total_steps: float, monitor: str, frequency: int = 1, warmup_steps: int = 0, **settings: Any
) -> dict:
    """``lr`` · ``factor`` each time ``monitor`` has not improved for ``patience`` validations.

    ``settings`` are those of ``torch.optim.lr_scheduler.ReduceLROnPlateau``.
    """
    if warmup_steps:
        raise ValueError("The plateau schedule has no warm-up. Set scheduler.warmup_steps=0, or use another schedule.")
    scheduler = ReduceLROnPlateau(optimizer, **settings)
    return {"scheduler": scheduler, "interval": "epoch", "frequency": frequency, "monitor": monitor}


def from_torch(
    optimizer: Optimizer,
    total_steps: float,
    schedule: Callable[[Optimizer], LRScheduler],
    warmup_steps: int = 0,
    interval: str = "step",
    frequency: int = 1,
) -> dict:
    """Any scheduler of ``torch.optim.lr_scheduler`` after the warm-up, given by its ``_target_`` and ``_partial_``."""
    scheduler = schedule(optimizer)
    if warmup_steps:
        warmup = LambdaLR(optimizer, lambda done: (done + 1) / warmup_steps)
        scheduler = SequentialLR(optimizer, [warmup, scheduler], milestones=[warmup_steps])
    return {"scheduler": scheduler, "interval": interval, "frequency": frequency}
