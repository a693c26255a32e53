"""What git shows of the records: which were edited after their first commit, or are older than the code they name."""

import functools
import json
import subprocess
from datetime import datetime

from ..identity import ROOT
from .record import checksum

CLOCK = 600  # seconds by which the clocks of two machines may differ


def doubts(records: list[dict]) -> dict[str, str]:
    """Why git contradicts a record, by the name of its file. Without git, or in a shallow clone, there is no doubt."""
    versions: dict[str, list[tuple[str, str]]] = {}  # commit and blob of each version, the oldest first
    commit = ""
    shown = _git(
        "log", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--relative", "--format=%H", "--", "results"
    )
    for line in shown.splitlines():
        if line.startswith(":"):
            state, _, path = line.partition("\t")
            blob = state.split()[3]
            versions.setdefault(path, []).extend([(commit, blob)] if blob.strip("0") else [])  # else it was deleted
        elif line:
            commit = line
    edited = set(_git("diff", "--name-only", "--relative", "HEAD", "--", "results").splitlines())
    found = {}
    for record in records:
        path = f"results/{record['file']}.json"
        several = len({blob for _, blob in versions.get(path, [])}) > 1 or path in edited
        for commit, blob in versions.get(path, []):
            text = _git("cat-file", "blob", blob) if several else ""
            if text and _replaced_rightly(json.loads(text), record):
                continue
            if text and checksum(text) != record.get("checksum"):
                found[record["file"]] = f"edited or replaced after it was committed in {commit[:7]}"
            break
        if (
            not record.get("resumed")
            and _seconds(record.get("started", "")) < _committed(record["git"]["commit"]) - CLOCK
        ):
            named = record["git"]["commit"][:7]
            found.setdefault(record["file"], f"started before {named}, the code that it names, was committed")
    return found


def _replaced_rightly(before: dict, record: dict) -> bool:
    """Whether a seed was trained again because the code had changed or was not committed, under the same name."""
    return before["code"] != record["code"] or before["git"]["dirty"] is not False


def _seconds(started: str) -> float:
    try:
        return datetime.strptime(started, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return float("inf")


@functools.cache
def _committed(commit: str | None) -> float:
    """When a commit was made, in seconds; 0 if git does not know it."""
    return float(_git("show", "--no-patch", "--format=%ct", commit or "none") or 0)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
