"""Learning-rate schedules, each the multiplier of the learning rate as a function of the step.

Every function takes the optimizer and the length of the training and returns what Lightning calls an
``lr_scheduler`` configuration. ``interval`` says what is counted, in the warm-up too: ``step`` or ``epoch``. Warm-up is linear, from
``lr / warmup_steps`` in the first step to ``lr`` in step ``warmup_steps``.
"""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau, SequentialLR


def _multiplier(
    optimizer: Optimizer, after_warmup: Callable[[int], float], warmup_steps: int, interval: str, frequency: int
) -> dict:
    def multiplier(done: int) -> float:
        if done < warmup_steps:
            return (done + 1) / warmup_steps
        return after_warmup(done - warmup_steps)

    return {"scheduler": LambdaLR(optimizer, multiplier), "interval": interval, "frequency": frequency}


def _length(total_steps: float, warmup_steps: int) -> int:
    if math.isinf(total_steps):
        raise ValueError(
            "The schedule ends with the training, and nobody knows when: train_dataloader has no length. Count steps, "
            "as in scheduler.interval=step trainer.max_steps=10000, or give the data set a __len__."
        )
    return max(1, total_steps - warmup_steps)


def constant(
    optimizer: Optimizer, total_steps: float, warmup_steps: int = 0, interval: str = "step", frequency: int = 1
) -> dict:
    """The learning rate itself."""
    return _multiplier(optimizer, lambda _: 1.0, warmup_steps, interval, frequency)


def linear(
    optimizer: Optimizer,
    total_steps: float,
    warmup_steps: int = 0,
    final: float = 0.0,
    interval: str = "step",
    frequency: int = 1,
) -> dict:
    """A straight line from ``lr`` to ``final`` · ``lr`` at the end."""
    length = _length(total_steps, warmup_steps)

    def line(done: int) -> float:
        return 1 + (final - 1) * min(1.0, done / length)

    return _multiplier(optimizer, line, warmup_steps, interval, frequency)


def cosine(
    optimizer: Optimizer,
    total_steps: float,
    warmup_steps: int = 0,
    final: float = 0.0,
    interval: str = "step",
    frequency: int = 1,
) -> dict:
    """Half a cosine from ``lr`` to ``final`` · ``lr`` at the end (Loshchilov and Hutter, 2017, one period)."""
    length = _length(total_steps, warmup_steps)

    def half_period(done: int) -> float:
        return final + (1 - final) * (1 + math.cos(math.pi * min(1.0, done / length))) / 2

    return _multiplier(optimizer, half_period, warmup_steps, interval, frequency)


def inverse_sqrt(
    optimizer: Optimizer, total_steps: float, warmup_steps: int = 0, interval: str = "step", frequency: int = 1
) -> dict:
    """``lr`` · sqrt(``warmup_steps`` / step) after the warm-up (Vaswani et al., 2017, Section 5.3, up to its scale)."""
    return _multiplier(
        optimizer,
        lambda done: math.sqrt(max(1, warmup_steps) / (warmup_steps + done + 1)),
        warmup_steps,
        interval,
        frequency,
    )


def step(
    optimizer: Optimizer,
    total_steps: float,
    milestones: list[int],
    gamma: float = 0.1,
    warmup_steps: int = 0,
    interval: str = "epoch",
    frequency: int = 1,
) -> dict:
    """``lr`` · ``gamma`` to the number of ``milestones`` passed, counted from the start of the training."""

    def stairs(done: int) -> float:
        return gamma ** sum(done + warmup_steps >= milestone for milestone in milestones)

    return _multiplier(optimizer, stairs, warmup_steps, interval, frequency)


def plateau(
    optimizer: Optimizer,
    total_steps: float,
    monitor: str,
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    warmup_steps: int = 0,
    frequency: int = 1,
) -> dict:
    """``lr`` · ``factor`` each time ``monitor`` has not improved for ``patience`` validations.

    Raises:
        ValueError: ``warmup_steps`` is not 0.
    """
    if warmup_steps:
        raise ValueError(
            "The plateau schedule has no warm-up: set scheduler.warmup_steps=0, or choose another schedule."
        )
    scheduler = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience)
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
