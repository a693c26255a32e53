"""What the paper claims beside what our runs reached: which runs count, and what their numbers say."""

import math
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ..identity import ROOT, UsageError, compose, differences, digest, identity
from .record import checksum, code_digest, read

CLAIMS = {"equal": "", "at least": "≥ ", "at most": "≤ "}
AGGREGATES = {"mean": statistics.fmean, "median": statistics.median, "max": max, "min": min}
TARGET = {
    "metric": "???",
    "dataset": "",
    "value": None,
    "claim": "equal",
    "std": None,
    "n_runs": None,
    "aggregate": "mean",
    "scale": 1,
    "unit": "",
    "mode": "max",  # of equal: is larger better (max) or smaller (min)?
    "tolerance": None,
    "reason": "",
    "experiment": "paper",
    "log_x": False,  # of the curves
}
DECIDES = ["value", "claim", "aggregate", "scale", "mode", "tolerance"]  # the verdict
NUMBERS = {"value", "std", "n_runs", "scale", "tolerance"}
# Of Student's distribution, for a 95 % interval; from ten degrees of freedom on, a series about the normal's is exact
# to three digits (Abramowitz and Stegun, Equation (26.7.5)).
T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


@dataclass
class Row:
    """One value of the paper beside ours, both in the paper's unit."""

    target: DictConfig
    counted: list[dict]  # records, one for each seed
    left_out: list[tuple[dict, str]]  # records and why they do not count
    seeds: list[int]  # that were declared

    @property
    def missing(self) -> list[int]:
        """The declared seeds of which no run counts."""
        counted = {record["seed"] for record in self.counted}
        return [seed for seed in self.seeds if seed not in counted]

    @cached_property
    def values(self) -> list[float]:
        return [record["metrics"][self.target.metric] * self.target.scale for record in self.counted]

    @property
    def ours(self) -> float:
        """The one value of all our runs that is set beside the paper's: what the paper makes of its own."""
        if any(map(math.isnan, self.values)):  # which max and min may pass over
            return math.nan
        return AGGREGATES[self.target.aggregate](self.values)

    @property
    def std(self) -> float | None:
        """Over seeds; None for one seed, and where the best or the median is compared."""
        if self.target.aggregate != "mean" or len(self.values) < 2 or not math.isfinite(self.ours):
            return None
        return statistics.stdev(self.values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of our mean, with 95 % confidence, by Student's t; None where there is no standard deviation."""
        if self.std is None:
            return None
        half = t_975(len(self.values) - 1) * self.std / math.sqrt(len(self.values))
        return self.ours - half, self.ours + half

    @property
    def undecided(self) -> str:
        """Why there is no verdict; empty where there is one."""
        target = self.target
        if not self.counted:
            return "no run counts" if self.left_out else "no run yet"
        if target.value is None:
            return "no paper value"
        if target.claim == "equal" and target.tolerance is None:
            return "no tolerance"
        if target.tolerance and not target.reason.strip():
            return "no reason for the tolerance"
        if self.missing:
            so_far = "within" if self.holds(self.ours) else "outside"
            return f"so far {so_far}, seed {', '.join(map(str, self.missing))} missing"
        return ""

    @property
    def verdict(self) -> str:
        """What our one value says, with what limits it in brackets; or why there is none."""
        if self.undecided:
            return self.undecided
        target, within, limits = self.target, self.holds(self.ours), []
        if within and len(self.counted) == 1:
            limits.append("n = 1")
        if not within and target.claim == "equal":  # what is missed by at least or at most is worse
            better = self.ours > target.value if target.mode == "max" else self.ours < target.value
            limits += ["better"] if better else []
        if self.certain is False:
            limits.append("interval exceeds tolerance" if within else "interval reaches tolerance")
        return ("reproduced" if within else "not reproduced") + (f" ({', '.join(limits)})" if limits else "")

    @property
    def decided(self) -> bool:
        return not self.undecided

    @property
    def changed(self) -> str:
        """What of the claim is not what it was when the runs that count began; empty where it is the same."""
        target, before = self.target, {}
        for record in self.counted:
            then = record.get("claims", {}).get(target.metric, {})
            then = {"scale" if key == "factor" else key: value for key, value in then.items()}  # its name of before
            decides = [key for key in DECIDES if key != "mode" or target.claim == "equal"]
            before |= {key: then[key] for key in decides if key in then and then[key] != target[key]}
        return ", ".join(f"{key} ({value} then, {target[key]} now)" for key, value in before.items())

    @property
    def certain(self) -> bool | None:
        """Whether all of the interval says what the mean says; None where there is no interval or no verdict."""
        if self.interval is None or not self.decided:
            return None
        ends = [self.holds(end) for end in self.interval]
        if self.holds(self.ours):
            return all(ends)
        below, above = (end < self.target.value for end in self.interval)
        return not any(ends) and below == above

    def holds(self, value: float) -> bool:
        """Whether ``value``, in the paper's unit, is what the paper claims, within the tolerance."""
        difference, tolerance = value - self.target.value, self.target.tolerance or 0
        return {
            "equal": abs(difference) <= tolerance,
            "at least": difference >= -tolerance,
            "at most": difference <= tolerance,
        }[self.target.claim]

    @property
    def command(self) -> str:
        """What trains all seeds that count."""
        several = "-m " if len(self.seeds) > 1 else ""
        return f"python train.py {several}experiment={self.target.experiment} seed={','.join(map(str, self.seeds))}"

    def shown(self) -> dict[str, str]:
        """The row as text, by column."""
        target, unit = self.target, f" {self.target.unit}" if self.target.unit else ""
        spread = f" ± {target.std:g}" if target.std else ""
        of = "n =" if target.aggregate == "mean" else f"{target.aggregate} of"
        runs = f" ({of} {target.n_runs})" if target.n_runs else ""
        paper = "–" if target.value is None else f"{CLAIMS[target.claim]}{target.value:g}{spread}{unit}{runs}"
        ours = f"{number(self.ours, self.std)}{unit} ({of} {len(self.counted)})" if self.counted else "–"
        interval = "–"
        if self.interval:
            places = decimals((self.interval[1] - self.interval[0]) / 2)
            interval = " … ".join(f"{end:.{places}f}" for end in self.interval)
        return {
            "experiment": target.experiment,
            "metric": target.metric,
            "data": " ".join(str(target.dataset).split()) or "–",
            "paper": paper,
            "ours": ours,
            "95 % interval": interval,
            "tolerance": "–" if target.tolerance is None else f"± {target.tolerance:g}",
            "verdict": self.verdict,
        }


def t_975(freedom: int) -> float:
    """The 97.5 % point of Student's distribution."""
    if freedom <= len(T_975):
        return T_975[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    g1, g2, g3 = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3


def decimals(spread: float) -> int:
    """How many decimals show two digits of ``spread``."""
    return max(0, 1 - math.floor(math.log10(spread))) if spread > 0 and math.isfinite(spread) else 2


def number(value: float, spread: float | None = None) -> str:
    """``value ± spread`` with two digits of the spread, or four digits of the value alone."""
    if not spread:
        return f"{value:.4g}"
    return f"{value:.{decimals(spread)}f} ± {spread:.{decimals(spread)}f}"


@dataclass
class Evidence:
    """The paper's claims and all records, and which of them count for which claim."""

    paper: DictConfig
    rows: list[Row]
    records: list[dict]  # all that lie in results/, the newest first
    now: dict[str, DictConfig]  # the configuration of each targeted experiment
    trusted: list[dict]  # records that their runs wrote, of the present code, whatever their configuration

    @property
    def changed(self) -> list[str]:
        """What of the claims is not what it was when the runs that count began."""
        found = [f"{row.target.metric} {row.changed}" for row in self.rows if row.changed]
        counted = {id(record): record for row in self.rows for record in row.counted}.values()
        known = {(row.target.experiment, row.target.metric) for row in self.rows}
        for record in counted:
            gone = [name for name in record.get("claims", {}) if (record["experiment"], name) not in known]
            found += [f"the target {name} of {record['experiment']} is gone" for name in gone]
            if record.get("seeds", self.rows[0].seeds) != self.rows[0].seeds:
                found.append(f"seeds ({record['seeds']} then, {self.rows[0].seeds} now)")
        return list(dict.fromkeys(found))

    @property
    def uncounted(self) -> list[tuple[dict, str]]:
        """The records that count for no claim, each with the first reason."""
        counted = {id(record) for row in self.rows for record in row.counted}
        reasons: dict[int, str] = {}
        for row in self.rows:
            for record, reason in row.left_out:
                reasons.setdefault(id(record), reason)
        return [
            (record, reasons.get(id(record), f"no target is of {record['experiment']}"))
            for record in self.records
            if id(record) not in counted
        ]

    def runs(self) -> list[str]:
        """The folders of the runs that count, as far as they are here."""
        names = dict.fromkeys(record["run"] for row in self.rows for record in row.counted)
        return [name for name in names if (ROOT / name / "checkpoints").is_dir()]

    def commands(self) -> list[str]:
        """What trains every seed that is missing, finished ones skipped."""
        return list(dict.fromkeys(f"{row.command} resume=auto" for row in self.rows if row.missing))


def evidence() -> Evidence:
    """The claims of ``configs/paper.yaml`` beside the records of ``results/``.

    Raises:
        UsageError: a claim or a record cannot be read as what it should be.
    """
    paper = OmegaConf.load(ROOT / "configs" / "paper.yaml")
    targets, seeds = _targets(paper), list(paper.get("seeds") or [0])
    records = [read(path) | {"file": path.stem} for path in sorted((ROOT / "results").glob("*-seed*.json"))]
    records.sort(key=lambda record: record.get("started", ""), reverse=True)  # of several runs of a seed the newest
    now = {name: compose(f"experiment={name}") for name in dict.fromkeys(target.experiment for target in targets)}
    settings = {name: (digest(cfg), identity(cfg)) for name, cfg in now.items()}
    doubted = {id(record): _doubt(record) or _unfit(record) for record in records}
    rows = []
    for target in targets:
        row, counted, known = Row(target, [], [], seeds), set(), {}
        for record in records:
            if record["experiment"] != target.experiment:
                continue
            reason = doubted[id(record)] or _why_not(record, target.metric, *settings[target.experiment], seeds)
            curves = tuple(tuple(curve["values"]) for curve in record.get("curves", {}).values()) or record["file"]
            if not reason and record["seed"] in counted:
                reason = "a newer run of this seed counts"
            elif not reason and curves in known:
                reason = f"every number is that of seed {known[curves]}: a copy, or the seed changes nothing"
            if reason:
                row.left_out.append((record, reason))
            else:
                row.counted.append(record)
                counted.add(record["seed"])
                known[curves] = record["seed"]
        row.counted.sort(key=lambda record: record["seed"])
        rows.append(row)
    return Evidence(paper, rows, records, now, [record for record in records if not doubted[id(record)]])


def claims_of(cfg: DictConfig) -> dict[str, dict]:
    """By metric, what the experiment ``cfg`` is to reach, and what decides the verdict."""
    targets = [target for target in _targets(cfg.paper) if target.experiment == cfg.name]
    return {target.metric: {key: target[key] for key in DECIDES} for target in targets}


def verdict(cfg: DictConfig, metrics: dict[str, float]) -> str:
    """What one run alone says of the claims of its experiment."""
    record = {"seed": cfg.seed, "metrics": metrics}
    rows = [
        Row(target, [record], [], [cfg.seed])
        for target in _targets(cfg.paper)
        if target.experiment == cfg.name and target.metric in metrics
    ]
    return "; ".join(f"{row.target.metric} {row.verdict}" for row in rows) or "no claim of this experiment"


def _targets(paper: DictConfig) -> list[DictConfig]:
    wrong, targets = [], []
    for position, given in enumerate(paper.get("targets") or [], start=1):
        target = OmegaConf.merge(TARGET, given)
        where = f"configs/paper.yaml, target {position} ({given.get('metric', 'without a metric')})"
        wrong += [f"{where}: no such key: {key}; there are {', '.join(TARGET)}" for key in given if key not in TARGET]
        wrong += [
            f"{where}: {key}: {target[key]} is no number, such as 94.3"
            for key in sorted(NUMBERS)
            if target[key] is not None and (isinstance(target[key], bool) or not isinstance(target[key], int | float))
        ]
        if str(target.metric).startswith("train/"):
            wrong.append(
                f"{where}: a checkpoint does not tell what happened in training, and evaluate.py could not repeat it: "
                "remember it in a buffer of PaperProcedure, log it as test/… in on_test_epoch_end, and claim that"
            )
        if [target.metric, target.experiment] in [[other.metric, other.experiment] for other in targets]:
            wrong.append(f"{where}: the target of {target.experiment} for {target.metric} is there twice")
        for key, allowed in {"claim": CLAIMS, "aggregate": AGGREGATES, "mode": ["max", "min"]}.items():
            if target[key] not in allowed:
                wrong.append(f"{where}: {key}: {target[key]}; it must be {' or '.join(allowed)}")
        targets.append(target)
    if not isinstance(seeds := paper.get("seeds") or [0], Iterable) or not all(type(seed) is int for seed in seeds):
        wrong.append(f"configs/paper.yaml: seeds: {seeds}; it must be a list of whole numbers, such as [0, 1, 2]")
    if not targets:
        wrong.append("configs/paper.yaml has no targets: at least one value of the paper is needed")
    if wrong:
        raise UsageError("\n".join(wrong))
    return targets


def _doubt(record: dict) -> str | None:
    """Why a record is not what a run wrote, or None."""
    name = f"{record['experiment']}-{record['digest']}-seed{record['seed']}"
    if record.get("checksum") != checksum((ROOT / "results" / f"{record['file']}.json").read_text(encoding="utf-8")):
        return "edited after it was written: its checksum is not that of its content"
    if not re.fullmatch(re.escape(name) + r"(-\d+)?", record["file"]) or Path(record["run"]).name != record["file"]:
        return f"renamed: it holds {name}"
    beside = ROOT / record["run"] / "record.json"
    if beside.is_file() and str(read(beside)["metrics"]) != str(record["metrics"]):  # nan is nan here
        return f"its run wrote other numbers, in {record['run']}"
    return None


def _unfit(record: dict) -> str | None:
    """Why a run says nothing of the present code, or None."""
    if record["status"] != "finished":
        return record["status"]
    if record["git"]["commit"] is None:
        return "code not in git"
    if record["git"]["dirty"]:
        return "code not committed"
    if record["code"] != code_digest():
        return f"the code has changed since commit {record['git']['commit'][:7]}"
    return None


def _why_not(record: dict, metric: str, current: str, config: dict, seeds: list[int]) -> str | None:
    if record["digest"] != current or record["config"] != config:
        return f"another configuration: {differences(record['config'], config, 'in it', 'now')}"
    if metric not in record["metrics"]:
        return f"no {metric} in it; there is {', '.join(record['metrics']) or 'nothing'}"
    if record["seed"] not in seeds:
        return f"seed {record['seed']} is not one of the seeds in configs/paper.yaml"
    return None
