"""The paper as one Document, whatever it was read from: its sentences, tables and numbered parts, each with its place.

``latex.py`` and ``plain.py`` turn a source into lines. A line that begins with ``MARK`` is a heading, a caption or a
numbered equation; one with ``CELL`` in it is a row of a table; any other is text.
"""

import re
import unicodedata
from dataclasses import dataclass, field

MARK, CELL, PAGE = "\x01", "\x02", "\f"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
MINUS = str.maketrans(dict.fromkeys("‐‑‒–−", "-") | {"∗": "*", "⋅": "·", "“": "'", "”": "'", '"': "'", "\u00a0": " "})
# What a sentence does not end with, though a capital letter or a digit follows
ABBREVIATION = re.compile(
    r"\b(?:al|Eqn?s?|Figs?|Secs?|Sects?|Tabs?|Refs?|Apps?|vs|e\.g|i\.e|cf|resp|approx|Num|No|Dr|[A-Z])\.$"
)
ENDS = re.compile(r"(?<=[.!?])[)\]']*\s+(?=[A-Z(\['•\d])|\s*•\s*")
CAPTION = re.compile(r"(Table|Figure|Algorithm) ([A-Z]?\.?\d+(?:\.\d+)?)\s*[:.]", re.I)


@dataclass(frozen=True)
class Place:
    """Where something stands: ``Section 5.3``, its title after those above it, and the page where the source has pages."""

    section: str = ""
    title: str = ""
    page: int | None = None

    @property
    def on_page(self) -> str:
        """``, page 6``, or nothing."""
        return f", page {self.page}" if self.page else ""

    def __str__(self) -> str:
        """As the source of a setting names it; a section without a number is named by its page."""
        if self.section or self.title[:8].lower() in ("", "abstract", "appendix"):
            return self.section or self.title.capitalize() or "Abstract"
        return f"p. {self.page}" if self.page else "Main text"


@dataclass(frozen=True)
class Part:
    """A part that code and tests cite: a section, equation, table, figure or algorithm."""

    name: str  # Equation (3)
    title: str
    place: Place


@dataclass(frozen=True)
class Sentence:
    text: str
    place: Place
    part: str = ""  # the table or figure of whose caption it is


@dataclass
class Table:
    name: str  # Table 3, or empty
    place: Place
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Document:
    source: str  # the file
    sentences: list[Sentence] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def readable(text: str) -> str:
    """One spelling for ligatures, superscripts, dashes and quotation marks, in one line."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda power: "^" + power[0].translate(SUPERSCRIPTS), text)
    text = unicodedata.normalize("NFKC", text.replace("\u00ad", "")).translate(MINUS)
    return " ".join(text.split())


def mark(kind: str, number: str, title: str = "") -> str:
    """The line that begins a part; for a heading without a number ``number`` is empty."""
    return f"\n{MARK}{kind}{MARK}{number}{MARK}{readable(title)}\n"


def named(kind: str, number: str) -> str:
    return f"{kind} ({number})" if kind == "Equation" else f"{kind} {number}".strip()


def build(source: str, lines: list[str], pages: bool) -> Document:
    """The Document of marked lines."""
    page, words = 1 if pages else None, []
    found, place, titles = Document(source), Place(page=page), {}

    def flush() -> None:
        found.sentences += _sentences(words)
        words.clear()

    caption, rows_end = ("", -9), -9  # a caption belongs to the rows that end or begin within a few lines of it
    for count, line in enumerate(lines):
        if line.startswith(PAGE):
            page += 1
            place, line = Place(place.section, place.title, page), line[1:]
        if line.startswith(MARK):
            _, kind, number, title = line.strip().split(MARK)
            if kind in ("Section", "Appendix"):
                flush()
                titles[number] = title
                above = [titles[end] for end in titles if end and number.startswith(f"{end}.")]
                place = Place(named(kind, number) if number else "", " / ".join([*above, title]), page)
            elif kind in ("Table", "Figure", "Algorithm"):  # a caption, whose text comes next
                flush()
                caption = (named(kind, number), count)
                if kind == "Table" and found.tables and not found.tables[-1].name and rows_end >= count - 6:
                    found.tables[-1].name = caption[0]
            if number:
                found.parts.append(Part(named(kind, number), title, place))
        elif CELL in line:
            flush()
            name, *cells = [readable(cell) for cell in line.split(CELL)]
            if rows_end < count - 3 or name != found.tables[-1].name and name:
                above = caption[0] if caption[0].startswith("Table") and caption[1] >= count - 5 else ""
                found.tables.append(Table(name or above, place))
            found.tables[-1].rows.append(cells)
            rows_end = count
        elif line.strip():
            words.append((line, place))
        else:
            flush()
    flush()
    return found


def _sentences(lines: list[tuple[str, Place]]) -> list[Sentence]:
    """The sentences of a paragraph; a word that is hyphenated at the end of a line is made whole."""
    text, starts = "", []
    for line, place in lines:
        line = readable(line)
        if re.search(r"[a-z]-$", text) and re.match("[a-z]", line):
            text = text[:-1]
        elif text:
            text += " "
        starts.append((len(text), place))
        text += line
    found, begin = [], 0
    for end in [*ENDS.finditer(text), None]:
        stop = end.start() if end else len(text)
        if end and ABBREVIATION.search(text[:stop]):
            continue
        if sentence := text[begin:stop].strip():
            caption = CAPTION.match(sentence)
            place = [place for start, place in starts if start <= begin][-1]
            found.append(Sentence(sentence, place, f"{caption[1].title()} {caption[2]}" if caption else ""))
        begin = end.end() if end else stop
    return found
