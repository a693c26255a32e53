"""Find in a Document what the paper states about its settings: values, grids, words, each with its place and quote."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
MORE = rf"(?i)\s?(for|on|in|to)\s(?:[^\s,;.]+\s){{0,4}}?[^\s,;.]+(?:,\s(?:and\s)?|\sand\s)(?:of (?:size )?)?((?x:{ONE}))(?=\s\1\b)"
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
    certain: bool = False  # proposed; otherwise only listed

    @property
    def source(self) -> str:
        """As the comment beside a setting states it."""
        page = f" (page {self.place.page})" if self.place.page else ""
        return f'{self.where}: "{self.quote}"{page}'.removeprefix("Main text: ")


def find(document: Document) -> list[Found]:
    """All statements about settings in the order of SETTINGS, the same value of the same place once."""
    found = []
    for sentence in document.sentences:
        text, where, title = sentence.text, sentence.part or str(sentence.place), sentence.place.title
        if PATTERNS["foreign"].search(text) or PATTERNS["elsewhere"].search(title) or where.startswith("Figure"):
            continue
        for name, values, start, end in in_text(text):
            before = re.search(r"(?:\S+\s+){0,6}\S*$", text[:start])  # whole words
            after = re.match(r"\S*(?:\s+\S+){0,4}", text[end:])
            quote = f"{before[0]}{text[start:end]}{after[0]}".strip(" ,;:")
            found.append(Found(name, values, where, quote, sentence.place, text))
    found += [one for table in document.tables for one in _in_table(table)]
    once = {(one.setting, one.values, one.where): one for one in reversed(found)}
    found = sorted(reversed(once.values()), key=lambda one: list(SETTINGS).index(one.setting))
    return [replace(one, certain=_is_certain(one, found)) for one in found]


def _is_certain(one: Found, found: list[Found]) -> bool:
    """Whether it is stated of all of the paper's own training, and no second value anywhere."""
    rivals = (other.values for other in found if other.setting == one.setting)
    beside = any(other.sentence == one.sentence for other in found if other.setting != one.setting)
    titled = PATTERNS["details in"].search(one.place.title)
    told = titled and (beside or not SETTINGS[one.setting].part) or beside and PATTERNS["own"].search(one.sentence)
    told = told or not one.sentence  # in a table of settings
    own = told and not PATTERNS["of a part"].search(f"{one.place.title.split(' / ')[-1]}: {one.sentence}")
    return len(one.values) == 1 and bool(own) and all(one.values[0] in values for values in rivals)


def in_text(text: str) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
    """Setting, values (several are a grid), and where it stands, for all that a sentence states."""
    for name, setting in SETTINGS.items():
        if re.search(setting.needs, text, re.I):
            yield from ((name, *one) for one in (_words if setting.options else _numbers)(setting, text))


@functools.cache
def _patterns(name: str, unit: str) -> tuple[re.Pattern, re.Pattern, re.Pattern]:
    """Either word, which is quick to find; the name before its values; and the values before their unit."""
    after = rf"(?<![\w-])(?:{name}){LINK}(?P<values>(?x:{VALUES}))"
    before = rf"(?P<values>(?x:{VALUES}))(?:\s(?:instead of|rather than)\s(?x:{ONE})|\s(?:was|is) (?:\w+ )?the best[\w-]*)?[\s-]?(?P<link>)(?:{unit})(?!\s*[=:]?\s*[({{]?(?x:{ONE}))"
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
            PATTERNS["against"].search(text[max(0, start - 90) : start])
            or PATTERNS["afterwards"].match(text[end:])
            or re.search(setting.never, around, re.I)
            or not (setting.whole or re.search(r"\d", stated))  # "two learning rates"
            or re.fullmatch(r"(?i)\[[\d, ]*\]?|[a-z]+ or [a-z]+", stated)  # a reference, or not decided
            or (setting.whole and PATTERNS["lost power"].search(stated))
            or ("respectively" in text and PATTERNS["in a row"].search(before))
            or (choice and len(values) < 2 and not found["link"].strip().endswith("from"))
        ):
            continue
        values = _of_pair(setting, values, found[0][:12])
        if not re.search(r"[{[()\]}]|\b(?:and|or|to)\b", stated):  # "16, 12 heads": each may be of another setting
            followed = re.match(r"\s?[a-z]", text[end:])
            values = values[-1:] if pattern is patterns[1] else values[:1] if followed else values
        names = list(dict.fromkeys(map(written, values)))
        several = [[name] for name in names] if "respectively" in text else [names]
        yield from ((tuple(one), start, end) for one in several if one)
        while len(names) == 1 and (other := re.match(MORE, text[end:])):  # "64 for small images, 32 for large ones"
            yield from (((written(value),), start, end) for value in _values(setting, other[2]))
            end += other.end()


