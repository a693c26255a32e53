"""``python report.py``: the paper's numbers beside ours, computed from ``results/`` and never typed."""

import argparse
import math
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from .records import code_digest, read
from .settings import ROOT, UsageError, digest

FIGURES = ROOT / "docs" / "figures"
README_STATUS = re.compile(r"(<!-- status:begin[^>]*-->\n).*?(<!-- status:end -->)", re.DOTALL)
DOCSTRING_STATUS = re.compile(r'(\nReproduction status:\n).*?(""")', re.DOTALL)
READABLE = {".py", ".yaml", ".md", ".toml", ".cff"}


CLAIMS = {"equal": "", "at least": "≥ ", "at most": "≤ "}
TARGET = {
    "metric": "???",
    "dataset": "",
    "value": None,
    "claim": "equal",
    "spread": None,
    "factor": 1,
    "unit": "",
    "mode": "max",
    "tolerance": None,
    "reason": "",
    "experiment": "paper",
}


@dataclass
class Row:
    """One value of the paper beside ours, both in the paper's unit."""

    target: DictConfig
    counted: list[dict]  # records, one per seed
    left_out: list[tuple[dict, str]]  # records and why they do not count

    @property
    def values(self) -> list[float]:
        return [record["metrics"][self.target.metric] * self.target.factor for record in self.counted]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def std(self) -> float | None:
        return statistics.stdev(self.values) if len(self.values) > 1 and math.isfinite(self.mean) else None

    @property
    def verdict(self) -> str:
        target = self.target
        if not self.counted:
            return "no run counts" if self.left_out else "no run yet"
        if target.value is None:
            return "no paper value"
        if target.claim == "equal" and target.tolerance is None:
            return "no tolerance"
        if self.holds:
            return "reproduced" if len(self.counted) > 1 else "reproduced (n = 1)"
        better = self.mean > target.value if target.mode == "max" else self.mean < target.value
        return "not reproduced (better)" if better else "not reproduced"

    @property
    def holds(self) -> bool:
        """Whether our mean is what the paper claims, within the tolerance."""
        difference, tolerance = self.mean - self.target.value, self.target.tolerance or 0
        return {
            "equal": abs(difference) <= tolerance,
            "at least": difference >= -tolerance,
            "at most": difference <= tolerance,
        }[self.target.claim]

    def cells(self) -> list[str]:
        """Experiment, metric, data set, paper, ours, tolerance, verdict."""
        target, unit = self.target, f" {self.target.unit}" if self.target.unit else ""
        spread = f" ± {target.spread:g}" if target.spread else ""
        paper = "–" if target.value is None else f"{CLAIMS[target.claim]}{target.value:g}{spread}{unit}"
        ours = f"{_number(self.mean, self.std)}{unit} (n = {len(self.counted)})" if self.counted else "–"
        tolerance = "–" if target.tolerance is None else f"± {target.tolerance:g}"
        return [target.experiment, target.metric, _line(target.dataset) or "–", paper, ours, tolerance, self.verdict]


PAPER_FILES = ["model.py", "loss.py", "data.py", "metrics.py", "procedure.py"]
HEADER = ["experiment", "metric", "data", "paper", "ours", "tolerance", "verdict"]


def compare() -> tuple[DictConfig, list[Row]]:
    """The paper's claims, and a row for each of its targets.

    Raises:
        UsageError: ``configs/paper.yaml`` or a record cannot be read as what it should be.
    """
    paper = OmegaConf.load(ROOT / "configs" / "paper.yaml")
    targets = [OmegaConf.merge(TARGET, target) for target in paper.targets]
    for number, target in enumerate(targets, start=1):
        if target.claim not in CLAIMS or target.mode not in ("max", "min"):
            raise UsageError(
                f"configs/paper.yaml, target {number}: claim must be one of {', '.join(CLAIMS)}, and mode max or min."
            )
    records = [read(path) for path in sorted((ROOT / "results").glob("*.json"))]
    records.sort(key=lambda record: record.get("started", ""), reverse=True)  # of several runs of a seed the newest
    current = {name: _digest_now(name) for name in dict.fromkeys(target.experiment for target in targets)}
    code = code_digest()
    rows = []
    for target in targets:
        row = Row(target, [], [])
        for record in records:
            if record["experiment"] == target.experiment:
                reason = _why_not(record, target.metric, current[target.experiment], code)
                if not reason and record["seed"] in [other["seed"] for other in row.counted]:
                    reason = "a newer run of this seed counts"
                if reason:
                    row.left_out.append((record, reason))
                else:
                    row.counted.append(record)
        row.counted.sort(key=lambda record: record["seed"])
        rows.append(row)
    return paper, rows


def _digest_now(experiment: str) -> str:
    with hydra.initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return digest(hydra.compose("train", [f"experiment={experiment}"]))


