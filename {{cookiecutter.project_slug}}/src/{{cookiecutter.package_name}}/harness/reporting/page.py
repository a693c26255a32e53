"""How the report looks: on the terminal, between the marks of other files, as figures, and as REPORT.html."""

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ..evidence.claims import Row
from ..identity import PACKAGE, ROOT

if TYPE_CHECKING:
    from .report import Report

FIGURES = ROOT / "docs" / "figures"
STATUS = re.compile(r"(<!-- status:begin[^>]*-->\n).*?(<!-- status:end -->)", re.DOTALL)
ARCHITECTURE = re.compile(r"(<!-- architecture:begin[^>]*-->\n).*?(<!-- architecture:end -->)", re.DOTALL)
DOCSTRING_STATUS = re.compile(r'(\nReproduction status:\n).*?(""")', re.DOTALL)
NOT_STARTED = "not started: python train.py experiment=paper, then python report.py"
SHOWN = 16  # lines of a list on the terminal


def printed(known: "Report") -> str:
    """The table, what does not count, and what is left to do, the next step first."""
    lines = ["", f"{line(known.paper.title)} · status: {known.status}"]
    lines += [f"Not verified: {'; '.join(known.unverified)}."] if known.unverified else []
    lines += [f"Changed after the runs: {'; '.join(known.evidence.changed)}."] if known.evidence.changed else []
    lines += [""]
    rows = [row.shown() for row in known.rows]
    lines += _columns([list(rows[0]), *(list(row.values()) for row in rows)])
    lines += _short([f"  not counted: {record['run']} ({reason})" for record, reason in known.evidence.uncounted])
    changes = [
        [f"{e.row.target.experiment}: {e.value.key}={e.alternative}", e.row.target.metric, e.told]
        for e in known.effects
        if e.differences
    ]
    if changes:
        lines += ["", "What an alternative changes:"]
        lines += _short(_columns(changes))
    if known.left:
        lines += ["", "Left to do, the next step first:"]
        lines += _short(_columns([[step.where, step.what] for step in known.left]))
    return "\n".join(lines)


def texts(known: "Report") -> dict[Path, str]:
    """The files that hold a part written here, as they should be; nothing but that part differs from what they are."""
    begun = known.stage != "not started"
    status = [f"**Status: {markdown(known.status)}**"]
    told = [known.status if begun else NOT_STARTED]
    if begun:
        status += [f"\nNot verified: {markdown('; '.join(known.unverified))}."] if known.unverified else []
        changed = known.evidence.changed
        status += [f"\nChanged after the runs: {markdown('; '.join(changed))}."] if changed else []
        status += ["", *_markdown_table(known)]
        status += [f"\n![{name.removesuffix('.svg')}](docs/figures/{name})" for name in figures(known)]
        told += [
            "{experiment}, {metric}, {data}: paper {paper}, ours {ours}: {verdict}".format(**row.shown())
            for row in known.rows
        ]
    docstring = "".join(f"    {line(text)}\n" for text in told).replace("\\", "\\\\").replace('"', '\\"')
    notes = _between(_read(ROOT / "PAPER.md"), STATUS, "".join(f"{text}\n" for text in _checklist(known)))
    return {
        ROOT / "README.md": _between(_read(ROOT / "README.md"), STATUS, "\n".join(status) + "\n"),
        PACKAGE / "__init__.py": _between(_read(PACKAGE / "__init__.py"), DOCSTRING_STATUS, docstring),
        ROOT / "PAPER.md": _between(notes, ARCHITECTURE, _tree(known)),
    }


def figures(known: "Report") -> dict[str, list[Row]]:
    """The figures that the evidence calls for, by file name, each with what it shows."""
    rows = [row for row in known.rows if row.counted]
    found = {"results.svg": rows} if rows else {}
    for experiment in dict.fromkeys(row.target.experiment for row in rows):
        own = [row for row in rows if row.target.experiment == experiment]
        if any(record.get("curves") for record in own[0].counted):
            found[f"curves-{experiment}.svg"] = own
    return found


def _content(name: str, rows: list[Row]) -> str:
    """A digest of what a figure shows."""
    content = [[dict(row.target), row.verdict, row.seeds, row.values] for row in rows]
    if name != "results.svg":
        content += [record["checksum"] for record in rows[0].counted]  # of its curves, too
    return sha256(json.dumps(content, default=list).encode()).hexdigest()[:16]


def old(known: "Report") -> list[str]:
    """What is not what it would be if it were written now, one line for each."""
    told = [
        f"{name} has lost the marks between which report.py writes"
        for name, marks in {"README.md": STATUS, _name(PACKAGE / "__init__.py"): DOCSTRING_STATUS}.items()
        if not marks.search(_read(ROOT / name))
    ]
    told += [
        f"{_name(path)} does not say what the evidence says"
        for path, text in texts(known).items()
        if _read(path) != text
    ]
    for name, rows in figures(known).items():
        path = FIGURES / name
        if not path.exists():
            told.append(f"docs/figures/{name} is missing")
        elif _stamp(path) != _content(name, rows):
            told.append(f"docs/figures/{name} does not show what the evidence says")
    return told


