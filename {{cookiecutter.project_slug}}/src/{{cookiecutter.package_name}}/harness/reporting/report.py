"""What is known of the reproduction, as plain data: the same for terminal, Markdown, figures and HTML."""

import functools
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ..evidence import citations, sources, tests
from ..evidence.claims import Evidence, Result, read_evidence
from ..evidence.record import best_last
from ..identity import ROOT, compose, digest
from .text import count

PAPER_FILES = ["model.py", "loss.py", "data.py", "metrics.py", "procedure.py"]
MAIN = "configs/paper.yaml", "configs/experiment/paper.yaml"
READABLE = {".py", ".yaml", ".md", ".toml", ".cff"}
PROVED = ("Equation", "Algorithm", "Theorem", "Lemma", "Proposition", "Definition")  # what a test can verify


@dataclass
class Effect:
    """What one alternative of an assumed value changes in one of our results."""

    value: sources.Value
    alternative: object
    row: Result
    changed: dict[str, list[dict]]  # its records, by experiment: ours, its baseline, or both have the value

    @functools.cached_property
    def found(self) -> dict[int, dict]:
        """The records of ours, by seed, as far as the baseline has them, too."""
        target = self.row.target
        ours = self._by_seed(self.changed.get(target.experiment, self.row.counted))
        return {seed: record for seed, record in ours.items() if not target.baseline or seed in self.compared}

    @functools.cached_property
    def compared(self) -> dict[int, dict]:
        """The records of the baseline, by seed."""
        return self._by_seed(self.changed.get(self.row.target.baseline, self.row.compared.values()))

    def _by_seed(self, records: Iterable[dict]) -> dict[int, dict]:
        return {record["seed"]: record for record in records if self.row.target.metric in record["metrics"]}

    @property
    def differences(self) -> list[float]:
        """For each seed that both have, the alternative's result minus ours."""
        both = [(self.found[record["seed"]], record) for record in self.row.counted if record["seed"] in self.found]
        changed = replace(self.row, compared=self.compared)
        return [changed.value_of(other) - self.row.value_of(ours) for other, ours in both]

    @property
    def change(self) -> str:
        """As an override: ``data.batch_size=64``."""
        return sources.override(self.value, self.alternative)

    def as_text(self) -> str:
        """The mean difference in the paper's unit, and the number of seeds."""
        if not self.differences:
            return "none of ours counts yet"
        if not all(map(math.isfinite, self.differences)):
            return "it or ours diverged"
        mean = statistics.fmean(self.differences)
        return f"{mean:+.3g} {self.row.target.unit}".rstrip() + f" (n = {len(self.differences)})"