def _words(setting: SimpleNamespace, text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Each option that a sentence names, at the first place where it is meant."""
    for value, pattern in setting.options.items():
        for found in re.finditer(pattern, text, re.I):
            start, end = found.span()
            before = text[max(0, start - 60) : start]
            meant = re.search(f"(?:{setting.before})$", before, re.I) or re.match(setting.after, text[end:], re.I)
            near = re.search(setting.near or setting.needs, text[max(0, start - 70) : end + 50], re.I)
            denied = re.search(setting.never, before[-40:], re.I) or PATTERNS["denied"].search(before[-40:])
            if meant and near and not denied:
                yield (value or found[0].strip(),), start, end
                if value:
                    break


def _in_table(table: Table) -> Iterator[Found]:
    """Settings named in the first column, each with the values in its row; and those named in the first row."""
    where, first = table.name or str(table.place), table.rows[0]
    ours = [at for at, cell in enumerate(first) if re.match(r"ours?\b", cell, re.I)] or range(1, len(first))
    rows = [[row[0], *(row[at] for at in ours)] if len(row) == len(first) else row for row in table.rows]
    rows = [row[1:] if list(map(bool, map(settings_of, row[:3]))) == [False, True, False] else row for row in rows]
    columns = list(zip(*(row for row in rows if len(row) == len(rows[0])), strict=True))[1:]
    for lines in (rows, columns):
        named = [(name, line) for line in lines for name in settings_of(line[0])]
        each = lines is rows or len(named) >= len(columns) / 2  # a table of settings; others show what changes with one
        for name, (head, *cells) in named if len(named) > 2 - each else []:
            values = list(dict.fromkeys(value for cell in cells if (value := _in_cell(SETTINGS[name], cell, head))))
            for one in values if each else [tuple(dict.fromkeys(sum(values, ())))] * bool(values):
                yield Found(name, one, where, " ".join([head, *filter(str.strip, cells)]), table.place)


def _in_cell(setting: SimpleNamespace, cell: str, head: str) -> tuple[str, ...]:
    """The numbers of a cell that is nothing else, the one that is meant of a pair, or the option that it names."""
    if not setting.options:
        return tuple(map(written, _of_pair(setting, _values(setting, cell) if CELL.fullmatch(cell) else [], head)))
    return tuple(one for one, said in setting.options.items() if re.search(rf"\b{one}\b|{said}", cell, re.I))[:1]


def _of_pair(setting: SimpleNamespace, values: list[float], name: str) -> list[float]:
    """Of the values of (β1, β2) the one that is the setting's."""
    return [values[setting.pair]] if len(values) == 2 and setting.pair is not None and "2" in name else values


@functools.cache
def settings_of(cell: str) -> list[str]:
    """The setting that the name of a row or column is, or both of a pair."""
    heads = ((name, pattern.fullmatch(cell.strip(" :"))) for name, pattern in HEADS.items())
    fits = [name for name, at in heads if at and not re.search(SETTINGS[name].never, at["pre"] + at["post"], re.I)]
    return fits if fits and SETTINGS[fits[0]].pair is not None else fits[:1]
