"""``READING.md``: the map of the paper in two pages; and the paper's own sentences in ``PAPER.md``."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

from ..identity import ROOT
from .document import Document, Sentence
from .find import PATTERNS, SETTINGS, Found

SHEET, NOTES = ROOT / "READING.md", ROOT / "PAPER.md"
TEXT = Path(__file__).with_name("sheet.md").read_text(encoding="utf-8")
HEAD = TEXT.splitlines()[2]  # says that read.py wrote it
NUMBER = re.compile(r"[<>≤≥]?\s?-?[\d.,]+\s?%?(?:\s?(?:±|\+-|\(|_).*)?")


def sheet(document: Document, found: list[Found], offered: dict[str, Found]) -> str:
    """The text of ``READING.md``."""
    rows = {certain: [["setting", "value", "where", "the paper says"]] for certain in (True, False)}
    for (name, _), ones in groupby(found, lambda one: (one.setting, one.source)):
        one, *more = ones
        values = " or ".join(f"{{{', '.join(it.values)}}}" if it.values[1:] else it.values[0] for it in (one, *more))
        rows[one.certain].append([name, values, f"{one.where}{one.place.on_page}", one.quote])
    parts = []
    for part in document.parts:  # a line for each section, with what is in it
        if part.part.startswith(("Section", "Appendix")):
            parts.append(f"- {part.part}: {_cell(part.text[:90])}{part.place.on_page}")
        elif parts:
            parts[-1] += f" · {part.part}"
    tables = [table for table in document.tables if max(map(len, table.rows)) <= 10]
    tables = [table for table in tables if sum(bool(NUMBER.fullmatch(cell)) for row in table.rows for cell in row) >= 6]
    results = [f"{one.name or one.place}{one.place.on_page}\n\n{_table(*one.rows[:13])}" for one in tables[:4]]
    omitted = [f"- {_cited(one)}" for one in document.sentences if PATTERNS["not described"].search(one.text)]
    values = {name: _named(document, PATTERNS[name]) for name in ("data sets", "metrics", "links")} | {
        "source": document.source,
        "settings": _table(*rows[True]),
        "others": _table(*rows[False]),
        "accept": ", ".join(f"`{key.lstrip('/')}`" for key in offered) or "nothing is proposed",
        "missing": ", ".join(name for name in SETTINGS if name not in {one.setting for one in found}) or "nothing",
        "parts": "\n".join(parts) or "No numbered section was found.",
        "results": "\n\n".join(results) or "No table of numbers could be read.",
        "omitted": "\n".join(omitted[:8]) or "- nothing found",
    }
    return TEXT.format(**values)


def _named(document: Document, pattern: re.Pattern) -> str:
    """What a pattern finds, each once with its first place; the most frequent first."""
    found = [(match[0], one.place) for one in document.sentences for match in pattern.finditer(one.text)]
    places, often = dict(reversed(found)), Counter(name for name, _ in found).most_common(12)
    return ", ".join(f"{_cell(name)} ({places[name]})" for name, _ in often) or "none found"


def _table(*rows: list[str]) -> str:
    width = max(map(len, rows))
    lines = [f"| {' | '.join([*map(_cell, row), *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * width, *lines[1:]])


def _cell(text: str) -> str:
    """A text within a cell: it is data, never Markdown."""
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text)


def _cited(sentence: Sentence) -> str:
    words = sentence.text.split()
    text = " ".join(words[:40]) + (" …" if len(words) > 40 else "")
    return f"“{_cell(text)}” ({sentence.part or sentence.place}{sentence.place.on_page})"


def noted(document: Document, notes: str) -> str:
    """``PAPER.md`` with the paper's own sentences under each question that is still the template's."""
    for heading in ("Contribution", "Architecture", "Training", "Evaluation"):
        said, titles = PATTERNS[heading.lower()], PATTERNS[f"{heading.lower()} in"]
        answers = [
            f"\n> {_cited(one)}\n"
            for one in document.sentences
            if titles.search(one.place.title) and not one.part and said.search(one.text) and 60 < len(one.text) < 600
        ]
        question = rf"(^## {heading}\n\nTODO\(paper\): [^\n]*\n)(?:\n> “[^\n]*\n)*"
        notes = re.sub(question, lambda asked, said=answers[:2]: "".join([asked[1], *said]), notes, flags=re.M)
    return notes
