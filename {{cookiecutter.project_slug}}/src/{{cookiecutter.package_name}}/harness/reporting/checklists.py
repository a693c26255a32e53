"""Two checklists of the field, answered from what the repository proves; what it cannot prove stays open."""

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evidence import notes
from ..evidence.record import file_digest
from ..identity import ROOT

if TYPE_CHECKING:
    from .report import Report

YOU = "whoever carries this reproduction out"
AUTHORS = "the authors of the paper"


@dataclass
class Item:
    """A question, its answer (yes, no or open), and what the answer rests on or who must give it."""

    question: str
    answer: str
    because: str


def completeness(known: "Report") -> list[Item]:
    """The ML Code Completeness Checklist of Papers with Code (2020)."""
    records = _counted(known)
    stand_ins = [path for path in known.todos if path.startswith("src/") and not path.endswith("/__init__.py")]
    missing = [f"TODO(paper) in {', '.join(stand_ins)}"] if stand_ins else []
    missing += [] if records else ["no run of it counts yet"]
    listed = [] if "\ndependencies = [" in _text("pyproject.toml") else ["pyproject.toml lists none"]
    pins = re.findall(r"^\S+==\S+", _text("constraints.txt"), re.MULTILINE)
    readme = _text("README.md")
    untold = [
        f"no result of {row.target.metric} with its command in README.md"
        for row in known.rows
        if not row.counted or f"`{row.command}`" not in readme
    ]
    tested = [name for name, record in records.items() if record.get("tested")]
    return [
        _item(
            "Are the dependencies specified?",
            listed + ([] if pins else ["constraints.txt pins none"]),
            f"pyproject.toml; constraints.txt pins {len(pins)} versions",
        ),
        _item(
            "Is there code to train?", _lacks("train.py") + missing, f"train.py; runs of it that count: {len(records)}"
        ),
        _item(
            "Is there code to evaluate?",
            _lacks("evaluate.py") + missing + ([] if tested else ["no record names the checkpoint that it tested"]),
            f"evaluate.py; records that name the checkpoint they tested: {len(tested)}",
        ),
        _weights(known, readme),
        _item(
            "Does the README have a table of results, with the exact commands?",
            untold,
            f"README.md; values with their command, written from results/: {len(known.rows)}",
        ),
    ]


def neurips(known: "Report") -> list[Item]:
    """The 16 questions of the NeurIPS Paper Checklist (2025), in our words, asked of this reproduction."""
    rows, records, differences = known.rows, _counted(known), notes.differences()
    verdicts = [f"{row.target.metric}: {row.verdict}" for row in rows]
    undecided = [told for row, told in zip(rows, verdicts, strict=True) if not row.decided]
    values = [value for listed in known.sources.values() for value in listed]
    unsourced = [f"{value.key}: {', '.join(value.problems)}" for value in values if value.problems]
    unsourced += [f"{key}: no source" for keys in known.unstated.values() for key in keys]
    unsourced = _first(unsourced) if values else ["no hyperparameter has a source"]
    absent = [f"{row.target.metric}: {len(row.missing)} seeds missing" for row in rows if row.missing]
    single = [f"{row.target.metric}: no interval" for row in rows if row.interval is None]
    unmeasured = [f"not in {name}" for name, run in records.items() if not {"wall_time_s", "hardware"} <= run.keys()]
    unmeasured = _first(unmeasured) if records else ["no run counts yet"]
    unfinished = [item for item in differences if "TODO(paper)" in item] if differences else ["none is listed"]
    unread = ["TODO(paper) in PAPER.md"] if "PAPER.md" in known.todos else []
    sourced = f"{len(values)} values in configs/experiment/, each with its source"
    recorded = f"{len(records)} records in results/, each with its configuration, hardware, memory and time"
    return [
        _item("1 Claims: are they what was found?", _first([*known.unverified, *undecided]), "; ".join(verdicts)),
        _item("2 Limitations: are they discussed?", unfinished + unread, f"{len(differences)} known differences"),
        _open("3 Theory: are assumptions and proofs complete?", AUTHORS),
        _item("4 Reproducibility: is all told that the results need?", unsourced + absent, f"{sourced}; {recorded}"),
        _open("5 Open access: are data and code there, with instructions?", f"{YOU}: the data may be elsewhere"),
        _item("6 Setting: are hyperparameters and their choice told?", unsourced + unread, f"{sourced}; PAPER.md"),
        _item("7 Significance: are there error bars, and of what?", single, "95 % intervals over seeds, Student's t"),
        _item("8 Compute: are hardware, memory and time told for each run?", unmeasured, recorded),
        _open("9 Ethics: is the NeurIPS Code of Ethics kept?", YOU),
        _open("10 Broader impacts: good and bad ones?", AUTHORS),
        _open("11 Safeguards against misuse of data or models?", YOU),
        _open("12 Licenses: are the owners of code, data and models credited, their terms kept?", YOU),
        _open("13 New assets: are they documented?", YOU),
        _open("14 People: what participants were told and paid?", AUTHORS),
        _open("15 People: risks, and the approval of a review board?", AUTHORS),
        _open("16 Language models: is their use in the method described?", f"{AUTHORS}, and {YOU}"),
    ]


def _item(question: str, lacks: list[str], proof: str) -> Item:
    return Item(question, "no" if lacks else "yes", "; ".join(lacks) or proof)


def _open(question: str, who: str) -> Item:
    return Item(question, "open", f"to be answered by {who}")


def _weights(known: "Report", readme: str) -> Item:
    """Weights of a run that counts, in git or named in the README, known by their SHA-256."""
    question = "Are there trained weights?"
    digests = {run["tested"]["sha256"]: name for name, run in _counted(known).items() if run.get("tested")}
    listing = ["git", "ls-files", "-z", "--", "*.ckpt", "*.pt", "*.pth", "*.safetensors"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True).stdout if digests else ""
    for path in tracked.split("\0")[:-1]:
        if (ROOT / path).is_file() and (name := digests.get(file_digest(ROOT / path))):
            return Item(question, "yes", f"{path}, those that {name} tested")
    if named := [name for digest, name in digests.items() if digest in readme]:
        return _open(question, f"a reader: README.md names those of {named[0]} by their SHA-256")
    return Item(question, "no", "none in git, and none named in README.md by its SHA-256, is of a run that counts")


def _counted(known: "Report") -> dict[str, dict]:
    return {record["file"]: record for row in known.rows for record in row.counted}


def _first(told: list[str]) -> list[str]:
    return [*told[:3], f"and {len(told) - 3} more"] if told[3:] else told


def _lacks(name: str) -> list[str]:
    return [] if (ROOT / name).is_file() else [f"no {name}"]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).is_file() else ""