def write(known: "Report") -> list[str]:
    """Write all of it; returns what has changed."""
    changed = []
    for name, rows in figures(known).items():
        if _stamp(FIGURES / name) != (content := _content(name, rows)):
            from .figures import draw_curves, draw_results  # matplotlib, only where something is to be drawn

            svg = draw_results(rows) if name == "results.svg" else draw_curves(rows)
            stamp = f"<!-- shows {content}, drawn {sha256(svg.encode()).hexdigest()[:16]} -->\n"
            FIGURES.mkdir(parents=True, exist_ok=True)
            (FIGURES / name).write_text(svg + stamp, encoding="utf-8")
            changed.append(f"docs/figures/{name}")
    for name, path in samples(known).items():
        target = FIGURES / name
        if not target.exists() or target.read_bytes() != path.read_bytes():
            FIGURES.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
            changed.append(f"docs/figures/{name}")
    for path, text in texts(known).items():
        if _read(path) != text:
            path.write_text(text, encoding="utf-8")
            changed.append(_name(path))
    from .html import html  # it needs this module

    shown, path = html(known), ROOT / "REPORT.html"
    if not path.exists() or _read(path) != shown:
        path.write_text(shown, encoding="utf-8")
        changed.append(path.name)
    return changed


def samples(known: "Report") -> dict[str, Path]:
    """What the first run that counts left of each experiment, by the name it gets in docs/figures/.

    Pictures and texts in the run's folder, and the last one of each folder in it.
    """
    found = {}
    for row in known.rows:
        if row.counted:
            run = ROOT / row.counted[0]["run"]
            folders = [path for path in run.glob("*") if path.is_dir() and path.name != "checkpoints"]
            inside = [max(folder.iterdir(), default=folder) for folder in folders]
            for path in sorted([*run.glob("*.*"), *inside]):
                if path.suffix in {".png", ".jpg", ".svg", ".txt"} and path.name != "traceback.txt":
                    name = "-".join(path.relative_to(run).parts)
                    found[f"{row.target.experiment}-seed{row.counted[0]['seed']}-{name}"] = path
    return found


def _stamp(path: Path) -> str | None:
    """What a figure shows, by its own word; None where it is not as it was drawn."""
    svg, _, stamp = _read(path).rpartition("<!-- shows ") if path.exists() else ("", "", "")
    found = re.fullmatch(r"(\w+), drawn (\w+) -->\n", stamp)
    return found[1] if found and sha256(svg.encode()).hexdigest()[:16] == found[2] else None


def _checklist(known: "Report") -> list[str]:
    told = {
        "runs": "a run has finished",
        "verified": "all is filled in, all tests pass, and one of them cites each equation and algorithm",
        "reproduced": "every value of the paper is reached, over all seeds",
    }
    reached = {"not started": 0, "runs": 1, "reproduced": 3}.get(known.stage, 2)
    return [
        f"- [{'x' if position < reached else ' '}] {stage}: {what}"
        for position, (stage, what) in enumerate(told.items())
    ]


def _tree(known: "Report") -> str:
    """The modules of the network that was trained, with shapes and parameters, as a tree."""
    record = next((r for row in known.rows for r in row.counted if r.get("architecture")), None)
    if record is None:
        return "Drawn from the network itself, after the first run that counts.\n"
    rows = []
    for module in record["architecture"]:
        depth = module["name"].count(".")
        name = "  " * depth + line(module["name"].rpartition(".")[2])
        shapes = f"{shape(module['in'])} → {shape(module['out'])}" if module["out"] != "?" else ""
        rows.append([name, line(module["type"]), f"{module['parameters']:,}", shapes])
    return "```text\n" + "\n".join(_columns([["module", "type", "parameters", "shapes"], *rows], indent="")) + "\n```\n"


def shape(sizes: list | str) -> str:
    """``[64, 1, 8, 8]`` as ``(64, 1, 8, 8)``; of several tensors each."""
    if isinstance(sizes, str):
        return sizes
    if any(isinstance(size, list | str) for size in sizes):
        return ", ".join(map(shape, sizes))
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _markdown_table(known: "Report") -> list[str]:
    rows = []
    for row in known.rows:
        cells = row.shown()
        if row.target.reason:
            cells["tolerance"] += f": {line(row.target.reason)}"
        rows.append([*map(markdown, cells.values()), f"`{row.command}`"])
    header = [*known.rows[0].shown(), "command"]
    return [f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows]]


def markdown(text: str) -> str:
    """Shown as it is, never as a link or a tag."""
    text = re.sub(r"([\\`*_\[\]<>#|~&$]|:(?=//)|(?<=www)\.)", r"\\\1", text, flags=re.IGNORECASE)
    return text.replace("@", "@<!-- -->")


def line(text: str) -> str:
    """In one line, without what no terminal shows."""
    return " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in str(text)).split())


def _columns(rows: list[list[str]], indent: str = "  ") -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _short(lines: list[str]) -> list[str]:
    more = len(lines) - SHOWN
    return lines if more <= 0 else [*lines[:SHOWN], f"  … and {more} more: REPORT.html"]


def _between(text: str, marks: re.Pattern, new: str) -> str:
    return marks.sub(lambda found: found[1] + new + found[2], text, count=1)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
