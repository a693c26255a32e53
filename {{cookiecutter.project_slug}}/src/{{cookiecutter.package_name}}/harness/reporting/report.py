"""``python report.py``: the paper's numbers beside ours, computed from ``results/`` and never typed.

Writes the status into README.md, PAPER.md and the package's docstring, figures into docs/figures/, and REPORT.html.
"""

import argparse
import gc
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig

from ..evidence import citations
from ..evidence import sources as provenance
from ..evidence import tests as suite
from ..evidence.claims import Evidence, Row, evidence
from ..evidence.record import git_state
from ..identity import PACKAGE, ROOT, UsageError, compose, digest
from . import page

PAPER_FILES = ["model.py", "loss.py", "data.py", "metrics.py", "procedure.py"]
READABLE = {".py", ".yaml", ".md", ".toml", ".cff"}
PROVED = ("Equation", "Algorithm", "Theorem", "Lemma", "Proposition", "Definition")  # what a test can verify


@dataclass
class Step:
    """Something that is left to do."""

    what: str
    where: str  # a file and line, or a command


@dataclass
class Effect:
    """What one alternative of an assumed value changes in one of our results."""

    value: provenance.Value
    alternative: object
    row: Row
    found: dict[int, float]  # by seed, in the paper's unit

    @property
    def differences(self) -> list[float]:
        """For each seed that both have, what the alternative gives less what ours does."""
        ours = {record["seed"]: value for record, value in zip(self.row.counted, self.row.values, strict=True)}
        return [self.found[seed] - ours[seed] for seed in self.found.keys() & ours.keys()]

    @property
    def told(self) -> str:
        """Their mean in the paper's unit, and over how many seeds."""
        mean = statistics.fmean(self.differences)
        return f"{mean:+.3g} {self.row.target.unit}".rstrip() + f" (n = {len(self.differences)})"


