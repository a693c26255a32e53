"""Find in a Document what the paper states about its settings: values, grids, words, each with its place and quote."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import yaml

from .document import Document, Place, Table
from .numbers import ONE, VALUES, all_numbers, written

_FILES = (Path(__file__).with_name(f"{name}.yaml") for name in ("settings", "patterns"))
_SETTINGS, _PATTERNS = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in _FILES)
_DEFAULTS = _SETTINGS.pop("a setting")
SETTINGS = {name: SimpleNamespace(**_DEFAULTS | row) for name, row in _SETTINGS.items()}
PATTERNS = {name: re.compile(pattern, re.I) for name, pattern in _PATTERNS.items()}

_AROUND = rf"{_PATTERNS['before a head']}(?:%s){_PATTERNS['after a head']}"  # "Number of heads*", "Minibatch size (B)"
_NAMES = {name: one.head if one.options else f"{one.head}|{one.name}|{one.unit}" for name, one in SETTINGS.items()}
HEADS = {name: re.compile(_AROUND % names, re.I) for name, names in _NAMES.items()}
LINK = rf"(?P<link>{_PATTERNS['cited']}(?:(?:[\s:,(|]|\.{{3}})*(?:\b(?:{_PATTERNS['between']}|{_PATTERNS['choice']})\b|∈)){{0,7}}(?:[\s:=≈∼~(|]|\.{{3}})*(?:\w_?\w?\s?=\s?)?)"
CELL = re.compile(rf"\s*(?x:{VALUES})\s*")  # a cell that is nothing but numbers


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
        others = PATTERNS["foreign"].search(text) or PATTERNS["elsewhere"].search(sentence.place.title)
        if others or where.startswith("Figure"):
            continue
        for name, values, start, end in in_text(text):
            before = re.search(r"(?:\S+\s+){0,6}\S*$", text[:start])  # whole words
            after = re.match(r"\S*(?:\s+\S+){0,4}", text[end:])
            quote = f"{before[0]}{text[start:end]}{after[0]}".strip(" ,;:")
            found.append(Found(name, values, where, quote, sentence.place, text))
    found += [one for table in document.tables for one in _in_table(table)]
    once = {(one.setting, one.values, one.where): one for one in reversed(found)}
    return sorted(reversed(once.values()), key=lambda one: list(SETTINGS).index(one.setting))


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


def _values(setting: SimpleNamespace, text: str) -> list[float]:
    low, high = setting.whole or setting.number
    return [one for one in all_numbers(text) if low <= one <= high and (not setting.whole or one == int(one))]


def _numbers(setting: SimpleNamespace, text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    quick, *patterns = _patterns(setting.name, setting.unit)
    for pattern, found in ((one, found) for one in patterns if quick.search(text) for found in one.finditer(text)):
        start, end, stated = found.end() - len(found[0].lstrip()), found.end(), found["values"].strip()
        before = text[max(0, start - 40) : start]
        around = re.split(r"[,;.(:]\s|\b(?:and|with|for)\b", before)[-1] + (found["link"] or text[end : end + 8])
        values = _values(setting, stated)
        choice = re.search(rf"\b(?:{_PATTERNS['choice']})\b|∈|\{{", found["link"] + found["values"][:2])
        if (
            PATTERNS["against"].search(before)
            or PATTERNS["afterwards"].match(text[end:])
            or re.search(setting.never, around, re.I)
            or not (setting.whole or re.search(r"\d", stated))  # "two learning rates"
            or re.fullmatch(r"\[[\d, ]*\]?", stated)  # a reference
            or (setting.whole and PATTERNS["lost power"].search(stated))
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


def _words(setting: SimpleNamespace, text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Each option that a sentence names, at the first place where it is meant."""
    for value, pattern in setting.options.items():
        for found in re.finditer(pattern, text):
            start, end = found.span()
            before = text[max(0, start - 60) : start]
            meant = re.search(f"(?:{setting.before})$", before, re.I) or re.match(setting.after, text[end:], re.I)
            near = re.search(setting.near or setting.needs, text[max(0, start - 70) : end + 50], re.I)
            if meant and near and not re.search(setting.never, before[-40:], re.I):
                yield (value or found[0].strip(),), start, end
                break


def _in_table(table: Table) -> Iterator[Found]:
    """Settings named in the first column, each with the values in its row; and those named in the first row."""
    where, rows = table.name or str(table.place), table.rows
    columns = list(zip(*(row for row in rows if len(row) == len(rows[0])), strict=True))[1:]
    for lines in (rows, columns):
        named = [(name, line) for line in lines if (name := setting_of(line[0]))]
        each = lines is rows or len(named) >= len(columns) / 2  # a table of settings; others show what changes with one
        for name, (head, *cells) in named if len(named) > 2 - each else []:
            values = tuple(dict.fromkeys(value for cell in cells for value in _in_cell(SETTINGS[name], cell)))
            quote = " ".join([head, *filter(str.strip, cells)])
            for one in zip(values) if each else [values] * bool(values):
                yield Found(name, one, where, quote, table.place)


def _in_cell(setting: SimpleNamespace, cell: str) -> list[str]:
    """The numbers of a cell that is nothing else, or the option that it names."""
    if setting.options:
        return [value for value, said in setting.options.items() if re.search(rf"(?i:\b{value}\b)|{said}", cell)][:1]
    return list(map(written, _values(setting, cell))) if CELL.fullmatch(cell) else []


@functools.cache
def setting_of(cell: str) -> str | None:
    """The setting that the name of a row or column is."""
    heads = ((name, pattern.fullmatch(cell.strip(" :"))) for name, pattern in HEADS.items())
    fits = (name for name, at in heads if at and not re.search(SETTINGS[name].never, at["pre"] + at["post"], re.I))
    return next(fits, None)
