"""What the report writes between the marks of README.md, PAPER.md and the package's docstring."""

import re
from pathlib import Path

from ..identity import PACKAGE, ROOT
from .cells import cells
from .report import Report
from .text import columns, one_line, shape

STATUS = re.compile(r"(<!-- status:begin[^>]*-->\n).*?(<!-- status:end -->)", re.DOTALL)
ARCHITECTURE = re.compile(r"(<!-- architecture:begin[^>]*-->\n).*?(<!-- architecture:end -->)", re.DOTALL)
DOCSTRING_STATUS = re.compile(r'(\nReproduction status:\n).*?(""")', re.DOTALL)
COLUMNS = ["experiment", "metric", "data", "paper", "ours", "tolerance", "verdict"]
NOT_STARTED = "not started: python train.py experiment=paper, then python report.py"
README, NOTES, DOCSTRING = ROOT / "README.md", ROOT / "PAPER.md", PACKAGE / "__init__.py"


def texts(known: Report, figures: list[str]) -> dict[Path, str]:
    """Each file as it should be: only the part between the marks differs from what it is."""
    readme, docstring = [f"**Status: {escaped(known.status)}**"], [NOT_STARTED]
    if known.stage != "not started":
        for heading, items in known.notes.items():
            readme += [f"\n{heading}:\n", *(f"- {escaped(item)}" for item in items)]
        readme += _tables(known)
        readme += [f"\n![{name.removesuffix('.svg')}](docs/figures/{name})" for name in figures]
        docstring = [f"{known.status} (README.md has the table of results)"]
    lines = "".join(f"    {one_line(text)}\n" for text in docstring).replace("\\", "\\\\").replace('"', '\\"')
    notes = _between(NOTES.read_text(encoding="utf-8"), STATUS, _checklist(known))
    return {
        README: _between(README.read_text(encoding="utf-8"), STATUS, "\n".join(readme) + "\n"),
        DOCSTRING: _between(DOCSTRING.read_text(encoding="utf-8"), DOCSTRING_STATUS, lines),
        NOTES: _between(notes, ARCHITECTURE, _architecture(known)),
    }


def lost_marks() -> list[Path]:
    """The files without the marks between which the status is written."""
    marks = {README: STATUS, DOCSTRING: DOCSTRING_STATUS}
    return [path for path, mark in marks.items() if not mark.search(path.read_text(encoding="utf-8"))]


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, never as a link or a tag."""
    text = re.sub(r"([\\`*_\[\]<>#|~&$]|:(?=//)|(?<=www)\.)", r"\\\1", text, flags=re.IGNORECASE)
    return text.replace("@", "@<!-- -->")


def _tables(known: Report) -> list[str]:
    """A table of results for each table of the paper, then the reasons as notes, then the commands."""
    lines, notes = [], {}
    for table, rows in known.evidence.tables().items():
        lines += ["", *([f"**{escaped(one_line(table))}**", ""] if table else [])]
        used = [name for name in COLUMNS if any(cells(row)[name] != "–" for row in rows)]
        lines += [f"| {' | '.join(texts)} |" for texts in [used, ["---"] * len(used)]]
        for row in rows:
            shown = {name: escaped(cell) for name, cell in cells(row).items()}
            limit = "tolerance" if shown["tolerance"] != "–" else "verdict"
            for name, note in ((limit, row.target.reason), ("verdict", row.target.explanation)):
                if note.strip():
                    shown[name] += f" <sup>{notes.setdefault(one_line(note), len(notes) + 1)}</sup>"
            lines.append(f"| {' | '.join(shown[name] for name in used)} |")
    lines += [""] * bool(notes) + [f"{number}. {escaped(note)}" for note, number in notes.items()]
    return [*lines, "", "```bash", *known.evidence.commands(), "```"]


def _checklist(known: Report) -> str:
    stages = {
        "trained": "a run has finished",
        "verified": "all is filled in, all tests pass, and one of them cites each equation and algorithm",
        "reproduced": "every value of the paper in configs/paper.yaml is reached, over all seeds",
    }
    if known.on_other_data:
        stages["reproduced"] += ", on other data"
    reached = {"not started": 0, "trained": 1, "reproduced": 3}.get(known.stage, 2)
    boxes = (
        f"- [{'x' if number < reached else ' '}] {stage}: {what}" for number, (stage, what) in enumerate(stages.items())
    )
    return "".join(f"{box}\n" for box in boxes)


def _architecture(known: Report) -> str:
    """The modules of each trained network as a tree, with shapes and parameters."""
    if not known.networks:
        return "Drawn from the network itself, after the first run that counts.\n"
    blocks = (f"experiment={name}\n" * (len(known.networks) > 1) + _tree(of) for name, of in known.networks.items())
    return "```text\n" + "\n\n".join(blocks) + "\n```\n"


def _tree(modules: list[dict]) -> str:
    rows = [["module", "type", "parameters", "shapes"]]
    for module in modules:
        name = "  " * module["name"].count(".") + one_line(module["name"].rpartition(".")[2])
        shapes = f"{shape(module['in'])} → {shape(module['out'])}" if module["out"] != "?" else ""
        rows.append([name, one_line(module["type"]), f"{module['parameters']:,}", shapes])
    return "\n".join(columns(rows, indent=""))


def _between(text: str, marks: re.Pattern, new: str) -> str:
    return marks.sub(lambda found: found[1] + new + found[2], text, count=1)
