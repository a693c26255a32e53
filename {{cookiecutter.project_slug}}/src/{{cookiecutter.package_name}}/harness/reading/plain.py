"""Marked lines of a text without markup, as a PDF or ``paper.txt`` gives it: what is a heading, a caption, a number."""

import functools
import itertools
import re
from collections import Counter

from .document import CELL, MARK, PAGE, mark, readable
from .find import PATTERNS, SETTINGS, settings_of
from .numbers import ONE

DIGITS = str.maketrans("", "", "0123456789")
VALUE = re.compile(rf"{ONE}|[{{(\[] \s* (?:{ONE}) (?: \s*,\s* (?:{ONE}) )* \s* [\]}})]|[-/]", re.VERBOSE)
NUMERIC = rf"(?x:{ONE})(?:[/+]\d+)?|-"
WORD_OR_NUMBER = rf"(?:(?x:{ONE})(?:[/+]\d+)?|[^\W\d]+|[-/✓✗])"
ROW = re.compile(rf"((?:# )?[^\W\d](?:[^=,;(]|\([^()=]{{1,12}}\)){{0,45}}?(?<=[^\s\d]))((?:\s+(?x:{VALUE.pattern}))+)")
OPTIONS = "|".join(setting.head for setting in SETTINGS.values() if setting.options)
OPTION_ROW = re.compile(rf"({OPTIONS})\s+(\S+(?: \S+){{0,2}})", re.I)


def marked(text: str) -> list[str]:
    """The lines of a text, without running heads, page numbers and the list of references."""
    pages = [[readable(line) for line in page.splitlines()] for page in text.split(PAGE)]
    ends = Counter(line.translate(DIGITS) for page in pages for line in {*page[:2], *page[-2:]})
    found, last, seen, cited = [], "", set(), False
    for page in pages:
        found += [PAGE] * (len(pages) > 1)
        for line in page:
            if re.fullmatch(r"[\d\W]{0,6}", line) or ends[line.translate(DIGITS)] >= 3:  # a running head comes again
                continue
            marking = _mark(line, last, seen)
            if marking.startswith((f"{MARK}Section", f"{MARK}Appendix")):
                _, _, number, title = marking.split(MARK)
                cited = re.match("references|bibliography", title, re.I) is not None or (cited and number.isdigit())
                last = number or last
            elif cited and marking:  # floats that come after the references
                cited = False
                found.append(mark("Section", "", "Appendix"))
            if not cited:
                found += [marking, line] if PATTERNS["a caption"].match(line) and marking else [marking or line]
    return _with_columns(found, _with_rows(found))


def _with_rows(found: list[str]) -> list[str]:
    """Three or more of five lines like ``Minibatch size 64`` or ``Optimizer Adam`` are rows of a table."""
    rows = [ROW.fullmatch(line) or OPTION_ROW.fullmatch(line) for line in found]
    near = [sum(map(bool, rows[max(0, at) : at + 5])) > 2 for at in range(-4, len(rows))]
    cells = [[row[1], *(VALUE.findall(row[2]) or row[2].split())] if row else [] for row in rows]
    return [CELL + CELL.join(row) if row and any(near[at : at + 5]) else found[at] for at, row in enumerate(cells)]


def _with_columns(found: list[str], lines: list[str]) -> list[str]:
    """A line of names, ``Model Layers Heads``, and two or more below it that end with a number or word for each."""
    for at, line in enumerate(found):
        words = () if re.search(r"[.,;:]|\b\d", line) else tuple(re.findall(r"\S+(?: \([^)]*\))?", line)[:20])
        starts = (_named(words[start:]) for start in reversed(range(len(words))))
        settings, _, names = max(starts, key=lambda start: start[:2], default=(0, 0, ()))
        last = max((at for at, name in enumerate(names, 1) if settings_of(name)), default=0)
        if settings > 1 and settings * 2 >= last:  # others may follow
            numbers = [any(not SETTINGS[one].options for one in settings_of(name)) for name in names[:last]]
            cells = "".join(rf"\s+({NUMERIC if number else WORD_OR_NUMBER})" for number in numbers)
            left = len(names) - last
            row = re.compile(rf"(\S.*?){cells}(?:\s+{WORD_OR_NUMBER}){{{left // 2},{left}}}")
            rows = [row.groups() for row in itertools.takewhile(bool, map(row.fullmatch, found[at + 1 : at + 30]))]
            if len(rows) > 1:
                lines[at : at + len(rows) + 1] = [CELL + CELL.join(row) for row in [["", *names[:last]], *rows]]
    return lines


@functools.cache
def _named(words: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
    """How many columns of a line of names are settings, how many are not, as a negative number, and their names."""
    found = [(0, 0, ())] if not words else []
    for end in range(1, min(len(words), 5) + 1):
        name = " ".join(words[:end])
        if (known := bool(settings_of(name))) or end == 1:
            settings, others, names = _named(words[end:])
            found.append((settings + known, others - (not known), (name, *names)))
    return max(found)


def _mark(line: str, last: str, seen: set) -> str:
    """The mark that a line is, if any: the heading, the caption, or the equation's number at its end."""
    if PATTERNS["a title"].fullmatch(line):
        seen.add("" if line.lower().startswith("abstract") else "end")  # appendices come after
        if letter := re.match(r"appendix ([A-Z])\b[.:]? ?(?=[A-Z])", line, re.I):
            return mark("Appendix", letter[1], line[letter.end() :])
        return mark("Section", "", line)
    if caption := PATTERNS["a caption"].match(line):
        kind = "Figure" if caption[1].lower() == "fig" else caption[1].title()
        if (kind, caption[2]) not in seen:
            seen.add((kind, caption[2]))
            return mark(kind, caption[2], caption[3])
    if roman := PATTERNS["a Roman heading"].match(line):
        return mark("Section", roman[1], roman[2])
    if last and last[0] in "IVX" and (below := PATTERNS["a heading within it"].match(line)):
        return mark("Section", f"{last.split('-')[0]}-{below[1]}", below[2])
    heading = PATTERNS["a heading"].match(line)
    begins = heading and (heading[1] != "A" or "end" in seen or line.startswith("Appendix"))  # not "A method that ..."
    if begins and _is_heading(heading[1], heading[2], last):
        return mark("Section" if heading[1][0].isdigit() else "Appendix", heading[1], heading[2])
    equation = PATTERNS["an equation"].search(line)
    if equation and equation[1] not in seen and re.search(r"[=<>≤≥∝≈∈→~+]|\bmin|\bmax|∑|∫", line):
        seen.add(equation[1])
        return mark("Equation", equation[1], line)
    return ""


def _is_heading(number: str, title: str, last: str) -> bool:
    """Whether it reads like a title, and is the next one at some depth, the first child, or the first appendix."""
    if not title[0].isupper() or PATTERNS["no title"].search(title):
        return False
    if not last or number[0].isalpha() != last[0].isalpha():
        return number in (("A",) if last else ("0", "1"))
    new, old = ([int(one) if one.isdigit() else ord(one[0]) for one in label.split(".")] for label in (number, last))
    old += [0] * len(new)
    depth = next((depth for depth in range(len(new)) if new[depth] != old[depth]), len(new) - 1)
    return new[depth] - old[depth] in (1, 2) and all(part == 1 for part in new[depth + 1 :])
