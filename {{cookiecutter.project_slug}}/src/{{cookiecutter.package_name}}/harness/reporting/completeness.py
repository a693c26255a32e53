"""The ML Code Completeness Checklist of Papers with Code (2020), answered from what the repository proves."""

from ..evidence.record import file_digest, git
from ..identity import ROOT
from .report import Report


def completeness(known: Report) -> list[tuple[str, str, str]]:
    """Question, answer (yes or no), and the reason."""
    records = known.evidence.counted
    stand_ins = [path for path in known.todos if path.startswith("src/") and not path.endswith("/__init__.py")]
    untrained = [f"TODO(paper) in {', '.join(stand_ins)}"] if stand_ins else []
    untrained += [] if records else ["no run of it counts yet"]
    readme = _text("README.md")
    not_told = [row.target.metric for row in known.rows if not row.counted]
    not_told += [command for command in known.evidence.commands() if command not in readme]
    answers = {
        "Are the dependencies specified?": [] if "==" in _text("constraints.txt") else ["constraints.txt pins none"],
        "Is there code to train?": untrained if _text("train.py") else ["no train.py"],
        "Is there code to evaluate?": untrained if _text("evaluate.py") else ["no evaluate.py"],
        "Are there trained weights?": _lacks_weights(list(records.values()), readme),
        "Does the README have a table of results, with the exact commands?": [
            f"no {missing} in README.md" for missing in not_told
        ],
    }
    return [(question, "no" if lacks else "yes", "; ".join(lacks)) for question, lacks in answers.items()]


def _lacks_weights(records: list[dict], readme: str) -> list[str]:
    """Empty if weights of a run that counts are in git, or if the README names them by their SHA-256."""
    digests = {record["tested"]["sha256"] for record in records if record.get("tested")}
    tracked = git("ls-files", "-z", "--", "*.ckpt", "*.pt", "*.pth", "*.safetensors") if digests else ""
    files = [ROOT / path for path in tracked.split("\0")[:-1]]
    if any(digest in readme for digest in digests) or any(f.is_file() and file_digest(f) in digests for f in files):
        return []
    return ["no weights of a run that counts are in git, or named in README.md by their SHA-256"]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).is_file() else ""
