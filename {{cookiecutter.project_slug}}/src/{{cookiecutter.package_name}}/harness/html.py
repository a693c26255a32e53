"""REPORT.html: all that is known of the reproduction, in one file that opens without a network."""

import ast
import base64
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import checklists
from .claims import decimals
from .page import FIGURES, PACKAGE, drawn, shape
from .records import git_state, read
from .settings import ROOT, UsageError

if TYPE_CHECKING:
    from .report import Effect, Report

MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
TEXT = 20_000  # characters of a text that a run left


def html(known: "Report") -> str:
    """The page; whatever stands in a title, a record or a comment is text there."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"time": _time, "shape": shape, "link": _link}
    counted = list({id(record): record for row in known.rows for record in row.counted}.values())
    modules = next((record["architecture"] for record in counted if record.get("architecture")), [])
    runs = _runs(known)
    return environment.get_template("page.html").render(
        known=known,
        figures=_figures(known),
        tests=Counter(known.outcomes.values()),
        modules=modules,
        tree=_tree(modules),
        difference=_difference,
        differences=differences(),
        ambiguities=ambiguities(),
        runs=runs,
        spent=sum(run.get("wall_time_s") or 0 for run in runs),
        environment=_environment(counted or known.evidence.records),
        counted=len(counted),
        git=git_state(),
        checklists={
            "ML Code Completeness Checklist": checklists.completeness(known),
            "NeurIPS Paper Checklist, asked of this reproduction": checklists.neurips(known, differences()),
        },
    )


def _figures(known: "Report") -> list[tuple[str, str, str]]:
    """Name, data URI and text of what ``docs/figures/`` holds: our figures first, then what runs left."""
    left = tuple(f"{row.target.experiment}-seed" for row in known.rows if row.counted)
    paths = [FIGURES / name for name in drawn(known)]
    paths += sorted(path for path in FIGURES.glob("*") if path.name.startswith(left))
    found = []
    for path in paths:
        if path.suffix in MEDIA and path.exists():
            content = base64.b64encode(path.read_bytes()).decode()
            found.append((path.name, f"data:{MEDIA[path.suffix]};base64,{content}", ""))
        elif path.suffix == ".txt":
            found.append((path.name, "", path.read_text(encoding="utf-8", errors="replace")[:TEXT]))
    return found


def _tree(modules: list[dict]) -> list[dict]:
    """The modules, each with those inside it, and whether it could take what the one before it returns."""
    roots: list[dict] = []
    nodes: dict[str, dict] = {}
    for module in modules:
        inside = nodes.get(module["name"].rpartition(".")[0])
        beside = inside["children"] if inside else roots
        follows = bool(beside) and beside[-1]["out"] == module["in"] != "?"
        nodes[module["name"]] = {**module, "children": [], "follows": follows}
        beside.append(nodes[module["name"]])
    return roots


def _difference(effect: "Effect") -> str:
    """Of an alternative's mean from ours, in the paper's unit."""
    places = f".{decimals(effect.row.std)}f" if effect.row.std else ".3g"
    return f"{effect.difference:+{places}} {effect.row.target.unit}".strip()


def differences() -> list[str]:
    """The items of the section "Known differences from paper:" of the package's docstring."""
    docstring = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))) or ""
    section = re.search(r"^Known differences from paper:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    return (
        [" ".join(item.split()) for item in re.split(r"^\s*- |^\s*(?=TODO)", section[1], flags=re.MULTILINE)[1:]]
        if section
        else []
    )


def ambiguities() -> list[list[str]]:
    """The table under "Ambiguities" of PAPER.md, its head first."""
    section = re.search(
        r"^## Ambiguities\n(.*?)(?=^## |\Z)", (ROOT / "PAPER.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = re.findall(r"^\|(.*)\|[ \t]*$", section[1], re.MULTILINE) if section else []
    rows = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return [row for row in rows if any(set(cell) - set("-: ") for cell in row)]


def _runs(known: "Report") -> list[dict]:
    """All records, the newest first, and those of runs of this machine that left none in ``results/``."""
    found = list(known.evidence.records)
    names = {record["file"] for record in found}
    for path in sorted(ROOT.glob("runs/*/record.json")):
        if path.parent.name not in names:
            run = f"runs/{path.parent.name}"
            try:
                found.append(read(path) | {"run": run})
            except UsageError:
                found.append({"run": run, "status": "its record cannot be read"})
    return found


def _environment(records: list[dict]) -> dict[str, list[tuple[str, int]]]:
    """Each version, piece of hardware and commit: the values that occur, and in how many runs."""
    facts = [
        {
            "commit": f"{record['git']['commit']}{', with changes' if record['git']['dirty'] else ''}",
            "paper's code": record["code"],
            **record.get("versions", {}),
            **{key: value for key, value in record.get("hardware", {}).items() if not key.startswith("peak")},
        }
        for record in records
    ]
    keys = dict.fromkeys(key for fact in facts for key in fact)
    return {key: Counter(str(fact.get(key, "–")) for fact in facts).most_common() for key in keys}


def _printable(value: object) -> object:
    """Without what no page shows; what is markup already stays it."""
    if type(value) is str:
        return "".join(c if c.isprintable() or c in "\n\u200c\u200d" else " " for c in value)
    return "–" if value is None else value


def _link(url: object) -> str | None:
    """A link that a browser may follow, or None."""
    return str(url) if re.fullmatch(r"https?://[^\s\\]+", str(url or ""), re.IGNORECASE) else None


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
