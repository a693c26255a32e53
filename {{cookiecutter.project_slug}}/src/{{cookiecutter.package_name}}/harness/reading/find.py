"""Find in a Document what the paper states about its settings: values, grids, words, each with its place and quote."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .document import Document, Place, Table
from .numbers import ONE, VALUES, all_numbers, written
from .settings import PATTERNS, SETTINGS, Setting

_BETWEEN, _CHOICE = PATTERNS["between"].pattern, PATTERNS["choice"].pattern
LINK = rf"(?P<link>(?:(?:[\s:,(|]|\.{{3}})*(?:\b(?:{_BETWEEN}|{_CHOICE})\b|∈)){{0,7}}(?:[\s:=≈∼~(|]|\.{{3}})*(?:[αηγλτ]\s?=\s?)?)"
DRAWN = re.compile(r"(?:\d[\d.]*[kKM]?\s+){3,}\D")  # the ticks of a figure's axis
# Powers that a PDF wrote without raising the exponent: 10^4, 2^18
LOST = re.compile(r"(?<![\d.,])(?<![×·x]\s)(?:10[3-9]|2[12]\d)(?![\d.,%])")


@dataclass(frozen=True)
class Found:
    """A statement of the paper about one setting."""

    setting: str
    values: tuple[str, ...]  # as a config has them; more than one only in a grid
    where: str  # Section 5.3, or Table 3
    quote: str
    place: Place
    grid: bool = False
    sentence: str = ""

    @property
    def source(self) -> str:
        """As the comment beside a setting states it."""
        page = f" (page {self.place.page})" if self.place.page else ""
        return f'{self.where}: "{self.quote}"{page}'.removeprefix("Main text: ")


def find(document: Document) -> list[Found]:
    """All statements about settings in the order of SETTINGS, the same value of the same place once."""
    found = []
    for sentence in document.sentences:
        text = sentence.text
        if sentence.part.startswith("Figure") or PATTERNS["elsewhere"].search(sentence.place.title) or _foreign(text):
            continue
        where = sentence.part or str(sentence.place)
        for name, values, grid, start, end in in_text(text):
            if not (sentence.part and SETTINGS[name].options):  # a caption says what differs, not what is used
                found.append(Found(name, values, where, quoted(text, start, end), sentence.place, grid, text))
    for table in document.tables:
        found += _in_table(table)
    once = {(one.setting, one.values, one.where): one for one in reversed(found)}
    order = list(SETTINGS)
    return sorted(reversed(once.values()), key=lambda one: order.index(one.setting))


def _foreign(text: str) -> bool:
    """Whether a text is about other work, or what a PDF holds of a figure or formula: ticks, or mostly single letters."""
    words = text.split()
    drawn = DRAWN.search(text) or sum(len(word) < 3 for word in words) > 0.55 * len(words)
    return bool(drawn or PATTERNS["foreign"].search(text))


def quoted(text: str, start: int, end: int) -> str:
    """The words around a match: six before it, four after it, none cut."""
    before, after = text[:start].split(" "), text[end:].split(" ")
    first = len(" ".join(before[:-7])) if len(before) > 7 else 0
    return text[first : end + len(" ".join(after[:5]))].strip(" ,;:")


def in_text(text: str) -> Iterator[tuple[str, tuple[str, ...], bool, int, int]]:
    """Setting, values, whether they are a grid, and where it stands, for all that a sentence states."""
    for name, setting in SETTINGS.items():
        if setting.needs and not re.search(setting.needs, text, re.I):
            continue
        if setting.options:
            if not setting.keys or PATTERNS["ours"].search(text):
                yield from ((name, (value,), False, start, end) for value, start, end in _words(setting, text))
            continue
        for values, grid, start, end in _numbers(setting, text):
            if grid:
                yield name, values, True, start, end
            else:
                yield from ((name, (value,), False, start, end) for value in values)


@functools.cache
def _patterns(name: str, unit: str) -> tuple[re.Pattern, re.Pattern, re.Pattern]:
    """Either word, which is quick to find; the name before its values; and the values before their unit."""
    after = rf"(?<![\w-])(?:{name}){LINK}(?P<values>(?x:{VALUES}))"
    before = rf"(?P<values>(?x:{VALUES}))[\s-]?(?P<link>)(?:{unit})(?!\s*[=:]?\s*(?x:{ONE}))"
    return re.compile(f"{name}|{unit}", re.I), re.compile(after, re.I), re.compile(before, re.I)


def _numbers(setting: Setting, text: str) -> Iterator[tuple[tuple[str, ...], bool, int, int]]:
    quick, *patterns = _patterns(setting.name, setting.unit)
    for pattern, found in ((one, found) for one in patterns if quick.search(text) for found in one.finditer(text)):
        start, end = found.end() - len(found[0].lstrip()), found.end()
        before = text[max(0, start - 40) : start]
        around = re.split(r"[,;.(:]\s|\b(?:and|with|for)\b", before)[-1] + (found["link"] or text[end : end + 8])
        if (
            PATTERNS["against"].search(before)
            or re.search(setting.never, around, re.I)
            or PATTERNS["afterwards"].match(text[end:])
        ):
            continue
        if not setting.whole and not re.search(r"\d", found["values"]):  # "two learning rates"
            continue
        stated = found["values"].strip()
        if re.fullmatch(r"\[[\d, ]*\]?", stated) or setting.whole and LOST.search(stated):  # a reference, or a power
            continue
        values = all_numbers(stated)
        if len(values) == 2 and setting.pair is not None and "2" in found[0][:12]:
            values = [values[setting.pair]]
        if not setting.whole and re.fullmatch(r"\d+", stated) and re.match(r"\s?[α-ω∂∇]", text[end:]):
            continue  # "stepsize 1 λ"
        if re.fullmatch(r"[^{[(a-z]*", stated):  # "16, 12 heads": each number may belong to another setting
            values = (
                values[-1:] if pattern is patterns[1] else values[:1] if re.match(r"\s?[a-z]", text[end:]) else values
            )
        while values and not all(setting.possible(value) for value in values):
            values.pop()  # "momentum of 0.9, 128 images": the second number is another setting's
        choice = re.search(rf"\b(?:{_CHOICE})\b|∈|\{{", found["link"] + found["values"][:2])
        if not values or choice and len(values) < 2 and not found["link"].strip().endswith("from"):
            continue
        grid = len(values) > 1 and "respectively" not in text
        yield tuple(dict.fromkeys(map(written, values))), grid, start, end


def _words(setting: Setting, text: str) -> Iterator[tuple[str, int, int]]:
    """Each option that a sentence names, at the first place where it is meant."""
    for value, pattern in setting.options.items():
        for found in re.finditer(pattern, text):
            start, end = found.span()
            before = text[max(0, start - 60) : start]
            meant = re.search(f"(?:{setting.before})$", before, re.I) or re.match(setting.after, text[end:], re.I)
            near = not setting.needs or re.search(setting.needs, text[max(0, start - 70) : end + 50], re.I)
            if meant and near and not re.search(setting.never, before[-40:], re.I):
                yield value or found[0].strip(), start, end
                break


def _in_table(table: Table) -> Iterator[Found]:
    """Settings named in the first column, each with the values in its row; and those named in the first row."""
    where = table.name or str(table.place)
    rows = [row for row in table.rows if row]
    columns = list(zip(*(row for row in rows if len(row) == len(rows[0])), strict=True))[1:]
    for lines, grid in ((rows, False), (columns, True)):
        named = [(name, line) for line in lines if (name := _setting(line[0]))]
        for name, (head, *cells) in named if len(named) > 1 else []:
            cells = [cell for cell in cells if cell.strip()]
            values = tuple(dict.fromkeys(written(number) for cell in cells for number in _cell(cell, SETTINGS[name])))
            if values and grid:
                yield Found(name, values, where, f"{head}: {', '.join(values)}", table.place, len(values) > 1)
            elif len(cells) <= 6:
                yield from (Found(name, (value,), where, " ".join([head, *cells]), table.place) for value in values)


def _setting(cell: str) -> str | None:
    """The numeric setting that the name of a row or column is."""
    cell = re.sub(
        r"^(?:num\.?|number of|max\.?|total|training|pre-?training|#|no\. of)\s", "", cell.strip(" :"), flags=re.I
    )
    for name, setting in SETTINGS.items():
        if not setting.options and re.fullmatch(
            rf"(?:[\w-]+ )?(?:{setting.name}|{setting.unit})(?:\s?\([^)]*\)|\s[^\w\s]\S*)?", cell, re.I
        ):
            if not re.search(setting.never, cell, re.I):
                return name
    return None


def _cell(cell: str, setting: Setting) -> list[float]:
    """The numbers of a cell that is nothing but numbers."""
    if not re.fullmatch(rf"\s*(?x:{VALUES})\s*", cell):
        return []
    return [value for value in all_numbers(cell) if setting.possible(value)]
