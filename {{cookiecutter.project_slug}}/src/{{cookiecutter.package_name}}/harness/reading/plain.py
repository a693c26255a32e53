"""Marked lines of a text without markup, as a PDF or ``paper.txt`` gives it: what is a heading, a caption, a number."""

import re
from collections import Counter

from .document import CELL, MARK, PAGE, mark, readable
from .numbers import ONE

NUMBERED = re.compile(r"(?:Appendix\s+)?((?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3})\.?\s+(?=[^\W\d_])(.{2,90})$")
UNNUMBERED = re.compile(
    r"(abstract|references|bibliography|acknowledge?ments?|(?:supplementary (?:material|information)|appendix)\b.{0,40})\.?",
    re.I,
)
CAPTION = re.compile(r"(Table|Figure|Fig\.|Algorithm)\s+([IVX]+|[A-Z]?\.?\d+(?:\.\d+)?)\s*[:.|]?\s+(\S.*)", re.I)
ROMAN = re.compile(r"([IVX]{1,5})\. ([A-Z][A-Z :,-]{3,60})$")  # II. METHOD
EQUATION = re.compile(r"(?:^|\s)\(((?:[A-Z]\.?)?\d{1,3}(?:\.\d{1,2})?)\)$")
VALUE = re.compile(ONE, re.VERBOSE)
ROW = re.compile(rf"([^\W\d][^=,;]{{0,45}}?[^\s\d])\s+((?:(?x:{ONE})\s*)+)")


def marked(text: str) -> list[str]:
    """The lines of a text, without running heads, page numbers and the list of references."""
    pages = [page.splitlines() for page in text.split(PAGE)]
    repeated = _running_heads(pages)
    found, last, numbers, cited = [], "", set(), False
    for count, lines in enumerate(pages):
        first = True
        for line in map(str.strip, lines):
            if re.fullmatch(r"[\d\W]{0,6}", line) or re.sub(r"\d+", "#", line) in repeated:
                continue
            marks = _marks(line, last, numbers)
            if marks.startswith(f"\n{MARK}Section") or marks.startswith(f"\n{MARK}Appendix"):
                _, _, number, title = marks.strip("\n").split(MARK)
                cited = re.match("references|bibliography", title, re.I) is not None or (cited and number.isdigit())
                last = number or last
            elif cited and marks:  # floats that come after the references
                cited = False
                found.append(PAGE * (first and count > 0) + mark("Section", "", "Appendix").strip("\n"))
                first = False
            if cited:
                marks = line = ""
            for piece in filter(None, [marks.strip("\n"), "" if marks and not CAPTION.match(readable(line)) else line]):
                found.append(PAGE * (first and count > 0) + piece)
                first = False
        if first and count > 0:  # nothing on this page, but it counts
            found.append(PAGE)
    return _with_rows(found)


def _with_rows(lines: list[str]) -> list[str]:
    """Lines such as ``Minibatch size 64`` as rows of a table, where three or more come in a row."""
    rows = [ROW.fullmatch(readable(line)) for line in lines]
    found = []
    for position, (line, row) in enumerate(zip(lines, rows, strict=True)):
        around = [bool(other) for other in rows[max(0, position - 2) : position + 3]]
        if row and sum(around) >= 3:
            page = PAGE * line.startswith(PAGE)
            line = page + CELL + CELL.join([row[1], *VALUE.findall(row[2])])
        found.append(line)
    return found


def _running_heads(pages: list[list[str]]) -> set[str]:
    """First and last lines that come again on other pages, their digits aside."""
    ends = [re.sub(r"\d+", "#", line.strip()) for page in pages for line in {*page[:2], *page[-2:]} if line.strip()]
    return {line for line, count in Counter(ends).items() if count >= 3}


def _marks(line: str, last: str, numbers: set[str]) -> str:
    """The mark that a line is, if any: the heading, the caption, or the equation's number at its end."""
    line = readable(line)
    if UNNUMBERED.fullmatch(line):
        numbers.add("" if line.lower().startswith("abstract") else "end")  # appendices come after
        return mark("Section", "", line)
    if caption := CAPTION.match(line):
        kind = "Figure" if caption[1].lower().startswith("fig") else caption[1].title()
        named_before = f"{kind} {caption[2]}"
        is_caption = re.search(r"^\S+\s+\S+?\s*[:.|]\s", line) or kind == "Algorithm"
        if is_caption and named_before not in numbers:
            numbers.add(named_before)
            return mark(kind, caption[2].rstrip("."), caption[3])
    if roman := ROMAN.match(line):
        return mark("Section", roman[1], roman[2])
    if last and last[0] in "IVX" and (below := re.match(r"([A-Z])\. ([A-Z][a-z][^.]{2,60})$", line)):
        return mark("Section", f"{last.split('-')[0]}-{below[1]}", below[2])
    heading = NUMBERED.match(line)
    if heading and heading[1] == "A" and "end" not in numbers and not line.startswith("Appendix"):
        heading = None  # "A method that ..."
    if heading and _follows(heading[1], last) and _is_title(heading[2]):
        return mark("Section" if heading[1][0].isdigit() else "Appendix", heading[1], heading[2])
    equation = EQUATION.search(line)
    if equation and equation[1] not in numbers and re.search(r"[=<>≤≥∝≈∈→~+]|\bmin|\bmax|∑|∫", line):
        numbers.add(equation[1])
        return mark("Equation", equation[1], line)
    return ""


def _is_title(title: str) -> bool:
    words = re.findall(r"[^\W\d_]{2,}", title)
    if not words or title.endswith((",", ";", "-")) or re.search(r"[=∈]|\d\.\d|\b(?:is|are|was|were|we)\b", title):
        return False
    return title[0].isupper() and sum(map(len, words)) > len(title.replace(" ", "")) * 0.7


def _follows(number: str, last: str) -> bool:
    """Whether a heading may come after another: the next one at some depth, its first child, or the first appendix."""
    if not last or number[0].isalpha() != last[0].isalpha():
        return number in (("A",) if last else ("0", "1"))
    new, old = (
        [ord(part[0]) if part[0].isalpha() else int(part) for part in label.split(".")] for label in (number, last)
    )
    old += [0] * len(new)
    depth = next((depth for depth in range(len(new)) if new[depth] != old[depth]), len(new) - 1)
    return new[depth] - old[depth] in (1, 2) and all(part == 1 for part in new[depth + 1 :])
