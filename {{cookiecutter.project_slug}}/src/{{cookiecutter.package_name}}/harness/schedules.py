"""Learning-rate schedules: the factor of the learning rate as a function of the step.

A schedule takes the optimizer and the length of the training, and returns Lightning's ``lr_scheduler`` configuration.
``interval`` says what counts as a step, in the warm-up too: ``step`` or ``epoch``. The warm-up is linear, from
``lr / warmup_steps`` in the first step to ``lr`` in step ``warmup_steps``.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau, SequentialLR


def _after_warmup(formula: Callable[..., float], default_interval: str = "step") -> Callable[..., dict]:
    """The schedule whose factor is ``formula(done, warmup_steps, length, **settings)`` after the warm-up.

    ``done`` counts the steps since the warm-up, and ``length`` is how many there are until the training ends.
    """

    @functools.wraps(formula)
    def schedule(
        optimizer: Optimizer,
        total_steps: float,
        warmup_steps: int = 0,
        interval: str = default_interval,
        frequency: int = 1,
        **settings: Any,
    ) -> dict:
        after = functools.partial(formula, warmup=warmup_steps, length=max(1, total_steps - warmup_steps), **settings)
        after(0)  # an error in the settings shows now, and not after the warm-up

        def factor(step: int) -> float:
            return (step + 1) / warmup_steps if step < warmup_steps else after(step - warmup_steps)

        return {"scheduler": LambdaLR(optimizer, factor), "interval": interval, "frequency": frequency}

    return schedule


def _progress(done: int, length: float) -> float:
    if math.isinf(length):
        raise ValueError(
            "This schedule ends with the training, but the length of the training is unknown, because train_dataloader "
            "has no length. Count steps, as in scheduler.interval=step trainer.max_steps=10000, or give the data set a "
            "__len__."
        )
    return min(1.0, done / length)


@_after_warmup
def constant(done: int, warmup: int, length: float) -> float:
    """``lr`` in every step."""
    return 1.0


@_after_warmup
def linear(done: int, warmup: int, length: float, final: float = 0.0) -> float:
    """A straight line from ``lr`` to ``final`` · ``lr`` at the end of the training."""
    return 1 + (final - 1) * _progress(done, length)


@_after_warmup
def cosine(done: int, warmup: int, length: float, final: float = 0.0) -> float:
    """Half a cosine from ``lr`` to ``final`` · ``lr`` at the end (Loshchilov and Hutter, 2017, one period)."""
    return final + (1 - final) * (1 + math.cos(math.pi * _progress(done, length))) / 2


@_after_warmup
def inverse_sqrt(done: int, warmup: int, length: float) -> float:
    """``lr`` · sqrt(``warmup_steps`` / step) (Vaswani et al., 2017, Section 5.3, up to its scale)."""
    return math.sqrt(max(1, warmup) / (warmup + done + 1))


@functools.partial(_after_warmup, default_interval="epoch")
def step(done: int, warmup: int, length: float, milestones: list[int], gamma: float = 0.1) -> float:
    """``lr`` · ``gamma`` to the number of ``milestones`` passed, counted from the start of the training."""
    return gamma ** sum(done + warmup >= milestone for milestone in milestones)


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
