"""The files that the report writes, and whether they are up to date."""

import json
import re
from hashlib import sha256
from pathlib import Path

from ..evidence.claims import Result
from ..identity import ROOT
from .html import html
from .markdown import lost_marks, texts
from .report import Report, name_of

FIGURES = ROOT / "docs" / "figures"
PAGE = ROOT / "REPORT.html"


def write(known: Report) -> list[str]:
    """Write everything that is not up to date; returns what has changed."""
    wanted: dict[Path, bytes] = {}
    for name, rows in figures(known).items():
        if _stamp(FIGURES / name) != (content := _content(name, rows)):
            from .figures import draw_curves, draw_results  # matplotlib, only where something is to be drawn

            svg = draw_results(rows) if name == "results.svg" else draw_curves(rows)
            stamp = f"<!-- shows {content}, drawn {sha256(svg.encode()).hexdigest()[:16]} -->\n"
            wanted[FIGURES / name] = (svg + stamp).encode()
    wanted |= {FIGURES / name: path.read_bytes() for name, path in samples(known).items()}
    wanted |= {path: text.encode() for path, text in texts(known, list(figures(known))).items()}
    changed = [path for path, content in wanted.items() if _write(path, content)] + (stale := _stale(figures(known)))
    for path in stale:
        path.unlink()
    changed += [PAGE] if _write(PAGE, html(known, _shown(known)).encode()) else []
    return [name_of(path) for path in changed]


def outdated(known: Report) -> list[str]:
    """What is not as it would be written now, one line for each."""
    lines = [f"{name_of(path)} has lost the marks between which report.py writes" for path in lost_marks()]
    for path, text in texts(known, list(figures(known))).items():
        if path.read_text(encoding="utf-8") != text:
            lines.append(f"{name_of(path)} does not say what the evidence says")
    for name, rows in figures(known).items():
        if not (FIGURES / name).exists():
            lines.append(f"docs/figures/{name} is missing")
        elif _stamp(FIGURES / name) != _content(name, rows):
            lines.append(f"docs/figures/{name} does not show what the evidence says")
    return lines + [f"{name_of(path)} shows what is no longer claimed" for path in _stale(figures(known))]


def _stale(wanted: dict[str, list[Result]]) -> list[Path]:
    """The figures of ours that nothing calls for any more."""
    return [path for path in FIGURES.glob("curves-*.svg") if path.name not in wanted and _stamp(path)]


def figures(known: Report) -> dict[str, list[Result]]:
    """The figures that the evidence calls for, by file name, each with what it shows."""
    rows = [row for row in known.rows if row.counted]
    found = {"results.svg": rows} if rows else {}
    for experiment in dict.fromkeys(row.target.experiment for row in rows):
        own = [row for row in rows if row.target.experiment == experiment]
        curves = [curve for record in own[0].counted for curve in record.get("curves", {}).values()]
        if any(len(curve["steps"]) > 1 for curve in curves):
            found[f"curves-{experiment}.svg"] = own
    return found


def samples(known: Report) -> dict[str, Path]:
    """Pictures and texts that a run left, by the name they get in docs/figures/.

    Those of the first run that counts of each experiment: in its folder, and the last file of each folder in it.
    """
    found = {}
    for row in known.rows:
        run = ROOT / row.counted[0]["run"] if row.counted else None
        if run is None or not run.is_dir():
            continue
        folders = [path for path in run.iterdir() if path.is_dir() and path.name != "checkpoints"]
        last = [max(folder.iterdir(), default=folder) for folder in folders]
        for path in sorted([*run.glob("*.*"), *last]):
            if path.suffix in {".png", ".jpg", ".svg", ".txt"} and path.name != "traceback.txt":
                name = "-".join(path.relative_to(run).parts)
                found[f"{row.target.experiment}-seed{row.counted[0]['seed']}-{name}"] = path
    return found


def _shown(known: Report) -> list[Path]:
    """The files of docs/figures/ that belong on the page: our figures first, then what runs left."""
    left = tuple(f"{row.target.experiment}-seed" for row in known.rows if row.counted)
    ours = [path for name in figures(known) if (path := FIGURES / name).exists()]
    return ours + sorted(path for path in FIGURES.glob("*") if path.name.startswith(left))


def _content(name: str, rows: list[Result]) -> str:
    """A digest of what a figure shows."""
    content = [[vars(row.target), row.verdict, row.seeds, row.values] for row in rows]
    if name != "results.svg":
        drawn = [*rows[0].counted, *(record for row in rows for record in row.compared.values())]
        content += [record["checksum"] for record in drawn]  # of its curves, too
    return sha256(json.dumps(content, default=list).encode()).hexdigest()[:16]


def _stamp(path: Path) -> str | None:
    """The digest of what a figure shows, from the figure itself; None where it is not as it was drawn."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    svg, _, stamp = text.rpartition("<!-- shows ")
    found = re.fullmatch(r"(\w+), drawn (\w+) -->\n", stamp)
    return found[1] if found and sha256(svg.encode()).hexdigest()[:16] == found[2] else None


def _write(path: Path, content: bytes) -> bool:
    """Write a file that differs; returns whether it did."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True