@dataclass
class Report:
    """Everything that the report shows. All of it follows from committed files."""

    evidence: Evidence
    sources: dict[str, list[sources.Value]]  # by experiment
    claimed: list[sources.Value]  # the values that the paper reports
    unstated: dict[str, list[str]]  # settings without a source, by experiment
    suite: tests.Suite
    lost_checks: list[str]  # the checks of the template that are missing, changed or skipped
    parts: list[citations.PaperPart]
    todos: dict[str, list[int]]  # lines marked TODO(paper), by file
    effects: list[Effect]

    @property
    def paper(self) -> DictConfig:
        return self.evidence.paper

    @property
    def rows(self) -> list[Result]:
        return self.evidence.results

    @property
    def networks(self) -> dict[str, list[dict]]:
        """The modules of each network that was trained, by the first experiment with it."""
        counted = [(row.target.experiment, record.get("architecture")) for row in self.rows for record in row.counted]
        return {
            name: modules
            for i, (name, modules) in enumerate(counted)
            if modules and modules not in [m for _, m in counted[:i]]
        }

    @property
    def values(self) -> list[sources.Value]:
        """The paper's results and settings, each listed once although experiments inherit them."""
        return _once([self.claimed, *self.sources.values()])

    @property
    def on_other_data(self) -> bool:
        """Whether a target says that our data are not the paper's."""
        return any(value.kind == "differs" and value.key.startswith("data of ") for value in self.claimed)

    @property
    def differing(self) -> list[str]:
        """What differs from the paper on purpose, each with what the paper has: ``data = digits (Section 4 has …)``."""
        found = {}
        for value in (value for value in self.values if value.kind == "differs"):
            of = "" if value.file in MAIN else f"{Path(value.file).stem}: "
            name = value.key.partition(" of ")[0]  # data of any row
            found[f"{of}{name} = {value.value} ({sources.DIFFERS.sub('', value.source)})"] = None
        return [*found]

    @functools.cached_property
    def unverified(self) -> list[str]:
        """Why the code cannot be called verified; empty where it can."""
        why = []
        stand_ins = [name for path in self.todos if (name := Path(path).name) in PAPER_FILES]
        if self.todos:
            why.append(f"{'stand-ins, ' * bool(stand_ins)}TODO(paper) in {', '.join(stand_ins or self.todos)}")
        failed = [name for name, outcome in self.suite.outcomes.items() if outcome == "failed"]
        if self.suite.unknown:
            why.append(self.suite.unknown)
        elif failed:
            why.append(f"{count(len(failed), 'test')} failed")
        why += [f"{count(len(self.lost_checks), 'check')} lost: {self.lost_checks[0]}"] if self.lost_checks else []
        wrong = [value for value in self.values if value.problems]
        if wrong and not self.todos:
            why.append(f"{count(len(wrong), 'value')} without a right source")
        to_prove = [part for part in self.parts if part.name.startswith(PROVED)]
        unproved = [part.name for part in to_prove if part.state not in ("verified", "configuration")]
        if unproved:
            why.append(f"no passing test of {', '.join(unproved)}")
        return why

    @property
    def uncounted(self) -> dict[str, list[str]]:
        """The runs that count for no target and are of no alternative, by the reason."""
        shown = {record["file"] for effect in self.effects for runs in effect.changed.values() for record in runs}
        left = [(why, record["run"]) for record, why in self.evidence.uncounted if record["file"] not in shown]
        return {reason: [run for why, run in left if why == reason] for reason in dict(left)}

    @property
    def notes(self) -> dict[str, list[str]]:
        """What limits the status, by heading."""
        changes, late = self.evidence.claim_changes, best_last(self.evidence.counted.values())
        found = {"Not verified": self.unverified, "Unlike the paper": self.differing, "Changed after the runs": changes}
        found["Best at the last validation, so that training may not have converged"] = late
        return {heading: items for heading, items in found.items() if items}

    @property
    def papers_rows(self) -> list[Result]:
        """The results for values of the paper, without our own thresholds and what is only shown."""
        return [row for row in self.rows if row.target.is_claim and row.target.stated_by == "paper"]

    @property
    def reproduced(self) -> int:
        """The number of the paper's values that are reproduced."""
        return sum(row.verdict.startswith("reproduced") for row in self.papers_rows)

    @property
    def stage(self) -> str:
        """*not started*, *trained* or *verified*; with all verdicts *reproduced*, *partly reproduced* or *not reproduced*."""
        if not any(row.counted or row.left_out for row in self.rows):
            return "not started"
        if self.unverified or not any(row.counted for row in self.rows):
            return "trained"
        if not self.papers_rows or any(row.why_no_verdict for row in self.rows if row.target.is_claim):
            return "verified"
        return {len(self.papers_rows): "reproduced", 0: "not reproduced"}.get(self.reproduced, "partly reproduced")

    @property
    def status(self) -> str:
        """The headline: the stage, and what the runs that count say."""
        seeds = {record["seed"] for row in self.rows for record in row.counted}
        if self.stage == "not started":
            return self.stage
        if not seeds:
            return f"{self.stage} · no run counts yet"
        judged = [row for row in self.papers_rows if not row.why_no_verdict]
        asked = any(row.target.stated_by == "paper" and row.target.claim != "none" for row in self.rows)
        result = " · no verdict yet" if asked else ""
        if judged:
            result = f" · {self.reproduced} of {len(self.papers_rows)} within the tolerance"
        if self.stage.endswith("reproduced"):
            result = f" {self.reproduced} of {len(self.papers_rows)}"
        if judged and self.on_other_data:
            result += " on other data"
        stated = [row for row in self.rows if row.target.is_claim and row.target.stated_by == "us"]
        own = [row.verdict.startswith("reached") for row in stated]
        ours = f" · {sum(own)} of {len(own)} own thresholds reached" if own else ""
        return f"{'reproduced' if self.stage.endswith('reproduced') else self.stage}{result}{ours} · {count(len(seeds), 'seed')}"


