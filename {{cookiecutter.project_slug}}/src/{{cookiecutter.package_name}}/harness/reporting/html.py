"""REPORT.html: everything that is known, in one file that opens without a network."""

import base64
import json
from collections import Counter
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..evidence import citations, paper
from ..evidence.comments import Value
from ..evidence.record import git_state, read
from ..identity import ROOT, UsageError
from .cells import cells
from .completeness import completeness
from .report import Report
from .text import count, shape
from .todo import steps_left

MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
TEXT = 20_000  # characters of a text that a run left


def html(known: Report, figures: list[Path]) -> str:
    """The page; whatever stands in a title, a record or a comment is text there.

    Args:
        known: the facts.
        figures: the files of docs/figures/ that it shows.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"setting": _setting, "shape": shape, "several": count, "time": _time, "tree": _tree}
    counted = known.evidence.counted
    return environment.get_template("page.html").render(
        known=known,
        cells=cells,
        left=steps_left(known),
        figures=[_embedded(path) for path in figures],
        settings=_settings(known),
        tests=Counter(known.suite.outcomes.values()),
        differences=known.differing + paper.known_differences(),
        ambiguities=paper.ambiguities(),
        never_cited=citations.never_cited(known.parts),
        looked_up=paper.paper_text()[0],
        counted=counted,
        runs=_runs(known),
        environment=_environment(list(counted.values()) or known.evidence.records),
        git=git_state(),
        completeness=completeness(known),
    )


def _settings(known: Report) -> dict[str, list[Value]]:
    """The claims, the settings of the first experiment, and of each further one those that differ from the first."""
    shown = {"the claims": known.claimed}
    first: dict[str, object] = {}
    for name, values in known.sources.items():
        shown[name] = [value for value in values if not first or first.get(value.key, ...) != value.value]
        first = first or {value.key: value.value for value in values}
    return {name: values for name, values in shown.items() if values}


def _embedded(path: Path) -> tuple[str, str, str]:
    """Name, data URI and text of a file: a picture has a URI, a text is text."""
    if path.suffix in MEDIA:
        content = base64.b64encode(path.read_bytes()).decode()
        return path.name, f"data:{MEDIA[path.suffix]};base64,{content}", ""
    return path.name, "", path.read_text(encoding="utf-8", errors="replace")[:TEXT]


def _tree(modules: list[dict]) -> list[dict]:
    """The modules, each with those inside it, and whether it surely takes what the one before it returns."""
    roots: list[dict] = []
    nodes: dict[str, dict] = {}
    for module in modules:
        inside = nodes.get(module["name"].rpartition(".")[0])
        beside = inside["children"] if inside else roots
        follows = bool(beside) and inside is not None and inside["type"] == "Sequential"
        nodes[module["name"]] = {**module, "children": [], "follows": follows}
        beside.append(nodes[module["name"]])
    return roots


def _runs(known: Report) -> list[dict]:
    """All records, the newest first, and those of runs of this machine that left none in ``results/``."""
    found = list(known.evidence.records)
    names = {record["file"] for record in found}
    for path in sorted(ROOT.glob("runs/*/record.json")):
        if path.parent.name not in names:
            try:
                record = read(path)
            except UsageError:
                record = {"status": "its record cannot be read"}
            found.append(record | {"run": f"runs/{path.parent.name}"})
    return found


def _environment(records: list[dict]) -> dict[str, list[tuple[str, int]]]:
    """Each version, piece of hardware and commit: the values that occur, and in how many runs."""
    facts = []
    for record in records:
        git = f"{record['git']['commit']}{', with changes' if record['git']['dirty'] else ''}"
        hardware = {key: value for key, value in record.get("hardware", {}).items() if not key.startswith("peak")}
        facts.append({"commit": git, "paper's code": record["code"], **record.get("versions", {}), **hardware})
    keys = dict.fromkeys(key for fact in facts for key in fact)
    return {key: Counter(str(fact.get(key, "–")) for fact in facts).most_common() for key in keys}


def _printable(value: object) -> object:
    """Without characters that no page shows; markup stays as it is."""
    if type(value) is str and not value.isprintable():
        return "".join(c if c.isprintable() or c in "\n\u200c\u200d" else " " for c in value)
    return "–" if value is None else value


def _setting(value: object) -> str:
    """As YAML spells it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _time(seconds: float | None) -> str:
    if seconds is None or seconds < 120:
        return "–" if seconds is None else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