def _why_not(record: dict, metric: str, current_digest: str, code: str) -> str | None:
    if record["status"] != "finished":
        return record["status"]
    if record["digest"] != current_digest:
        return "another configuration"
    if record["git"]["commit"] is None:
        return "code not in git"
    if record["git"]["dirty"]:
        return "code not committed"
    if record["code"] != code:
        return "the code has changed since"
    if metric not in record["metrics"]:
        return f"no {metric} in it"
    return None


def _number(value: float, spread: float | None = None) -> str:
    """``value ± spread`` with two digits of the spread, or four digits of the value alone."""
    if not spread:
        return f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(spread)))
    return f"{value:.{decimals}f} ± {spread:.{decimals}f}"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text).split())


def _markdown(text: str) -> str:
    """Shown as it is, never as a link or a tag."""
    text = re.sub(r"([\\`*_\[\]<>#|~&$]|:(?=//)|(?<=www)\.)", r"\\\1", text, flags=re.IGNORECASE)
    return text.replace("@", "@<!-- -->")


def status(rows: list[Row]) -> str:
    """*not started*, *runs*, or how many values are reproduced."""
    if not any(row.counted for row in rows):
        return "not started" if not any(row.left_out for row in rows) else "runs, but no run counts yet"
    if all(row.verdict in ("no paper value", "no tolerance") for row in rows if row.counted):
        return "runs; no paper value with a tolerance to compare with yet"
    reproduced = f"reproduced {sum(row.verdict.startswith('reproduced') for row in rows)} of {len(rows)}"
    stand_ins = [name for path in todos() if (name := Path(path).name) in PAPER_FILES]
    return f"{reproduced}, by stand-ins: TODO(paper) in {', '.join(stand_ins)}" if stand_ins else reproduced


def todos() -> dict[str, list[int]]:
    """The lines marked ``TODO(paper)``, by file."""
    paths = [*ROOT.glob("*"), *(path for room in ("configs", "src", "tests") for path in (ROOT / room).rglob("*"))]
    found = {}
    for path in sorted(
        path for path in paths if path.suffix in READABLE and "harness" not in path.relative_to(ROOT).parts
    ):
        if path.name in ("README.md", "AGENTS.md"):  # they explain the mark
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        marked = [number for number, line in enumerate(lines, start=1) if "TODO(paper)" in line]
        if marked:
            found[str(path.relative_to(ROOT))] = marked
    return found


def print_report(paper: DictConfig, rows: list[Row], figures: list[Path]) -> None:
    """The table, what does not count, what is left to do, and where the figures lie."""
    print(f"\n{_line(paper.title)} · status: {status(rows)}\n")
    table = [HEADER, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    left_out = {(record["run"], reason) for row in rows for record, reason in row.left_out}
    for run, reason in sorted(left_out):
        print(f"  not counted: {run} ({reason})")
    if marks := todos():
        print(f"\nLeft to do: {sum(map(len, marks.values()))} × TODO(paper)")
        for name, lines in marks.items():
            print(f"  {name}:{','.join(map(str, lines))}")
    if figures:
        print("\nFigures: " + ", ".join(str(path.relative_to(ROOT)) for path in figures))


def write_status(rows: list[Row]) -> None:
    """Bring the status in the README and in the package's docstring up to date, touching nothing else."""
    cells = [[_markdown(cell) for cell in row.cells()] for row in rows]
    lines = [f"**Status: {status(rows)}**", "", "| " + " | ".join(HEADER) + " |", "|---" * len(HEADER) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    if (FIGURES / "results.svg").exists():
        lines += ["", "![paper and ours](docs/figures/results.svg)"]
    _replace(ROOT / "README.md", README_STATUS, "\n".join(lines) + "\n")

    told = [
        f"    {experiment}, {metric}, {data}: paper {value}, ours {ours}: {verdict}"
        for experiment, metric, data, value, ours, _, verdict in (row.cells() for row in rows)
    ]
    text = "\n".join([f"    {status(rows)}", *told]).replace("\\", "\\\\").replace('"', '\\"')
    _replace(Path(__file__).parents[1] / "__init__.py", DOCSTRING_STATUS, text + "\n")


def _replace(path: Path, between: re.Pattern, text: str) -> None:
    before = path.read_text(encoding="utf-8")
    after = between.sub(lambda marks: marks[1] + text + marks[2], before, count=1)
    if after != before:
        path.write_text(after, encoding="utf-8")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.replace("``", "")).parse_args()
    paper, rows = compare()
    figures = []
    if any(row.counted for row in rows):
        from .figures import draw_curves, draw_results  # matplotlib, only once there is something to draw

        FIGURES.mkdir(parents=True, exist_ok=True)
        figures = [draw_results(rows, FIGURES / "results.svg"), *draw_curves(rows, FIGURES)]
    write_status(rows)
    print_report(paper, rows, figures)