@dataclass
class Report:
    """All that is said of the reproduction; a function of what is committed."""

    evidence: Evidence
    sources: dict[str, list[provenance.Value]]  # by experiment
    claimed: list[provenance.Value]  # what the paper reports
    outcomes: dict[str, str]  # of the tests, by their name; empty where they were not run on this code
    not_tested: str  # why outcomes is empty
    parts: list[citations.Part]

    @property
    def paper(self) -> DictConfig:
        return self.evidence.paper

    @property
    def rows(self) -> list[Row]:
        return self.evidence.rows

    @property
    def values(self) -> list[provenance.Value]:
        """What the paper reports and what it sets, each once: experiments inherit."""
        listed = [*self.claimed, *(value for values in self.sources.values() for value in values)]
        return list({(value.file, value.line): value for value in listed}.values())

    @cached_property
    def unstated(self) -> dict[str, list[str]]:
        """What has no source and stands nowhere in the experiment, by experiment."""
        return {name: provenance.unstated(name) for name in self.sources}

    @cached_property
    def todos(self) -> dict[str, list[int]]:
        return todos()

    @cached_property
    def unverified(self) -> list[str]:
        """Why the code cannot be called verified; nothing where it can."""
        why = []
        stand_ins = [name for path in self.todos if (name := Path(path).name) in PAPER_FILES]
        if stand_ins:
            why.append(f"stand-ins, TODO(paper) in {', '.join(stand_ins)}")
        elif self.todos:
            why.append(f"TODO(paper) in {', '.join(self.todos)}")
        failed = [name for name, outcome in self.outcomes.items() if outcome == "failed"]
        if self.not_tested:
            why.append(self.not_tested)
        elif failed:
            why.append(f"{_several(len(failed), 'test')} failed")
        wrong = [value for value in self.values if value.problems]
        if wrong and not self.todos:
            why.append(f"{_several(len(wrong), 'value')} without a right source")
        open_parts = [part.name for part in self.parts if part.name.startswith(PROVED) and _lacks_proof(part)]
        if open_parts:
            why.append(f"no passing test of {', '.join(open_parts)}")
        return why

    @property
    def stage(self) -> str:
        """*not started*, *runs* or *verified*; with all verdicts *reproduced*, *partly reproduced* or *not reproduced*."""
        if not any(row.counted or row.left_out for row in self.rows):
            return "not started"
        if self.unverified or not any(row.counted for row in self.rows):
            return "runs"
        if not all(row.decided for row in self.rows):
            return "verified"
        return {len(self.rows): "reproduced", 0: "not reproduced"}.get(self._reproduced, "partly reproduced")

    @property
    def _reproduced(self) -> int:
        return sum(row.verdict.startswith("reproduced") for row in self.rows)

    @property
    def status(self) -> str:
        """The stage, and what the runs that count say, in one line: the headline, wherever there is one."""
        rows, seeds = self.rows, {record["seed"] for row in self.rows for record in row.counted}
        compared = sum(row.decided for row in rows)
        if self.stage == "not started":
            return self.stage
        if not seeds:
            told = "no run counts yet"
        elif not compared:
            told = "no verdict yet"
        elif self.stage.endswith("reproduced"):
            return f"reproduced {self._reproduced} of {len(rows)} · {_several(len(seeds), 'seed')}"
        else:
            told = f"{self._reproduced} of {len(rows)} within the tolerance"
        return f"{self.stage} · {told} · {_several(len(seeds), 'seed')}" if seeds else f"{self.stage} · {told}"

    @cached_property
    def effects(self) -> list[Effect]:
        """For each assumed value with alternatives, what they give, where they were run."""
        found = []
        for experiment, values in self.sources.items():
            rows = [row for row in self.rows if row.target.experiment == experiment]
            for value in values:
                for alternative in value.alternatives:
                    there = digest(compose(f"experiment={experiment}", provenance.override(value, alternative)))
                    if there == digest(self.evidence.now[experiment]):
                        continue
                    runs = [r for r in reversed(self.evidence.trusted) if r["digest"] == there]
                    for row in rows:
                        metric, scale = row.target.metric, row.target.scale
                        by_seed = {r["seed"]: r["metrics"][metric] * scale for r in runs if metric in r["metrics"]}
                        found.append(Effect(value, alternative, row, by_seed))
        return found

    @cached_property
    def left(self) -> list[Step]:
        """What is left to do, the next step first, as AGENTS.md goes."""
        steps = [
            Step(f"{len(lines)} × TODO(paper)", f"{name}:{','.join(map(str, lines))}")
            for name, lines in sorted(self.todos.items(), key=lambda marked: _position(marked[0]))
        ]
        if trouble := provenance.paper_trouble():
            steps.append(Step(trouble, "paper.pdf"))
        steps += [
            Step(f"{value.key}: {problem}", f"{value.file}:{value.line}")
            for value in self.values
            for problem in value.problems
            if "TODO(paper)" not in value.source  # counted above
        ]
        for experiment in self.sources:
            if unstated := [told.split(" ")[0] for told in self.unstated[experiment]]:
                what = f"{_several(len(unstated), 'setting')} without a source: {', '.join(unstated[:3])}"
                steps.append(Step(what + ", …" * bool(unstated[3:]), f"configs/experiment/{experiment}.yaml"))
        for row in self.rows:
            if row.target.value is not None and row.target.claim == "equal" and row.target.tolerance is None:
                steps.append(Step(f"{row.target.metric} has no tolerance", "configs/paper.yaml"))
            elif row.target.tolerance and not row.target.reason.strip():
                steps.append(Step(f"the tolerance of {row.target.metric} has no reason", "configs/paper.yaml"))
        steps += [
            Step(f"changed after the runs: {changed}; say why in PAPER.md, or train again", "configs/paper.yaml")
            for changed in self.evidence.changed
        ]
        if self.not_tested:
            steps.append(Step(self.not_tested, "pytest"))
        steps += [Step("a failed test", name) for name, outcome in self.outcomes.items() if outcome == "failed"]
        steps += [
            Step(f"{part.name}: {part.state}", ", ".join(f"{place.file}:{place.line}" for place in part.places[:3]))
            for part in self.parts
            if part.state == "no code" or part.name.startswith(PROVED) and part.state == "no test"
        ]
        if missing := self.evidence.commands():
            if git_state()["dirty"]:
                steps.append(Step("code or configs are not committed: runs of them do not count", "git commit"))
            steps += [Step("seeds without a run that counts", command) for command in missing]
        # a dict, for the order of a set is another one each time
        open_effects = dict.fromkeys((e.row.target.experiment, e.value.key) for e in self.effects if not e.found)
        for experiment in dict.fromkeys(experiment for experiment, _ in open_effects):
            keys = ", ".join(sorted(key for other, key in open_effects if other == experiment))
            steps.append(
                Step(f"alternatives of {keys} not run", f"python train.py -m experiment={experiment} sweep=ambiguities")
            )
        for path in (PACKAGE / "__init__.py", ROOT / "PAPER.md"):
            if boxes := _unticked(path):
                what = f"{_several(len(boxes), 'box').replace('boxs', 'boxes')} not ticked"
                steps.append(Step(what, f"{_name(path)}:{','.join(map(str, boxes))}"))
        if self.evidence.records and (unkept := _not_committed()):
            steps.append(Step(f"not committed: {', '.join(unkept)}", "git commit"))
        return steps


