"""Find in a Document what the paper states about its settings: values, grids, words, each with its place and quote."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .document import Document, Place, Table
from .numbers import ONE, VALUES, all_numbers, written


@dataclass(frozen=True)
class Setting:
    """A setting of ``settings.yaml``, which says what each of these is."""

    keys: tuple[str, ...] = ()
    answer: str = ""
    name: str = "(?!)"  # matches nothing
    unit: str = "(?!)"
    number: tuple[float, float] | None = None
    whole: tuple[float, float] | None = None
    options: dict[str, str] = field(default_factory=dict, hash=False)
    pair: int | None = None
    needs: str = ""
    before: str = ""
    after: str = "(?!)"
    never: str = "(?!)"

    def possible(self, value: float) -> bool:
        low, high = self.whole or self.number
        return low <= value <= high and (not self.whole or value == int(value))


_FILES = (Path(__file__).with_name(f"{name}.yaml") for name in ("settings", "patterns"))
_SETTINGS, _PATTERNS = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in _FILES)
SETTINGS = {name: Setting(**row) for name, row in _SETTINGS.items()}
PATTERNS = {name: re.compile(pattern, re.I) for name, pattern in _PATTERNS.items()}

LINK = rf"(?P<link>(?:(?:[\s:,(|]|\.{{3}})*(?:\b(?:{_PATTERNS['between']}|{_PATTERNS['choice']})\b|∈)){{0,7}}(?:[\s:=≈∼~(|]|\.{{3}})*(?:[αηγλτ]\s?=\s?)?)"
CELL = re.compile(rf"\s*(?x:{VALUES})\s*")  # a cell that is nothing but numbers
# Powers that a PDF wrote without raising the exponent: 10^4, 2^18
LOST = re.compile(r"(?<![\d.,])(?<![×·x]\s)(?:10[3-9]|2[12]\d)(?![\d.,%])")


@dataclass(frozen=True)
class Found:
    """A statement of the paper about one setting."""

    setting: str
    values: tuple[str, ...]  # as a config has them; several are a grid that was searched
    where: str  # Section 5.3, or Table 3
    quote: str
    place: Place
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
        text, where = sentence.text, sentence.part or str(sentence.place)
        letters = [word for word in text.split() if len(word) < 3]  # a formula or figure in a PDF has mostly these
        others = PATTERNS["foreign"].search(text) or PATTERNS["elsewhere"].search(sentence.place.title)
        if others or where.startswith("Figure") or len(letters) > 0.55 * len(text.split()):
            continue
        for name, values, start, end in in_text(text):
            if not (sentence.part and SETTINGS[name].options):  # a caption says what differs, not what is used
                before = re.search(r"(?:\S+\s+){0,6}\S*$", text[:start])  # whole words
                after = re.match(r"\S*(?:\s+\S+){0,4}", text[end:])
                quote = f"{before[0]}{text[start:end]}{after[0]}".strip(" ,;:")
                found.append(Found(name, values, where, quote, sentence.place, text))
    for table in document.tables:
        found += _in_table(table)
    once = {(one.setting, one.values, one.where): one for one in reversed(found)}
    order = list(SETTINGS)
    return sorted(reversed(once.values()), key=lambda one: order.index(one.setting))


def in_text(text: str) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
    """Setting, values (several are a grid), and where it stands, for all that a sentence states."""
    for name, setting in SETTINGS.items():
        if re.search(setting.needs, text, re.I):
            yield from ((name, *one) for one in (_words if setting.options else _numbers)(setting, text))


@functools.cache
def _patterns(name: str, unit: str) -> tuple[re.Pattern, re.Pattern, re.Pattern]:
    """Either word, which is quick to find; the name before its values; and the values before their unit."""
    after = rf"(?<![\w-])(?:{name}){LINK}(?P<values>(?x:{VALUES}))"
    before = rf"(?P<values>(?x:{VALUES}))[\s-]?(?P<link>)(?:{unit})(?!\s*[=:]?\s*(?x:{ONE}))"
    return re.compile(f"{name}|{unit}", re.I), re.compile(after, re.I), re.compile(before, re.I)


def _numbers(setting: Setting, text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    quick, *patterns = _patterns(setting.name, setting.unit)
    for pattern, found in ((one, found) for one in patterns if quick.search(text) for found in one.finditer(text)):
        start, end, stated = found.end() - len(found[0].lstrip()), found.end(), found["values"].strip()
        before = text[max(0, start - 40) : start]
        around = re.split(r"[,;.(:]\s|\b(?:and|with|for)\b", before)[-1] + (found["link"] or text[end : end + 8])
        values = [value for value in all_numbers(stated) if setting.possible(value)]
        choice = re.search(rf"\b(?:{_PATTERNS['choice']})\b|∈|\{{", found["link"] + found["values"][:2])
        if (
            PATTERNS["against"].search(before)
            or PATTERNS["afterwards"].match(text[end:])
            or re.search(setting.never, around, re.I)
            or not (setting.whole or re.search(r"\d", stated))  # "two learning rates"
            or re.fullmatch(r"\[[\d, ]*\]?", stated)  # a reference
            or (setting.whole and LOST.search(stated))
            or (choice and len(values) < 2 and not found["link"].strip().endswith("from"))
        ):
            continue
        if len(values) == 2 and setting.pair is not None and "2" in found[0][:12]:
            values = [values[setting.pair]]
        if re.fullmatch(r"[^{[(a-z]*", stated):  # "16, 12 heads": each number may belong to another setting
            followed = re.match(r"\s?[a-z]", text[end:])
            values = values[-1:] if pattern is patterns[1] else values[:1] if followed else values
        names = list(dict.fromkeys(map(written, values)))
        several = [[name] for name in names] if "respectively" in text else [names]
        yield from ((tuple(one), start, end) for one in several if one)


def _words(setting: Setting, text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Each option that a sentence names, at the first place where it is meant."""
    if setting.keys and not PATTERNS["ours"].search(text):
        return
    for value, pattern in setting.options.items():
        for found in re.finditer(pattern, text):
            start, end = found.span()
            before = text[max(0, start - 60) : start]
            meant = re.search(f"(?:{setting.before})$", before, re.I) or re.match(setting.after, text[end:], re.I)
            near = re.search(setting.needs, text[max(0, start - 70) : end + 50], re.I)
            if meant and near and not re.search(setting.never, before[-40:], re.I):
                yield (value or found[0].strip(),), start, end
                break


