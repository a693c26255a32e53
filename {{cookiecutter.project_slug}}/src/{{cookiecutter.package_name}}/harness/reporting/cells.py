"""A result as the cells of a row in the table of results."""

import math
from statistics import fmean

from ..evidence.claims import Result

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+")


def cells(result: Result) -> dict[str, str]:
    """The cells by column."""
    target, unit = result.target, f" {result.target.unit}" if result.target.unit else ""
    std = f" ± {target.std:g}" if target.std else ""
    of = "n =" if target.aggregate == "mean" else f"{target.aggregate} of"
    runs = f" ({of} {target.n_runs})" if target.n_runs and target.stated_by == "paper" else ""
    ends = " … ".join(f"{end:g}" for end in target.ends)
    stated = f"{target.symbol}{ends}{std}{unit}{runs}" if ends else "–"
    exact = target.claim == "equal" and target.upper is None and target.tolerance == 0
    tolerance = f"± {target.tolerance:g}" if target.tolerance or exact else "–"
    ours = interval = "–"
    if target.stated_by == "us":
        tolerance, stated = f"{stated}{f' {tolerance}' if target.tolerance else ''}, our own threshold", "–"
    if result.diverged:
        ours = f"diverged in {result.diverged} of {len(result.values)} runs"
    elif target.deterministic and result.counted:
        ours = f"{result.ours:.5g}{unit} (deterministic)"
    elif result.counted:
        parts = f"; {_means(result)}" if target.baseline else ""
        ours = f"{number(result.ours, result.std)}{unit} ({of} {len(result.counted)}{parts})"
    if result.interval:
        low, high = result.interval
        interval = f"{number(low, (high - low) / 2, show=False)} … {number(high, (high - low) / 2, show=False)}"
    return {
        "experiment": target.row,
        "metric": target.metric,
        "data": " ".join(target.dataset.split()) or "–",
        "paper": stated,
        "ours": ours,
        "95 % interval": interval,
        "tolerance": tolerance,
        "verdict": result.verdict,
    }


def _means(result: Result) -> str:
    """The means of the two experiments: ``92.9 − 65.3``, or ``0.16 − (-0.91)``."""
    metric, scale = result.target.metric, result.target.scale
    sides = result.counted, [result.compared[record["seed"]] for record in result.counted]
    means = [number(fmean(record["metrics"][metric] * scale for record in side)) for side in sides]
    return result.target.sign.join([means[0], f"({means[1]})" if means[1].startswith("-") else means[1]])


def number(value: float, std: float | None = None, show: bool = True) -> str:
    """``value ± std`` with two digits of ``std``; without it, four digits of ``value``. Far from 1, powers of ten."""
    largest = max(abs(value), std or 0)
    if largest >= 1e6 or 0 < largest < 1e-5:
        spread = f" ± {_power(std)}" if std and show else ""
        return _power(value) + spread
    if not std:
        return f"{value:.4g}"
    places = max(0, 1 - math.floor(math.log10(std)))
    return f"{value:.{places}f}" + (f" ± {std:.{places}f}" if show else "")


def _power(value: float) -> str:
    """``1.5·10⁹``."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}·10{str(int(power)).translate(SUPERSCRIPTS)}" if math.isfinite(value) else f"{value}"
