"""The values that the paper reports, as ``configs/paper.yaml`` states them, and the seeds that our runs use."""

import statistics
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf, ValidationError

from ..identity import CONFIGS, UsageError

CLAIMS = {"equal": "", "at least": "≥ ", "at most": "≤ ", "none": ""}
AGGREGATES = {"mean": statistics.fmean, "median": statistics.median, "max": max, "min": min}
CHOICES = {"claim": [*CLAIMS], "aggregate": [*AGGREGATES], "mode": ["max", "min"], "stated_by": ["paper", "us"]}
DECIDE_VERDICT = ["value", "upper", "claim", "aggregate", "scale", "mode", "tolerance", "seeds", "stated_by"]
EXPECTED = {bool: "true or false", str: "text", list[int] | None: "a list of whole numbers"}  # others are numbers


@dataclass
class Target:
    """One value of the paper, and what counts as reaching it."""

    metric: str = MISSING
    dataset: str = ""
    value: int | float | None = None
    upper: int | float | None = None  # of a range, which begins at ``value``
    claim: str = "equal"
    std: int | float | None = None
    n_runs: int | float | None = None
    aggregate: str = "mean"
    scale: int | float = 1
    unit: str = ""
    mode: str = "max"  # which is better; only needed for the claim "equal"
    tolerance: int | float | None = None
    reason: str = ""
    experiment: str = "paper"
    minus: str = ""  # another experiment, if the value is the difference from its result
    over: str = ""  # another experiment, if the value is the quotient of our result and its
    log_x: bool = False  # of the plotted curves
    table: str = ""  # of the paper; rows of one table are shown together
    seeds: list[int] | None = None  # if other than those of all targets
    deterministic: bool = False  # nothing is drawn, so that one run is enough
    stated_by: str = "paper"  # or "us": a threshold of our own, which is never shown as the paper's
    explanation: str = ""  # why the value is not reached

    @property
    def is_claim(self) -> bool:
        """Whether our result is judged by it, and not only shown beside it."""
        return self.value is not None and self.claim != "none"

    @property
    def is_strict(self) -> bool:
        """Whether a bound must be passed: without a tolerance, one of two experiments is not better in a tie."""
        return self.claim in ("at least", "at most") and bool(self.baseline) and not self.tolerance

    @property
    def symbol(self) -> str:
        """What stands before the value."""
        return CLAIMS[self.claim].translate({ord("≥"): ">", ord("≤"): "<"} if self.is_strict else {})

    @property
    def ends(self) -> list[float]:
        """The value; of a range both ends."""
        return [end for end in (self.value, self.upper) if end is not None]

    @property
    def baseline(self) -> str:
        """The experiment with which ``minus`` or ``over`` compares ours; empty without them."""
        return self.minus or self.over

    @property
    def experiments(self) -> list[str]:
        """The experiment, and its baseline."""
        return [self.experiment, self.baseline] if self.baseline else [self.experiment]

    @property
    def sign(self) -> str:
        """Between the two experiments: ``double_q − q_learning``."""
        return " − " if self.minus else " ÷ "

    @property
    def row(self) -> str:
        """As a row of a table."""
        return self.sign.join(self.experiments)

    @property
    def name(self) -> str:
        """What tells it from the other targets of its experiment."""
        return self._named(self.stated_by)

    @property
    def other_name(self) -> str:
        """Its name if ``stated_by`` were the other one."""
        return self._named("us" if self.stated_by == "paper" else "paper")

    def _named(self, stated_by: str) -> str:
        compared = f" {'minus' if self.minus else 'over'} {self.baseline}" if self.baseline else ""
        return self.metric + compared + (" (own threshold)" if stated_by == "us" else "")


def read_seeds(paper: DictConfig) -> list[int]:
    """The seeds that count."""
    return list(paper.get("seeds") or [0])


def stated_targets(paper: DictConfig) -> list[DictConfig]:
    """What each target states, itself or by ``target_defaults``."""
    defaults = paper.get("target_defaults") or {}
    return [OmegaConf.merge({}, defaults, given) for given in paper.get("targets") or []]  # Hydra's forbid new keys


def read_targets(paper: DictConfig) -> list[Target]:
    """The targets, in the order of the file.

    Raises:
        UsageError: names every mistake in the targets and the seeds, one per line.
    """
    targets, problems = [], []
    for position, given in enumerate(stated_targets(paper), start=1):
        target, wrong = _read_target(given)
        targets.append(target)
        problems += [f"target {position} ({given.get('metric') or 'without a metric'}): {text}" for text in wrong]
    for (row, metric, _), times in Counter((one.row, one.metric, one.stated_by) for one in targets).items():
        if times > 1:
            problems.append(f"{times} targets name {metric} of {row}. Log it under a second name. A range has upper.")
    seeds = paper.get("seeds") or ListConfig([0])
    if not isinstance(seeds, ListConfig) or not all(type(seed) is int for seed in seeds):
        problems.append(f"seeds: {seeds} is not a list of whole numbers, such as [0, 1, 2].")
    if not targets:
        problems.append("there are no targets. State a value of the paper, for example metric: test/accuracy.")
    if problems:
        raise UsageError("\n".join(f"configs/paper.yaml, {problem}" for problem in problems))
    return targets


def targets_of(cfg: DictConfig) -> list[Target]:
    """The targets of the experiment ``cfg``."""
    return [target for target in read_targets(cfg.paper) if target.experiment == cfg.name]


def _read_target(given: DictConfig) -> tuple[Target, list[str]]:
    """A target, and what is wrong with it. A key that is null has its default."""
    target, problems = OmegaConf.structured(Target), []
    for key, value in given.items():
        if key not in Target.__annotations__:
            near = get_close_matches(key, Target.__annotations__, n=1) or Target.__annotations__
            problems.append(f"{key} is not a key of a target. Did you mean {' or '.join(near)}?")
        elif value is not None:
            try:
                target[key] = value
            except ValidationError:
                expected = EXPECTED.get(Target.__annotations__[key], "a number, such as 94.3")
                problems.append(f"{key}: {value} is not {expected}.")
    options = [path.stem for path in (CONFIGS / "experiment").glob("*.yaml")]
    for key in ("experiment", "minus", "over"):
        if target[key] and target[key] not in options:
            near = get_close_matches(target[key], options, n=1) or sorted(options)
            problems.append(f"{key}: configs/experiment/ has no {target[key]}. Did you mean {' or '.join(near)}?")
    for key, allowed in CHOICES.items():
        if target[key] not in allowed:
            problems.append(f"{key}: {target[key]} is not one of: {', '.join(allowed)}.")
    if target.upper is not None:
        target.tolerance = target.tolerance or 0
        if target.claim != "equal" or target.value is None or target.value >= target.upper:
            problems.append("upper: a range has the form value: 85, upper: 90, with claim: equal.")
    if target.minus and target.over:
        problems.append("minus and over exclude each other: a value is a difference or a quotient.")
    if OmegaConf.is_missing(target, "metric"):
        target.metric = ""
        problems.append("metric is missing. Name what PaperProcedure logs, for example metric: test/accuracy.")
    if target.metric.startswith("train/"):
        problems.append(
            f"evaluate.py cannot compute {target.metric} again from a checkpoint. Keep the value in a buffer of "
            "PaperProcedure, log it as test/… in on_test_epoch_end, and name that metric here."
        )
    return OmegaConf.to_object(target), problems
