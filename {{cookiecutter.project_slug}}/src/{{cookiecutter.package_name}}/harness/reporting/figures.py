"""The figures of the report, as SVG."""

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from ..evidence.claims import Result

GREY, OURS = "#808080", "#1f77b4"  # readable on a light and on a dark page
STATED = {  # how a value is drawn, by who states it
    "paper": {"color": "#d62728", "label": "paper ± tolerance"},
    "us": {"color": "#ff7f0e", "label": "our own threshold"},
}
LINES = 10  # more curves than that are drawn as their median and range
matplotlib.rcParams |= {
    "svg.hashsalt": "report",  # the same figure is the same file
    "text.parse_math": False,  # a name with a $ in it is a name
    **dict.fromkeys(["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"], GREY),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "legend.frameon": False,
}


def draw_results(rows: list[Result]) -> str:
    """A panel for each value of the paper: every seed a point, our mean with its 95 % interval, the paper's value."""
    figure, panels = _panels(len(rows), across=4, width=2.8, height=2.8)
    for axes, row in zip(panels, rows, strict=True):
        target, ticks = row.target, {record["seed"]: record["seed"] for record in row.counted}
        for end in target.ends:
            axes.axhline(end, **STATED[target.stated_by])
        if target.ends and target.claim == "equal" and target.tolerance is not None:
            low, high = target.ends[0] - target.tolerance, target.ends[-1] + target.tolerance
            axes.axhspan(low, high, color=STATED[target.stated_by]["color"], alpha=0.15)
        axes.plot(list(ticks), row.values, "o", color=OURS, markersize=4, label="ours")
        if row.interval:
            half, end = (row.interval[1] - row.interval[0]) / 2, max(ticks) + 1
            axes.errorbar([end], [row.ours], [half], fmt="D", color=OURS, capsize=3, label="mean, 95 % interval")
            ticks[end] = "mean"
        if len(ticks) <= LINES + 1:
            axes.set_xticks(list(ticks), list(ticks.values()))
        axes.margins(x=0.2, y=0.25)
        axes.set(xlabel="seed", ylabel=f"{target.metric}{f' ({target.unit})' if target.unit else ''}")
        verdict = row.verdict.replace(" (", "\n(")  # in two lines, for panels are narrow
        axes.set_title(f"{target.row}, {target.metric}\n{verdict}", fontsize=9)
    _legend(figure)
    return _svg(figure)


def draw_curves(rows: list[Result]) -> str:
    """Of one experiment a panel for each quantity that was logged, a line for each seed; the learning rate, if it moves.

    Validation of an experiment with which ours is compared stands in the same panels.
    """
    counted = rows[0].counted
    baselines = {row.target.baseline: row.compared.values() for row in rows if row.compared}
    names = sorted({name.split("/", 1)[1] for record in counted for name in record["curves"]})
    rates = [record["curves"].get("train/learning rate", {"values": []})["values"] for record in counted]
    if len(set().union(*rates)) == 1 < len(names):
        names.remove("learning rate")
    names.sort(key="learning rate".__eq__)  # the last
    figure, panels = _panels(len(names), across=2, width=4.8 if len(names) > 1 else 7, height=3.4)
    for axes, name in zip(panels, names, strict=True):
        lines = [("train", counted, GREY, "training")]
        lines += [("val", of, f"C{i}", f"{one}, validation") for i, (one, of) in enumerate(baselines.items(), start=4)]
        for split, records, color, label in [*lines, ("val", counted, OURS, "validation")]:
            curves = [r["curves"][f"{split}/{name}"] for r in records if f"{split}/{name}" in r["curves"]]
            _draw(axes, curves, color, label)
        for row in rows:
            target = row.target
            if target.metric.split("/", 1)[-1] == name and not target.baseline:
                for end in target.ends:
                    axes.axhline(end / target.scale, linestyle="--", **STATED[target.stated_by])
        axes.set(xlabel="step", ylabel=name)
        if "loss" in name:
            _log_scale(axes)
        if any(row.target.log_x for row in rows):
            axes.set_xscale("log")
            _plain(axes.xaxis)
    _legend(figure)
    return _svg(figure)


def _panels(count: int, across: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    across = min(across, count)
    down = -(-count // across)
    figure = Figure(figsize=(max(4.2, width * across), height * down + 0.3), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def _legend(figure: Figure) -> None:
    """One legend for all panels."""
    known = {}
    for axes in figure.axes:
        lines, labels = axes.get_legend_handles_labels()
        known |= dict(zip(labels, lines, strict=True))
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=int(figure.get_figwidth() // 2))


def _draw(axes: Axes, curves: list[dict], color: str, label: str) -> None:
    if len(curves) <= LINES:
        for curve in curves:
            marker = "." if len(curve["steps"]) == 1 else None
            axes.plot(curve["steps"], curve["values"], marker=marker, color=color, alpha=0.8, label=label)
        return
    steps = np.asarray(max((curve["steps"] for curve in curves), key=len))
    values = np.stack([np.interp(steps, curve["steps"], curve["values"]) for curve in curves])  # (runs, steps)
    axes.fill_between(steps, values.min(0), values.max(0), color=color, alpha=0.2, linewidth=0)
    axes.plot(steps, np.median(values, 0), color=color, label=f"{label}, median and range")


def _log_scale(axes: Axes) -> None:
    values = [value for line in axes.get_lines() for value in line.get_ydata()]
    if values and min(values) > 0 and max(values) / min(values) > 10:
        axes.set_yscale("log")
        _plain(axes.yaxis)


def _plain(axis: Axis) -> None:
    """Numbers at the powers of ten as they are; by default they would be formulas, which are not parsed here."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
