"""The record of a run: one small JSON file with its configuration, code, versions, hardware and metrics."""

import ast
import csv
import functools
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ..identity import PACKAGE, ROOT, UsageError, digest, identity
from .targets import DECIDE_VERDICT, read_seeds, targets_of

# Changes in these files may change the result. report.py writes into the package docstring, and configs/paper.yaml holds
# only the claims.
CODE = ["src", "configs", "train.py", "tune.py", "evaluate.py", ":!src/*/__init__.py", ":!configs/paper.yaml"]
NEEDED = {"experiment", "digest", "seed", "status", "run", "metrics", "git", "code", "config"}
POINTS = 200  # of a curve, at most
PACKAGES = ["torch", "lightning", "torchmetrics", "hydra-core", "numpy"]


def git(*arguments: str) -> str:
    """What a command of git prints; empty if it fails, or without git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


@functools.cache  # the state of the code that this process has imported, not of later edits
def git_state() -> dict:
    """The commit, and whether code or configs differ from it; where git cannot say, None, and under ``failure`` why."""
    try:
        commit, changed = (
            subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for args in (["log", "-1", "--format=%H", "--no-show-signature"], ["status", "--porcelain", "--", *CODE])
        )
        return {"commit": commit, "dirty": bool(changed), "failure": ""}
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "git is not installed")
        return {"commit": None, "dirty": None, "failure": " ".join(said.split())}


@functools.cache
def code_digest() -> str:
    """Eight hexadecimal digits that name the paper's code; comments, docstrings and layout do not count."""
    found = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        if inside.parts[0] != "harness":
            found.update(f"{inside.as_posix()} {syntax(path)}".encode())
    return found.hexdigest()[:8]


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        UsageError: it is not valid Python.
    """
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UsageError(f"{path.relative_to(ROOT)}, line {error.lineno}, is not valid Python: {error.msg}") from None


def syntax(path: Path) -> str:
    """The syntax tree of a file without docstrings, as text."""
    tree = parsed(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return str(_plain(tree))


def _plain(node: object) -> object:
    """A syntax tree as tuples without empty fields: the same for every version of Python, unlike ``ast.dump``."""
    if isinstance(node, list):
        return tuple(_plain(item) for item in node)
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.JoinedStr):  # Python 3.12 ends a format specification with an empty text
        node.values = [part for part in node.values if getattr(part, "value", None) != ""]
    fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
    return type(node).__name__, *fields


def curves(path: Path) -> dict[str, dict[str, list]]:
    """The finite part of the curves in ``metrics.csv``, thinned: half evenly, half logarithmically in the step.

    Returns:
        ``steps`` (counted from 1) and ``values`` of each metric, and of the learning rate of the first parameter group.
    """
    points: dict[str, list[tuple[int, float]]] = {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        rate = next((name for name in rows.fieldnames or () if name.startswith("lr-")), None)
        for row in rows:
            row["train/learning rate"] = row.get(rate)
            for name, value in row.items():
                if value and name.startswith(("train/", "val/")) and math.isfinite(float(value)):
                    points.setdefault(name, []).append((int(row["step"]) + 1, float(f"{float(value):.6g}")))
    found = {}
    for name, curve in points.items():
        last, half = len(curve) - 1, POINTS // 2
        even = {round(last * k / half) for k in range(half + 1)}
        early = {round(last ** (k / half)) for k in range(half)} if last else set()
        steps, values = zip(*(curve[position] for position in sorted(even | early | {0})), strict=True)
        found[name] = {"steps": list(steps), "values": list(values)}
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file of any size."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            found.update(block)
    return found.hexdigest()


def checksum(text: str) -> str:
    """Sixteen hexadecimal digits that name the content of a file of ``write_json``; its layout does not count."""
    content = re.sub(r'"checksum":"\w*"', "", "".join(text.split()))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def write_json(path: Path, record: dict) -> None:
    """Write a record with its checksum, which shows a later edit. The file is written completely or not at all."""
    strict = json.loads(json.dumps(record | {"checksum": ""}), parse_constant=str)  # JSON has no NaN, but "NaN"
    text = json.dumps(strict, indent=2, ensure_ascii=False)
    # put a list of numbers on one line
    text = re.sub(r"\[\n[^][{}\"]*]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    before, empty, after = text.rpartition('""')
    text = f'{before}"{checksum(text)}"{after}'
    # write beside it and move into place, so that a reader never sees half a record
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, path)


def best(record: dict) -> tuple[float, int] | None:
    """The best value of ``monitor.metric`` and its step; None where it was not validated."""
    monitor = record["config"]["monitor"]
    curve = record["curves"].get(monitor["metric"])
    choose = min if monitor["mode"] == "min" else max
    return choose(zip(curve["values"], curve["steps"], strict=True)) if curve else None


def best_last(records: Iterable[dict]) -> list[str]:
    """The experiments in which the last validation of a tested run was the best: ``baseline (seed 0, 4)``."""
    seeds: dict[str, list[int]] = {}
    for record in records:
        tested, metric = record.get("tested", {}), record["config"].get("monitor", {}).get("metric")
        several = len(record.get("curves", {}).get(metric, {"steps": []})["steps"]) > 1
        if several and (tested.get("checkpoint"), tested.get("step")) == ("best", record.get("steps")):
            seeds.setdefault(record["experiment"], []).append(record["seed"])
    return [f"{name} (seed {', '.join(map(str, sorted(numbers)))})" for name, numbers in seeds.items()]


class Record:
    """The record of the run in ``cfg.run.dir``, updated while it runs.

    ``<run>/record.json`` and ``<run>/config.yaml`` exist from the start, with ``"status": "running"``. The record of a
    finished run is also copied to ``results/``, which is committed, unless ``results`` is null (as in debug presets).

    Args:
        cfg: the configuration of the run.
        made_by: code and commit of the checkpoint that the run resumes; None for a new run.
        writes: whether this process writes the record; of several processes, the first does.
    """

    def __init__(self, cfg: DictConfig, made_by: dict | None = None, writes: bool = True):
        self.path, self.writes = Path(cfg.run.dir) / "record.json", writes
        self.results = cfg.results and ROOT / cfg.results
        self._begin = time.monotonic()
        earlier = read(self.path) if made_by is not None and self.path.exists() else {}
        self._wall_before = earlier.get("wall_time_s", 0.0)
        claims = {target.name: {key: getattr(target, key) for key in DECIDE_VERDICT} for target in targets_of(cfg)}
        self.data = {
            "experiment": cfg.name,
            "digest": digest(cfg),
            "seed": cfg.seed,
            "status": "running",
            "run": os.path.relpath(cfg.run.dir, ROOT),
            "id": earlier.get("id") or f"{self.path.parent.name}-{time.strftime('%m%d%H%M%S')}",
            "command": " ".join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
            "started": earlier.get("started") or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "claims": earlier.get("claims", claims),  # so that a later change of the claims or seeds is seen
            "seeds": earlier.get("seeds", read_seeds(cfg.paper)),
            "facts": earlier.get("facts", OmegaConf.to_container(cfg.paper.get("facts") or OmegaConf.create())),
            "metrics": {},
            "git": {key: git_state()[key] for key in ("commit", "dirty")},
            "code": code_digest(),
            "resumed": made_by is not None,
            "versions": {"python": platform.python_version()} | {package: version(package) for package in PACKAGES},
            "config": identity(cfg),  # without paths of this machine: results/ is committed
        }
        before = made_by or earlier
        if before and (before["code"] != self.data["code"] or before["git"]["dirty"]):
            # two versions of the code trained these weights: the record must not count
            self.data |= {"code": "mixed", "git": before["git"]}
        if writes:
            OmegaConf.save(cfg, self.path.with_name("config.yaml"), resolve=True)
            write_json(self.path, self.data)

    def close(self, status: str, **facts) -> None:
        """Write how the run ended (``finished``, ``interrupted`` or ``crashed``) and the facts that are known by then."""
        if not self.writes:
            return
        self.data |= {"status": status, **facts}
        self.data["wall_time_s"] = round(self._wall_before + time.monotonic() - self._begin, 2)
        if status == "finished" and self.results:  # before the run's own record says "finished"
            write_json(self.results / f"{self.path.parent.name}.json", self.data)
        write_json(self.path, self.data)


def read(path: Path) -> dict:
    """Read the record at ``path``.

    Raises:
        UsageError: the file is not a JSON object, or lacks a key that every record has.
    """
    try:
        text = re.sub(r'"(?<!\\")(NaN|-?Infinity)"(?!:)', r"\1", path.read_text(encoding="utf-8"))
        record = json.loads(text)
        if missing := NEEDED - set(record):
            raise ValueError(f"it has no {', '.join(sorted(missing))}")
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a record of a run: {error}. Delete it and run that seed again.") from None
    return record