def _in_table(table: Table) -> Iterator[Found]:
    """Settings named in the first column, each with the values in its row; and those named in the first row."""
    where, rows = table.name or str(table.place), table.rows
    columns = list(zip(*(row for row in rows if len(row) == len(rows[0])), strict=True))[1:]
    for lines in (rows, columns):
        named = [(name, line) for line in lines if (name := _setting(line[0]))]
        for name, (head, *cells) in named if len(named) > 1 else []:
            numbers = [value for cell in cells if CELL.fullmatch(cell) for value in all_numbers(cell)]
            values = tuple(dict.fromkeys(written(value) for value in numbers if SETTINGS[name].possible(value)))
            quote = " ".join([head, *filter(str.strip, cells)])
            for one in zip(values) if lines is rows else [values] * bool(values):
                yield Found(name, one, where, quote, table.place)


def _setting(cell: str) -> str | None:
    """The numeric setting that the name of a row or column is."""
    before = r"(?:(?:num\.?|number of|max\.?|total|training|pre-?training|#|no\. of)\s)?(?:[\w-]+ )?"
    for name, setting in SETTINGS.items():
        pattern = rf"{before}(?:{setting.name}|{setting.unit})(?:\s?\([^)]*\)|\s[^\w\s]\S*)?"
        if not setting.options and re.fullmatch(pattern, cell.strip(" :"), re.I):
            if not re.search(setting.never, cell, re.I):
                return name
    return None
