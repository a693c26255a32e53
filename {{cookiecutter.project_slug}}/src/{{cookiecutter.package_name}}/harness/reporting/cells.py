"""A result as the cells of a row in the table of results."""

import math

from ..evidence.claims import Result
from ..evidence.targets import CLAIMS


def cells(result: Result) -> dict[str, str]:
    """The cells by column."""
    target, unit = result.target, f" {result.target.unit}" if result.target.unit else ""
    std = f" ± {target.std:g}" if target.std else ""
    of = "n =" if target.aggregate == "mean" else f"{target.aggregate} of"
    runs = f" ({of} {target.n_runs})" if target.n_runs else ""
    ours, interval = "–", "–"
    if result.counted:
        ours = f"{number(result.ours, result.std)}{unit} ({of} {len(result.counted)})"
    if result.interval:
        low, high = result.interval
        places = _decimals((high - low) / 2)
        interval = f"{low:.{places}f} … {high:.{places}f}"
    return {
        "experiment": target.experiment,
        "metric": target.metric,
        "data": " ".join(target.dataset.split()) or "–",
        "paper": "–" if target.value is None else f"{CLAIMS[target.claim]}{target.value:g}{std}{unit}{runs}",
        "ours": ours,
        "95 % interval": interval,
        "tolerance": "–" if target.tolerance is None else f"± {target.tolerance:g}",
        "verdict": result.verdict,
    }


def number(value: float, std: float | None = None) -> str:
    """``value ± std`` with two digits of ``std``; without it, four digits of ``value``."""
    if not std:
        return f"{value:.4g}"
    return f"{value:.{_decimals(std)}f} ± {std:.{_decimals(std)}f}"


def _decimals(std: float) -> int:
    """How many decimals show two digits of ``std``."""
    return max(0, 1 - math.floor(math.log10(std))) if std > 0 and math.isfinite(std) else 2
