"""``READING.md``: the map of the paper in two pages; and the paper's own sentences in ``PAPER.md``."""

import re

from ..identity import ROOT
from .document import Document, Sentence, Table
from .find import Found
from .settings import PATTERNS, SETTINGS

SHEET, NOTES = ROOT / "READING.md", ROOT / "PAPER.md"
HEAD = "<!-- written by read.py: change nothing here -->"
NUMBER = re.compile(r"[<>≤≥]?\s?-?[\d.,]+\s?%?(?:\s?(?:±|\+-|\(|_).*)?")
ANSWERED = ("Contribution", "Architecture", "Training", "Evaluation")  # headings of PAPER.md


def sheet(document: Document, found: list[Found], offered: dict[str, list[Found]]) -> str:
    """The text of ``READING.md``."""
    keys = {id(one): key.lstrip("/") for key, ones in offered.items() for one in ones}
    searched = {True: "searched over", False: ""}
    rows = [
        (one.setting, ", ".join(one.values), searched[one.grid], f"{one.where}{one.place.on_page}", one.quote)
        for one in found
    ]
    missing = [name for name in SETTINGS if name not in {one.setting for one in found}]
    omitted = [f"- {_cited(one)}" for one in document.sentences if PATTERNS["not described"].search(one.text)]
    accept = [f"`python read.py --accept {key}`" for key in dict.fromkeys(keys.values())]
    return "\n".join(
        [
            f"# What the paper states\n\n{HEAD}\n",
            f"From `{document.source}`. Nothing here is set: accept a value, one by one, or enter it yourself.\n",
            "## Settings\n",
            *_table(["setting", "value", "", "where", "the paper says"], rows),
            f"\nProposed in `configs/experiment/paper.yaml`: {', '.join(accept) or 'nothing'}.",
            f"\nSearched and not found: {', '.join(missing) or 'nothing'}.",
            *_conflicts(found),
            "\n## Parts\n",
            *_parts(document),
            "\n## Results\n",
            *(_results(document.tables) or ["No table of numbers could be read."]),
            "\n## Data, metrics, links\n",
            f"Data sets that are named: {_named(document, PATTERNS['data sets'])}.\n",
            f"Metrics that are named: {_named(document, PATTERNS['metrics'])}.\n",
            f"Links: {_named(document, PATTERNS['links'])}.\n",
            "Not described in the text:\n",
            *(omitted[:8] or ["- nothing found"]),
            "",
        ]
    )


def _parts(document: Document) -> list[str]:
    """A line for each section, with the equations, algorithms, tables and figures in it."""
    lines = []
    for part in document.parts:
        if part.name.startswith(("Section", "Appendix")):
            lines.append(f"- {part.name}: {_cell(part.title[:90])}{part.place.on_page}")
        elif lines:
            lines[-1] += f" · {part.name}"
    return lines or ["No numbered section was found."]


def _conflicts(found: list[Found]) -> list[str]:
    """Settings of which the paper states several values: one for each case, or two that contradict each other."""
    lines = []
    for setting in dict.fromkeys(one.setting for one in found):
        stated = {one.values[0]: one for one in reversed(found) if one.setting == setting and not one.grid}
        if len(stated) > 1:
            where = "; ".join(f"{value} ({one.where})" for value, one in reversed(stated.items()))
            lines.append(f"- {setting}: {where}")
    return ["\n## More than one value\n", "None is chosen: which case do you reproduce?\n", *lines] if lines else []


def _results(tables: list[Table]) -> list[str]:
    """The tables that hold numbers, as they are in the paper: four of them, twelve rows each."""
    lines = []
    for table in tables:
        numbers = [cell for row in table.rows for cell in row if NUMBER.fullmatch(cell)]
        if len(numbers) >= 6 and lines.count("") < 4 and max(map(len, table.rows)) <= 10:
            head, *rows = table.rows[:13]
            lines += [f"{table.name or table.place}{table.place.on_page}\n", *_table(head, rows), ""]
    return lines


def _named(document: Document, pattern: re.Pattern) -> str:
    """What a pattern finds, each once with its first place; the most frequent first."""
    places: dict[str, list] = {}
    for sentence in document.sentences:
        for match in pattern.finditer(sentence.text):
            places.setdefault(match[0], []).append(sentence.place)
    often = sorted(places, key=lambda name: -len(places[name]))[:12]
    return ", ".join(f"{_cell(name)} ({places[name][0]})" for name in often) or "none found"


def _table(head: list[str], rows: list) -> list[str]:
    width = max([len(head), *map(len, rows)])
    lines = [[*row, *[""] * (width - len(row))] for row in [head, *rows]]
    text = [f"| {' | '.join(_cell(str(cell)) for cell in line)} |" for line in lines]
    return [text[0], "|" + "---|" * width, *text[1:]]


def _cell(text: str) -> str:
    """A text within a cell: it is data, never Markdown."""
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text)


def _cited(sentence: Sentence) -> str:
    words = sentence.text.split()
    text = " ".join(words[:40]) + (" …" if len(words) > 40 else "")
    return f"“{_cell(text)}” ({sentence.part or sentence.place}{sentence.place.on_page})"


def noted(document: Document, notes: str) -> str:
    """``PAPER.md`` with the paper's own sentences under each question that is still the template's."""
    for heading in ANSWERED:
        said, titles = PATTERNS[heading.lower()], PATTERNS[f"{heading.lower()} in"]
        inside = [one for one in document.sentences if titles.search(one.place.title) and not one.part]
        answers = [one for one in inside if said.search(one.text) and 60 < len(one.text) < 600][:2]
        lines = "".join(f"\n> {_cited(one)}\n" for one in answers)
        question = rf"(^## {heading}\n\nTODO\(paper\): [^\n]*\n)(?:\n> “[^\n]*\n)*"
        notes = re.sub(question, lambda found, lines=lines: found[1] + lines, notes, flags=re.MULTILINE)
    return notes