def report(write: bool = True) -> Report:
    """Collect everything that is known.

    Args:
        write: keep what pytest left in ``runs/`` as ``results/tests.json``, which is committed.

    Raises:
        UsageError: a file cannot be read as what it should be.
    """
    known = read_evidence()
    suite = tests.read_suite(write)
    by_experiment = {name: sources.experiment_values(name) for name in known.configs}
    return Report(
        evidence=known,
        sources=by_experiment,
        claimed=[*sources.target_values()],
        unstated=_unstated(by_experiment),
        suite=suite,
        lost_checks=tests.lost_checks(suite),
        parts=citations.paper_parts(suite, _once(by_experiment.values())),
        todos=todos(),
        effects=_effects(known, by_experiment),
    )


def _once(lists: Iterable[list[sources.Value]]) -> list[sources.Value]:
    """The values of several experiments: what they inherit is listed once."""
    return list({(value.file, value.line): value for values in lists for value in values}.values())


def _unstated(by_experiment: dict[str, list[sources.Value]]) -> dict[str, list[str]]:
    """The settings without a source, each listed once: under the experiment that the others inherit it from."""
    of, told, found = functools.cache(sources.values_without_source), set(), {}
    for name, values in by_experiment.items():
        files = dict.fromkeys(Path(value.file) for value in values)
        for base in [*(path.stem for path in files if path.parent.name == "experiment"), name]:
            new = [text for text in of(base) if text in of(name) and text not in told]
            found[base] = found.get(base, []) + new
            told.update(new)
    return found


def todos() -> dict[str, list[int]]:
    """The lines marked ``TODO(paper)``, by file."""
    paths = [*ROOT.glob("*"), *(path for room in ("configs", "src", "tests") for path in (ROOT / room).rglob("*"))]
    found = {}
    for path in sorted(path for path in paths if path.suffix in READABLE and "harness" not in name_of(path).split("/")):
        if path.name in ("README.md", "AGENTS.md"):  # they explain the mark
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        name, unused = name_of(path), sources.needless(path.stem) if path.parent == sources.EXPERIMENTS else ()
        marked = [at for at, line in enumerate(lines, start=1) if "TODO(paper)" in line and (name, at) not in unused]
        if marked:
            found[name] = marked
    return found


def _effects(known: Evidence, by_experiment: dict[str, list[sources.Value]]) -> list[Effect]:
    """The effect of each alternative of an assumed value on each result; empty where it was not run."""
    runs = {
        (name, sources.override(value, other)): _runs(known, name, value, other)
        for name, values in by_experiment.items()
        for value in values
        for other in value.alternatives
    }
    found, asked = [], {}
    rows = {(row.target.row, row.target.metric): row for row in known.results}.values()
    for row in sorted(rows, key=lambda row: row.target.experiment != "paper"):  # which all inherit
        names = row.target.experiments
        for value in _once(by_experiment[name] for name in names):
            for alternative in value.alternatives:
                change = sources.override(value, alternative)
                changed = {name: runs[name, change] for name in names if runs.get((name, change)) is not None}
                effect = Effect(value, alternative, row, changed)
                first = asked.setdefault((value.file, value.line), row.target.experiment)
                if changed and (effect.found or first == row.target.experiment):  # inherited: one experiment is enough
                    found.append(effect)
    return found


def _runs(known: Evidence, experiment: str, value: sources.Value, alternative: object) -> list[dict] | None:
    """The records of an alternative; None where it changes nothing."""
    there = digest(_changed(experiment, known.configs[experiment], value, alternative))
    if there == digest(known.configs[experiment]):
        return None
    return [record for record in reversed(known.current) if record["digest"] == there]


def _changed(experiment: str, cfg: DictConfig, value: sources.Value, alternative: object) -> DictConfig:
    if value.group:
        return compose(f"experiment={experiment}", sources.override(value, alternative))
    cfg = cfg.copy()  # faster than to compose it anew
    OmegaConf.update(cfg, value.key, alternative, merge=False, force_add=True)
    return cfg


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
