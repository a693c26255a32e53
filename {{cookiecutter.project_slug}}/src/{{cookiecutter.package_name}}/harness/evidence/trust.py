"""Which records cannot count for any claim: edited, renamed, contradicted by git, or of other code."""

import functools
import json
import math
import re
from datetime import datetime
from pathlib import Path

from ..identity import ROOT
from .record import checksum, code_digest, git, read

CLOCK = 600  # seconds by which the clocks of two machines may differ


def why_rejected(records: list[dict]) -> dict[str, str]:
    """Why each record cannot count, by the name of its file; empty if it can."""
    doubts = _git_doubts(records)
    return {
        record["file"]: _why_not_authentic(record) or doubts.get(record["file"]) or _why_outdated(record)
        for record in records
    }


def _git_doubts(records: list[dict]) -> dict[str, str]:
    """Why git contradicts a record, by the name of its file. Empty without git or in a shallow clone."""
    versions: dict[str, list[tuple[str, str]]] = {}  # commit and blob of each version, the oldest first
    commit = ""
    log = "log --reverse --raw --no-abbrev --no-renames --relative --format=%H -- results"
    for line in git(*log.split()).splitlines():
        if line.startswith(":"):
            state, _, path = line.partition("\t")
            blob = state.split()[3]
            versions.setdefault(path, []).extend([(commit, blob)] if blob.strip("0") else [])  # else it was deleted
        elif line:
            commit = line
    edited = set(git("diff", "--name-only", "--relative", "HEAD", "--", "results").splitlines())
    found = {}
    for record in records:
        path = f"results/{record['file']}.json"
        several = len({blob for _, blob in versions.get(path, [])}) > 1 or path in edited
        for commit, blob in versions.get(path, []):
            text = git("cat-file", "blob", blob) if several else ""
            if text and _trained_again(json.loads(text), record, commit):
                continue
            if text and checksum(text) != record.get("checksum"):
                found[record["file"]] = f"edited or replaced after it was committed in {commit[:7]}"
            break
        named, begun = record["git"]["commit"], _seconds(record.get("started", ""))
        if not record.get("resumed") and begun < _committed(named) - CLOCK:
            found.setdefault(record["file"], f"started before {named[:7]}, the code that it names, was committed")
    return found


def _trained_again(before: dict, record: dict, commit: str) -> bool:
    """Whether the record is of a later run than the one in ``commit``: of other code, or a repetition."""
    later = _committed(commit) - CLOCK < _seconds(record.get("started", "")) < math.inf
    other_code = before["code"] != record["code"] or before["git"]["dirty"] is not False
    return other_code or (later and before.get("id") != record.get("id"))


def _seconds(started: str) -> float:
    try:
        return datetime.strptime(started, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return math.inf


@functools.cache
def _committed(commit: str | None) -> float:
    """When a commit was made, in seconds; 0 if git does not know it."""
    return float(git("show", "--no-patch", "--format=%ct", commit or "none") or 0)


def _why_not_authentic(record: dict) -> str:
    """Why a record is not what a run wrote; empty if it is."""
    name = f"{record['experiment']}-{record['digest']}-seed{record['seed']}"
    if record.get("checksum") != checksum((ROOT / "results" / f"{record['file']}.json").read_text(encoding="utf-8")):
        return "edited after the run: the checksum does not match the content"
    if not re.fullmatch(r"(-\d+)?", record["file"].removeprefix(name)) or Path(record["run"]).name != record["file"]:
        return f"renamed: it is the record of {name}"
    beside = ROOT / record["run"] / "record.json"
    if beside.is_file() and str(read(beside)["metrics"]) != str(record["metrics"]):  # as text, nan equals nan
        return f"its run wrote other numbers, in {record['run']}"
    wrong = [name for name in record["metrics"] if not _ends_at_its_metric(record, name)]
    return f"the curve of {wrong[0]} ends at another value than its metric" if wrong else ""


def _ends_at_its_metric(record: dict, name: str) -> bool:
    """Whether the curve of a metric ends at its value; true if the last step was not logged."""
    curve, value, trainer = record.get("curves", {}).get(name), record["metrics"][name], record["config"].get("trainer")
    measured_again = record.get("tested", {}).get("checkpoint") == "best" and name.startswith("val/")
    accumulates = trainer and trainer.get("accumulate_grad_batches", 1) != 1  # several batches in a step
    if not curve or curve["steps"][-1] != record.get("steps") or measured_again or accumulates:
        return True
    return math.isclose(curve["values"][-1], value, rel_tol=1e-3, abs_tol=1e-9) or not math.isfinite(value)


def _why_outdated(record: dict) -> str:
    """Why a run says nothing about the present code; empty if it does."""
    state = record["git"]
    if record["status"] != "finished":
        return record["status"]
    if state["commit"] is None:
        return "code not in git"
    if state["dirty"]:
        return "code not committed"
    return "" if record["code"] == code_digest() else f"the code has changed since commit {state['commit'][:7]}"