def report(write: bool = True) -> Report:
    """Everything that is known; with ``write``, what pytest left is distilled into ``results/tests.json``.

    Raises:
        UsageError: a file cannot be read as what it should be.
    """
    known = evidence()
    outcomes, why = suite.outcomes(write)
    experiments = dict.fromkeys(row.target.experiment for row in known.rows)
    sources = {name: provenance.values(name) for name in experiments}
    parts = citations.parts(outcomes, [value for values in sources.values() for value in values])
    return Report(known, sources, provenance.claimed(), outcomes, why, parts)


def todos() -> dict[str, list[int]]:
    """The lines marked ``TODO(paper)``, by file."""
    paths = [*ROOT.glob("*"), *(path for room in ("configs", "src", "tests") for path in (ROOT / room).rglob("*"))]
    found = {}
    for path in sorted(path for path in paths if path.suffix in READABLE and "harness" not in _name(path).split("/")):
        if path.name in ("README.md", "AGENTS.md"):  # they explain the mark
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        marked = [position for position, line in enumerate(lines, start=1) if "TODO(paper)" in line]
        if marked:
            found[_name(path)] = marked
    return found


def _position(name: str) -> int:
    """Where a file comes in AGENTS.md."""
    order = [
        "PAPER.md",
        "configs/paper.yaml",
        "configs/",
        "data.py",
        "model.py",
        "loss.py",
        "metrics.py",
        "procedure.py",
    ]
    order += ["tests/", "__init__.py"]
    return next((position for position, part in enumerate(order) if part in name), len(order))


def _lacks_proof(part: citations.Part) -> bool:
    return part.state not in ("verified", "configuration")


def _several(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _not_committed() -> list[str]:
    """What a run and the report have left to be committed."""
    rooms = ["results", "docs", "README.md", "PAPER.md"]
    done = subprocess.run(["git", "status", "--porcelain", "--", *rooms], cwd=ROOT, capture_output=True, text=True)
    return sorted({line[3:].split("/")[0] for line in done.stdout.splitlines()})


def _unticked(path: Path) -> list[int]:
    """The lines of boxes that a person ticks; those between marks are ticked here."""
    text = page.STATUS.sub(lambda marks: re.sub(r"[^\n]", "", marks[0]), path.read_text(encoding="utf-8"))
    return [position for position, line in enumerate(text.splitlines(), start=1) if "- [ ]" in line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.replace("``", ""))
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--check", action="store_true", help="write nothing; exit with 1 where what is written is old")
    only.add_argument("--missing", action="store_true", help="print only the commands of the runs that are missing")
    only.add_argument("--runs", action="store_true", help="print only the runs that count and lie in runs/")
    asked = parser.parse_args()
    gc.disable()  # a second's work over many records, all of which stay
    try:
        _report(asked)
    except BrokenPipeError:  # python report.py | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(asked: argparse.Namespace) -> None:
    if asked.missing or asked.runs:
        known = evidence()
        if asked.missing and known.commands() and git_state()["dirty"]:
            raise UsageError("Code or configs are not committed, and runs of them do not count: git commit, first.")
        print("".join(f"{line}\n" for line in (known.commands() if asked.missing else known.runs())), end="")
    elif asked.check:
        known = report(write=False)
        if old := page.old(known):
            raise UsageError("\n".join([*old, "python report.py brings it up to date."]))
        print(f"Up to date: {known.status}")
    else:
        known = report()
        written = page.write(known)
        print(page.printed(known))
        print("\nWritten: " + ", ".join(written) if written else "\nEverything written is up to date.")
    sys.stdout.flush()
