"""The figures of the report."""

import csv
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .settings import ROOT

GREY, OURS, THEIRS = "#808080", "#1f77b4", "#d62728"  # readable on a light and on a dark page
matplotlib.rcParams |= {
    "svg.hashsalt": "report",  # the same figure is the same file
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "font.size": 9,
}


def draw_results(rows: list, path: Path) -> Path:
    """A panel for each value of the paper: every seed a point, the paper's value a line with its tolerance."""
    rows = [row for row in rows if row.counted]
    figure = Figure(figsize=(2.6 * len(rows), 3.0), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        target = row.target
        if target.value is not None:
            axes.axhline(target.value, color=THEIRS, linewidth=1)
            if target.claim == "equal" and target.tolerance is not None:
                axes.axhspan(target.value - target.tolerance, target.value + target.tolerance, color=THEIRS, alpha=0.15)
        axes.plot([record["seed"] for record in row.counted], row.values, "o", color=OURS)
        axes.set_xticks([record["seed"] for record in row.counted])
        axes.margins(x=0.3, y=0.3)
        unit = f" ({target.unit})" if target.unit else ""
        axes.set(xlabel="seed", ylabel=f"{target.metric}{unit}")
        axes.set_title(f"{target.experiment}, {target.metric}\n{row.verdict}", fontsize=8)
    figure.legend(
        [matplotlib.lines.Line2D([], [], color=THEIRS), matplotlib.lines.Line2D([], [], color=OURS, marker="o", ls="")],
        ["paper ± tolerance", "ours"],
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    return _save(figure, path)


def draw_curves(rows: list, folder: Path) -> list[Path]:
    """For each experiment a figure with a panel for each quantity, a line for each seed; the learning rate is one."""
    drawn = []
    for experiment in dict.fromkeys(row.target.experiment for row in rows):
        runs = {r["seed"]: r["run"] for row in rows if row.target.experiment == experiment for r in row.counted}
        curves = {seed: _read(ROOT / run / "metrics.csv") for seed, run in runs.items()}
        names = sorted({name.split("/")[1] for curve in curves.values() for name in curve})
        if not names:
            continue
        targets = [row.target for row in rows if row.target.experiment == experiment]
        figure = Figure(figsize=(4.0 * len(names), 2.8), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for split, color in [("train", GREY), ("val", OURS)]:
                for position, curve in enumerate(curves.values()):
                    if points := curve.get(f"{split}/{name}"):
                        label = {"train": "training", "val": "validation"}[split] if position == 0 else None
                        axes.plot(*zip(*points, strict=True), color=color, linewidth=1, alpha=0.7, label=label)
            for target in targets:
                if target.metric == f"test/{name}" and target.value is not None:
                    axes.axhline(target.value / target.factor, color=THEIRS, linewidth=1, label="paper, test")
            axes.set(xlabel="step", ylabel=name)
            if "loss" in name:
                _log_scale(axes)
            axes.legend(frameon=False)
        drawn.append(_save(figure, folder / f"curves-{experiment}.svg"))
    return drawn


def _log_scale(axes: Axes) -> None:
    values = [value for line in axes.get_lines() for value in line.get_ydata()]
    if values and min(values) > 0 and max(values) / min(values) > 10:
        axes.set_yscale("log")


def _read(path: Path) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    if path.exists():  # runs/ is not committed: a clone has the records, and may not have the curves
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            rate = next((name for name in rows.fieldnames or () if name.startswith("lr-")), None)  # of the first group
            for row in rows:
                row["train/learning rate"] = row.get(rate)
                for name, value in row.items():
                    if value and name.startswith(("train/", "val/")):
                        curves.setdefault(name, []).append((int(row["step"]) + 1, float(value)))
    return curves


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, transparent=True, metadata={"Date": None})
    return path
