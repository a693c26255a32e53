"""How each test ended on the present code, as ``tests/conftest.py`` collects it from pytest."""

import hashlib
import json
from functools import partial
from pathlib import Path

import yaml

from ..identity import PACKAGE, ROOT
from .record import checksum, syntax, write_json

RESULTS = ROOT / "results" / "tests.json"
_text = partial(Path.read_text, encoding="latin-1")  # of any bytes, whatever the line ends


def suite_digest() -> str:
    """Eight hexadecimal digits that name the code, the configs and the tests; comments and docstrings do not count."""
    found = hashlib.sha256()
    for path in sorted(path for folder in (PACKAGE, ROOT / "tests", ROOT / "configs") for path in folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path != PACKAGE / "__init__.py":
            try:
                content = {".py": syntax, ".yaml": _settings}.get(path.suffix, _text)(path)
            except (SyntaxError, ValueError, yaml.YAMLError):
                content = _text(path)
            found.update(f"{path.relative_to(ROOT).as_posix()} {content}".encode())
    return found.hexdigest()[:8]


def _settings(path: Path) -> str:
    return repr(yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def suite_file() -> Path:
    """Where pytest leaves the outcomes of a run of the whole suite on the present code."""
    return ROOT / "runs" / f"tests-{suite_digest()}.json"


def outcomes(write: bool = True) -> tuple[dict[str, str], str]:
    """How each test function ended on the present code, and why this is unknown; one of the two is empty.

    Args:
        write: copy what pytest left in ``runs/`` to ``results/tests.json``, which is committed.
    """
    left = suite_file()
    digest, suite, ended = left.stem.removeprefix("tests-"), "", {}
    if RESULTS.exists():
        suite, ended = _read(RESULTS, "suite", "outcomes") or ("damaged", {})
    fresh = _read(left, "outcomes") if write else None
    if fresh and (suite, ended) != (digest, *fresh):
        suite, (ended,) = digest, fresh
        write_json(RESULTS, {"suite": suite, "outcomes": ended})
    if suite == digest:
        return ended, ""
    return {}, f"the whole suite has not been run{' since the code changed' if suite else ''}"


def _read(path: Path, *keys: str) -> list | None:
    """What a file of ``write_json`` holds under these keys; None if it is missing, cut short or was edited."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        return [content[key] for key in keys] if content["checksum"] == checksum(text) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
