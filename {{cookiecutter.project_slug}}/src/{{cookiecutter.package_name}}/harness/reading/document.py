"""The paper as one Document, whatever it was read from: its sentences, tables and numbered parts, each with its place.

It is built of lines: a heading, caption or equation begins with ``MARK``, a row of a table has ``CELL``, others are text.
"""

import re
import unicodedata
from dataclasses import dataclass, field

MARK, CELL, PAGE = "\x01", "\x02", "\f"
MINUS = str.maketrans(dict.fromkeys("‐‑‒–−", "-") | {"∗": "*", "⋅": "·", "“": "'", "”": "'", '"': "'", "\u00a0": " "})
# What a sentence does not end with, though a capital letter or a digit follows
ABBREVIATION = re.compile(r"\b(?:al|Eqn?s?|Sect?s?|(?:Fig|Tab|Ref|App)s?|vs|e\.g|i\.e|cf|resp|approx|Num|No|[A-Z])\.$")
ENDS = re.compile(r"(?<=[.!?])[)\]']*\s+(?=[A-Z(\['•\d])|\s*•\s*")


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
        if self.section or self.title[:8].lower() in ("abstract", "appendix"):
            return self.section or self.title.capitalize()
        return f"p. {self.page}" if self.page else "Main text" if self.title else "Abstract"


@dataclass(frozen=True)
class Sentence:
    text: str
    place: Place
    part: str = ""  # of whose caption or title it is: Table 3, Equation (3)


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
    parts: list[Sentence] = field(default_factory=list)  # what code and tests cite


def readable(text: str) -> str:
    """One spelling for ligatures, superscripts, dashes and quotation marks, in one line."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda power: f"^{power[0]}", text)
    text = unicodedata.normalize("NFKC", text.replace("\u00ad", "")).translate(MINUS)
    return " ".join(text.split())


def mark(kind: str, number: str, title: str = "") -> str:
    """The line that begins a part; for a heading without a number ``number`` is empty."""
    return f"{MARK}{kind}{MARK}{number}{MARK}{readable(title.replace(MARK, ' '))}"


def named(kind: str, number: str) -> str:
    return f"{kind} ({number})" if kind == "Equation" else f"{kind} {number}".strip()


def build(source: str, lines: list[str]) -> Document:
    """The Document of marked lines."""
    found, place, titles, words, part = Document(source), Place(), {}, [], ""
    caption, caption_at, row_at = "", -9, -9  # a caption belongs to the rows that end or begin within a few lines of it
    for at, line in enumerate([*lines, ""]):
        kind, number, title = line.split(MARK)[1:] if line.startswith(MARK) else ("", "", "")
        is_text = line.strip() and not kind and CELL not in line
        after_caption = part and words and words[-1][0].endswith(".") and line[:1].islower()
        if after_caption or not (is_text or line == PAGE or kind == "Equation"):  # sentences go on over both
            found.sentences += _sentences(words, part)
            words, part = [], ""
        if is_text:
            words.append((readable(line), place))
        elif line == PAGE:
            ended = place.page and place.title.lower() == "abstract"  # it is on one page
            place = Place(place.section, "" if ended else place.title, (place.page or 0) + 1)
        elif kind in ("Section", "Appendix"):
            titles[number] = title
            above = [titles[end] for end in titles if end and number.startswith(f"{end}.")]
            place = Place(named(kind, number) if number else "", " / ".join([*above, title]), place.page)
        elif kind in ("Table", "Figure", "Algorithm"):  # its caption comes next
            caption, caption_at, part = named(kind, number), at, named(kind, number)
            if kind == "Table" and found.tables and not found.tables[-1].name and row_at >= at - 6:
                found.tables[-1].name, caption_at = caption, -9
        elif CELL in line:
            name, *cells = [readable(cell) for cell in line.split(CELL)]
            if row_at < at - 3 or name not in ("", found.tables[-1].name):
                above = caption if caption.startswith("Table") and caption_at >= at - 5 else ""
                found.tables.append(Table(name or above, place))
            found.tables[-1].rows.append(cells)
            row_at = at
        if number:
            found.parts.append(Sentence(title, place, named(kind, number)))
    return found


def _sentences(lines: list[tuple[str, Place]], part: str) -> list[Sentence]:
    """The sentences of a paragraph, the first of a caption; a word that is hyphenated at a line's end is made whole."""
    text, starts = "", []
    for line, place in lines:
        hyphen = re.search(r"[a-z]-$", text) and re.match("[a-z]", line)
        text = text[:-1] if hyphen else f"{text} ".lstrip()
        starts.append((len(text), place))
        text += line
    found, begin = [], 0
    for end in [*(end for end in ENDS.finditer(text) if not ABBREVIATION.search(text[: end.start()])), None]:
        if sentence := text[begin : end.start() if end else None].strip():
            found.append(Sentence(sentence, [at for start, at in starts if start <= begin][-1], "" if found else part))
        begin = end.end() if end else 0
    return found
