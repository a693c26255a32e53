"""What is left to do, the next step first, in the order of AGENTS.md."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..evidence.citations import NOT_ASSERTED
from ..evidence.paper import paper_text
from ..evidence.record import git_state
from ..evidence.sources import OPEN
from ..identity import CONFIGS, PACKAGE, ROOT
from .markdown import STATUS
from .report import PROVED, Report, name_of
from .text import count

ORDER = (
    "PAPER.md configs/paper.yaml configs/ data.py model.py loss.py metrics.py procedure.py tests/ __init__.py".split()
)


@dataclass
class Step:
    """One thing left to do."""

    what: str
    where: str  # a file and line, or a command


def steps_left(known: Report) -> list[Step]:
    """What is left to do, the next step first."""
    return [*_to_write(known), *_to_verify(known), *_to_run(known), *_to_finish(known)]


def _to_write(known: Report) -> list[Step]:
    def position(name: str) -> int:
        return next((place for place, part in enumerate(ORDER) if part in name), len(ORDER))

    steps = [
        Step(f"{len(lines)} × TODO(paper)", f"{name}:{','.join(map(str, lines))}")
        for name, lines in sorted(known.todos.items(), key=lambda marked: position(marked[0]))
    ]
    if trouble := paper_text()[1]:
        steps.append(Step(trouble, "paper.pdf"))
    steps += [
        Step(f"{value.key}: {problem}", f"{value.file}:{value.line}")
        for value in known.values
        for problem in value.problems
        if not OPEN.search(value.source)  # listed as TODO(paper) above, or as a proposal below
    ]
    if offered := _proposed(known):
        what = f"{count(len(offered), 'proposal')} of read.py not accepted: {', '.join(offered[:3])}{', …' * bool(offered[3:])}"
        steps.append(Step(what, f"python read.py --accept {offered[0]}"))
    for experiment, unstated in known.unstated.items():
        if unstated:
            keys = [text.split(" ")[0] for text in unstated]
            what = f"{count(len(keys), 'setting')} without a source: {', '.join(keys)}"
            steps.append(Step(what, f"configs/experiment/{experiment}.yaml"))
    claims = [row.target for row in known.rows]
    unset = [one for one in claims if one.value is not None and one.claim == "equal" and one.tolerance is None]
    unreasoned = [one for one in claims if one.tolerance and not one.reason.strip()]
    for what, found in {"no tolerance": unset, "a tolerance without a reason": unreasoned}.items():
        if found:
            names = ", ".join(f"{one.metric} of {one.row}" for one in found)
            steps.append(Step(f"{what}: {names}", "configs/paper.yaml"))
    return steps


def _proposed(known: Report) -> list[str]:
    """The keys for which ``read.py`` has proposed a value: beside a setting, or on a line of its own."""
    beside = [value.key for value in known.values if value.source.startswith("proposed: ")]
    path = CONFIGS / "experiment" / "paper.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return beside + re.findall(r"^# proposed: ([\w.]+):", text, re.MULTILINE)


def _to_verify(known: Report) -> list[Step]:
    steps, checklist = [], name_of(PACKAGE / "__init__.py")
    if known.suite.unknown:
        steps.append(Step(known.suite.unknown, "pytest"))
    rows = [name for name in known.evidence.configs if name != "paper" and name not in known.suite.rows]
    if rows and known.suite.outcomes:
        steps.append(Step(f"checks not run on {', '.join(rows)}", f"EXPERIMENT={rows[0]} pytest tests/checks"))
    steps += [Step(lost, "tests/checks") for lost in known.lost_checks]
    steps += [Step("a failed test", name) for name, outcome in known.suite.outcomes.items() if outcome == "failed"]
    return steps + [
        Step(f"{part.name}: {part.state}", ", ".join(f"{at.file}:{at.line}" for at in part.places[:3]) or checklist)
        for part in known.parts
        if part.state == "no code" or part.name.startswith(PROVED) and part.state in ("no test", NOT_ASSERTED)
    ]


def _to_run(known: Report) -> list[Step]:
    steps = []
    if missing := known.evidence.commands(missing=True):
        if git_state()["dirty"] is not False:
            steps.append(Step(git_state()["failure"] or "code or configs not committed: no run counts", "git commit"))
        steps += [Step("seeds without a run that counts", command) for command in missing]
    not_run: dict[str, dict] = {}  # the experiments by setting, in the order of the targets
    for effect in known.effects:
        if not effect.found and not effect.value.not_run:
            not_run.setdefault(effect.value.key, {}).update(effect.changed)
    for experiments in dict.fromkeys(map(",".join, not_run.values())):
        keys = ", ".join(sorted(key for key, names in not_run.items() if ",".join(names) == experiments))
        command = f"python train.py -m experiment={experiments} sweep=ambiguities"
        steps.append(Step(f"alternatives not run: {keys}", command))
    return steps


def _to_finish(known: Report) -> list[Step]:
    missed = [row.target for row in known.rows if row.verdict.startswith(("not reproduced", "not reached"))]
    unexplained = ", ".join(f"{one.metric} of {one.row}" for one in missed if not one.explanation.strip())
    steps = [Step(f"missed without an explanation: {unexplained}", "configs/paper.yaml")] if unexplained else []
    unticked = {path: boxes for path in (PACKAGE / "__init__.py", ROOT / "PAPER.md") if (boxes := _unticked(path))}
    return steps + [
        Step(f"{count(len(boxes), 'box')} not ticked", f"{name_of(path)}:{','.join(map(str, boxes))}")
        for path, boxes in unticked.items()
    ]


def _unticked(path: Path) -> list[int]:
    """The lines of boxes that a person ticks; ``report.py`` ticks those between its marks."""
    text = STATUS.sub(lambda marks: re.sub(r"[^\n]", "", marks[0]), path.read_text(encoding="utf-8"))
    return [number for number, line in enumerate(text.splitlines(), start=1) if "- [ ]" in line]
