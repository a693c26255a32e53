"""How the tests ended, and on which code: from pytest's own result file."""

import hashlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import yaml

from ..identity import PACKAGE, ROOT
from .record import checksum, syntax, write_json

RESULTS = ROOT / "results" / "tests.json"
OUTCOMES = ["skipped", "passed", "failed"]  # of several cases of a test the last of these counts


def suite_digest() -> str:
    """Eight hexadecimal digits that name what the tests verify, and the tests; comments and docstrings do not count."""
    found = hashlib.sha256()
    for path in sorted(path for room in (PACKAGE, ROOT / "tests", ROOT / "configs") for path in room.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path != PACKAGE / "__init__.py":
            try:
                content = {".py": syntax, ".yaml": _settings}.get(path.suffix, Path.read_bytes)(path)
            except (SyntaxError, ValueError, yaml.YAMLError):
                content = path.read_bytes()
            found.update(f"{path.relative_to(ROOT).as_posix()} {content}".encode())
    return found.hexdigest()[:8]


def _settings(path: Path) -> str:
    return repr(yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def junit_file() -> Path:
    """Where ``tests/conftest.py`` lets pytest write how a run of the whole suite ended, by what it ran on."""
    return ROOT / "runs" / f"tests-{suite_digest()}.xml"


def read_outcomes(path: Path) -> dict[str, str]:
    """How each test function ended, of a JUnit file of pytest; nothing where that is damaged or not all was collected.

    ``failed`` if any of its cases failed or ended in an error, ``passed`` if at least one passed, else ``skipped``.
    """
    found: dict[str, str] = {}
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return {}
    for case in cases:
        inside = {child.tag for child in case}
        outcome = "failed" if inside & {"failure", "error"} else "skipped" if "skipped" in inside else "passed"
        if not (where := case.get("classname", "")):  # a file that could not be collected, or was skipped as a whole
            if outcome == "failed":
                return {}
            continue
        module, *classes = re.split(r"\.(?=Test)", where)
        node = "::".join([f"{module.replace('.', '/')}.py", *classes, case.get("name", "").partition("[")[0]])
        found[node] = max(outcome, found.get(node, outcome), key=OUTCOMES.index)
    return dict(sorted(found.items()))


def outcomes(write: bool = True) -> tuple[dict[str, str], str]:
    """How each test function ended on the present code, and in one line why that is not known.

    Args:
        write: take what pytest left in ``runs/``, and keep it in ``results/tests.json``, which is committed.
    """
    junit = junit_file()
    digest = junit.stem.removeprefix("tests-")
    try:
        text = RESULTS.read_text(encoding="utf-8")
        known = json.loads(text)
        suite, ended = known["suite"], dict(known["outcomes"])
        if known["checksum"] != checksum(text):
            raise ValueError("it was edited")
    except FileNotFoundError:
        suite, ended = None, {}
    except (ValueError, TypeError, KeyError):
        suite, ended = "damaged", {}
    if write and (fresh := read_outcomes(junit)) and (suite, ended) != (digest, fresh):
        suite, ended = digest, fresh
        write_json(RESULTS, {"suite": suite, "outcomes": ended})
    if suite == digest:
        return ended, ""
    return {}, f"the whole suite has not been run{' since the code changed' if suite else ''}"
