"""How each test ended on the present code, as ``tests/conftest.py`` collects it from pytest."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

from ..identity import CONFIGS, PACKAGE, ROOT, UsageError
from .comments import LOADER
from .record import checksum, code_digest, syntax, write_json

RESULTS = ROOT / "results" / "tests.json"
_text = partial(Path.read_text, encoding="latin-1")  # of any bytes, whatever the line ends
TEXTS = {"dataset", "explanation", "reason", "table", "unit"}  # of a target
CHECKS = ROOT / "tests" / "checks"
BROUGHT = Path(__file__).with_name("checks.sha256")  # the checks that the template brought, written by the bake


@dataclass
class Suite:
    """How the tests ended on the present code."""

    outcomes: dict[str, str] = field(default_factory=dict)  # passed, failed or skipped, by test function
    verifies: dict[str, list[str]] = field(default_factory=dict)  # parts of the paper, by test function
    skipped: dict[str, list[str]] = field(default_factory=dict)  # test functions by the reason
    passed: list[str] = field(default_factory=list)  # the tests that have ever passed on this code of the paper
    rows: list[str] = field(default_factory=list)  # the other experiments on which all checks were run
    unknown: str = ""  # why outcomes is empty


def suite_digest() -> str:
    """Eight hexadecimal digits that name the code, the configs and the tests; comments of the paper's do not count."""
    found = hashlib.sha256()
    for path in sorted(path for folder in (PACKAGE, ROOT / "tests", ROOT / "configs") for path in folder.rglob("*")):
        inside = path.relative_to(ROOT)
        if path.is_file() and "__pycache__" not in inside.parts and path != PACKAGE / "__init__.py":
            edited = not {"harness", "checks"} & {*inside.parts}
            try:
                content = {".py": syntax, ".yaml": _settings}.get(path.suffix * edited, _text)(path)
            except (UsageError, ValueError, yaml.YAMLError):
                content = _text(path)
            found.update(f"{inside.as_posix()} {content}".encode())
    return found.hexdigest()[:8]


def _settings(path: Path) -> str:
    """The settings of a file, of targets without the texts that the report alone shows."""
    settings = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    targets = settings.get("targets") if path == CONFIGS / "paper.yaml" and isinstance(settings, dict) else None
    for target in targets if isinstance(targets, list) else []:
        for key in TEXTS.intersection(target):
            del target[key]
    return repr(settings)


def suite_file(row: str = "") -> Path:
    """Where pytest leaves the outcomes of the whole suite, or of all checks on a row, on the present code."""
    return ROOT / "runs" / f"tests-{suite_digest()}{row and f'-{row}'}.json"


def read_suite(write: bool = True) -> Suite:
    """How each test function ended on the present code, or why this is unknown.

    Args:
        write: copy what pytest left in ``runs/`` to ``results/tests.json``, which is committed.
    """
    left = suite_file()
    digest, kept, fresh = left.stem.removeprefix("tests-"), _read(RESULTS), _read(left) if write else {}
    rows = set(kept.get("rows", []) if kept.get("suite") == digest else [])
    for path in left.parent.glob(f"{left.stem}-*.json") if fresh else []:
        rows.add(row := path.stem.removeprefix(left.stem)[1:])
        ended = _read(path).get("outcomes", {}).items()
        fresh["outcomes"] |= {f"{row}: {test}": outcome for test, outcome in ended if outcome == "failed"}
    fresh |= {"rows": sorted(rows)} if fresh else {}
    if fresh and kept | fresh | {"suite": digest, "checksum": kept.get("checksum")} != kept:
        before = kept.get("passed", []) if kept.get("code") == code_digest() else []
        passed = {test for test, outcome in fresh["outcomes"].items() if outcome == "passed"}
        kept = {"suite": digest, "code": code_digest(), "passed": sorted(passed.union(before))} | fresh
        write_json(RESULTS, kept)
    if kept.get("suite") == digest:
        return Suite(**{key: kept[key] for key in ("outcomes", "verifies", "skipped", "passed", "rows") if key in kept})
    return Suite(unknown=f"the whole suite has not been run{' since the code changed' if RESULTS.exists() else ''}")


def _read(path: Path) -> dict:
    """What a file of ``write_json`` holds; empty if it is missing, cut short or was edited."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        return content if content["checksum"] == checksum(text) else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def lost_checks(suite: Suite) -> list[str]:
    """The checks of the template that are missing or changed, did not run, or have passed on this code and no longer do."""
    lines = BROUGHT.read_text(encoding="utf-8").splitlines() if BROUGHT.exists() else [f"?  {BROUGHT.name}"]
    lost = []
    for digest, name in (line.split(maxsplit=1) for line in lines):
        path = CHECKS / name
        file = path.relative_to(ROOT).as_posix()
        if not path.is_file():
            lost.append(f"{file} is missing")
        elif hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest() != digest:
            lost.append(f"{file} was changed")
        elif suite.outcomes:
            text = path.read_text(encoding="utf-8")
            tests = [f"{file}::{test}" for test in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]
            lost += [f"{test} was not run" for test in tests if test not in suite.outcomes]
            again = [test for test in tests if test in suite.passed and suite.outcomes.get(test) == "skipped"]
            lost += [f"{test} has passed on this code and is now skipped" for test in again]
    return lost
