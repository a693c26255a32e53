"""The ML Code Completeness Checklist of Papers with Code (2020), answered from what the repository proves."""

import re
import subprocess

from ..evidence.record import file_digest
from ..identity import ROOT
from .report import Report


def completeness(known: Report) -> list[tuple[str, str, str]]:
    """Question, answer (yes, no or open), and the reason."""
    records = {record["file"]: record for row in known.rows for record in row.counted}
    stand_ins = [path for path in known.todos if path.startswith("src/") and not path.endswith("/__init__.py")]
    untrained = [f"TODO(paper) in {', '.join(stand_ins)}"] if stand_ins else []
    untrained += [] if records else ["no run of it counts yet"]
    pins = re.findall(r"^\S+==\S+", _text("constraints.txt"), re.MULTILINE)
    unpinned = [] if "\ndependencies = [" in _text("pyproject.toml") else ["pyproject.toml lists none"]
    unpinned += [] if pins else ["constraints.txt pins none"]
    readme = _text("README.md")
    missing = [
        f"no result of {row.target.metric} with its command in README.md"
        for row in known.rows
        if not row.counted or f"`{row.command}`" not in readme
    ]
    return [
        _answer("Are the dependencies specified?", unpinned, f"constraints.txt pins {len(pins)} versions"),
        _answer("Is there code to train?", _lacks("train.py") + untrained, f"train.py; {len(records)} runs count"),
        _answer("Is there code to evaluate?", _lacks("evaluate.py") + untrained, "evaluate.py"),
        _weights(records, readme),
        _answer(
            "Does the README have a table of results, with the exact commands?",
            missing,
            f"README.md; {len(known.rows)} values, each with its command",
        ),
    ]


def _answer(question: str, lacks: list[str], proof: str) -> tuple[str, str, str]:
    return question, "no" if lacks else "yes", "; ".join(lacks) or proof


def _weights(records: dict[str, dict], readme: str) -> tuple[str, str, str]:
    """Weights of a run that counts, in git or named in the README, known by their SHA-256."""
    question = "Are there trained weights?"
    digests = {run["tested"]["sha256"]: name for name, run in records.items() if run.get("tested")}
    listing = ["git", "ls-files", "-z", "--", "*.ckpt", "*.pt", "*.pth", "*.safetensors"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True).stdout if digests else ""
    for path in tracked.split("\0")[:-1]:
        if (ROOT / path).is_file() and (name := digests.get(file_digest(ROOT / path))):
            return question, "yes", f"{path}, those that {name} tested"
    if named := [name for digest, name in digests.items() if digest in readme]:
        return question, "open", f"README.md names those of {named[0]} by their SHA-256"
    return question, "no", "none in git, and none named in README.md by its SHA-256, is of a run that counts"


def _lacks(name: str) -> list[str]:
    return [] if (ROOT / name).is_file() else [f"no {name}"]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).is_file() else ""
