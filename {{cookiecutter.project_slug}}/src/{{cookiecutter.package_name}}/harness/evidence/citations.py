"""Which code implements a part of the paper and which test verifies it, by what docstrings and comments cite.

``Equation (3)``, ``Sections 3.1 and 4`` and ``Appendix B.2`` are parts of this paper, unless their sentence names
another paper ("Ho et al. 2020, Equation (4)") or they follow ``TODO(paper)``.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..identity import PACKAGE, ROOT
from .comments import Value
from .record import parsed
from .tests import Suite

FOREIGN = ("harness", "components")  # these cite other papers
NOT_ASSERTED = "asserts nothing about code that cites it"
KINDS = "Section Equation Algorithm Definition Theorem Lemma Proposition Corollary Table Figure Appendix".split()
PLURALS = {"Corollaries": "Corollary", "Appendices": "Appendix"} | {f"{kind}s": kind for kind in KINDS}

_ONE = r"\(?(?:[A-Z]?\.?\d+(?:\.\d+)*[a-z]?|[IVX]+(?:[-.][A-Z\d]+)*|[A-Z])\)?(?!\w)"
_ITEM = rf"{_ONE}(?:\s*[–-]\s*{_ONE})?"
_LIST = rf"{_ITEM}(?:(?:,\s*{_ITEM})*,?\s+(?:and|or|&)\s+{_ITEM})?"
CITATION = re.compile(rf"\b(?:({'|'.join(KINDS)})\s+({_ONE})|({'|'.join(PLURALS)})\s+({_LIST}))")
OTHER_PAPER = re.compile(r"\bet\s+al\b|\b[A-Z][a-zà-ÿ]+,?\s+[(\[]?(?:19|20)\d\d[a-z]?\b|\barXiv:\s*\d")
SENTENCE_END = re.compile(r"(?<!\bal)[.!?](?=\s+[^\sa-z])|\n\s*\n|\n(?=\s*(?:[-*] |\w+:))")


@dataclass(frozen=True)
class Place:
    """Where a part is cited: in the innermost class or function, or beside a setting."""

    file: str
    line: int
    symbol: str


@dataclass
class PaperPart:
    """A part of the paper, such as ``Equation (3)``, where it is cited, and how the tests that cite it ended."""

    name: str
    places: list[Place] = field(default_factory=list)
    tests: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """``verified``, or why it is not; ``configuration`` if only settings cite it, which need no test."""
        if not self.places:
            return "no code"
        if not self.tests:
            return "no test" if any(place.file.startswith("src/") for place in self.places) else "configuration"
        states = {"failed": "failed", "passed": "verified", "skipped": "skipped", NOT_ASSERTED: NOT_ASSERTED}
        return next((state for outcome, state in states.items() if outcome in self.tests.values()), "not run")


def paper_parts(suite: Suite, values: Iterable[Value]) -> list[PaperPart]:
    """Every part of the paper that code, settings or tests cite, or that the package's docstring lists.

    Args:
        suite: how the tests ended, and which parts each of them verifies.
        values: the hyperparameters, with their sources.

    Raises:
        UsageError: a file is not valid Python.
    """
    parts = {name: PaperPart(name, places) for name, places in code_places().items()}
    for value in values:
        for _, name in cited_parts(re.sub('".*?"', "", value.source)):
            place = Place(value.file, value.line, value.key)
            parts.setdefault(name, PaperPart(name)).places.append(place)
    for test, names in cited_by_tests().items():
        outcome = suite.outcomes.get(test, "not run")
        for name in names:
            asserted = outcome != "passed" or name in suite.verifies.get(test, [])
            parts.setdefault(name, PaperPart(name)).tests[test] = outcome if asserted else NOT_ASSERTED
    docstring = ast.get_docstring(parsed(PACKAGE / "__init__.py")) or ""
    for item in re.findall(r"^ *- \[.\].*", docstring, re.MULTILINE):
        for _, name in cited_parts(item):
            if not any(part.startswith(f"{name}.") for part in parts):  # Appendix B.2 counts for Appendix B
                parts.setdefault(name, PaperPart(name))
    return sorted(parts.values(), key=_order)


def code_places() -> dict[str, list[Place]]:
    """Where the paper's code cites each part."""
    found: dict[str, list[Place]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py" and path.relative_to(PACKAGE).parts[0] not in FOREIGN:
            for first, symbol, text in _texts(path):
                for offset, name in cited_parts(text):
                    place = Place(path.relative_to(ROOT).as_posix(), first + text.count("\n", 0, offset), symbol)
                    found.setdefault(name, []).append(place)
    return found


def cited_by_tests() -> dict[str, list[str]]:
    """The parts that each test cites, by the test's name in pytest."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for _, symbol, text in _texts(path):
            if test := re.match(r"(?:Test\w*\.)*test\w*", symbol):
                node = "::".join([path.relative_to(ROOT).as_posix(), *test[0].split(".")])
                found.setdefault(node, []).extend(name for _, name in cited_parts(text))
    return {node: names for node, names in found.items() if names}


def never_cited(parts: list[PaperPart]) -> list[str]:
    """The equations and algorithms that ``READING.md`` lists, which ``read.py`` wrote, and that no code cites."""
    sheet = ROOT / "READING.md"
    text = sheet.read_text(encoding="utf-8") if sheet.exists() else ""
    cited = {part.name for part in parts if part.places}
    listed = dict.fromkeys(re.findall(r"(?<=· )(?:Equation|Algorithm) \S+", text))
    return [name for name in listed if name not in cited]


def cited_parts(text: str) -> Iterator[tuple[int, str]]:
    """The parts of this paper that a docstring or comment cites, each with its offset."""
    text = re.sub(r"TODO\(paper\)(?:(?!\n\s*\n)[\s\S])*", lambda todo: re.sub(r"\S", " ", todo[0]), text)
    begin = 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        if not OTHER_PAPER.search(text, begin, end):
            for match in CITATION.finditer(text, begin, end):
                kind = match[1] or PLURALS[match[3]]
                for number in _numbers(match[2] or match[4]):
                    if kind == "Appendix" or not re.fullmatch("[A-Z]", number):  # "Section A" may be prose
                        yield match.start(), f"{kind} ({number})" if kind == "Equation" else f"{kind} {number}"
        begin = end


def _numbers(text: str) -> Iterator[str]:
    """``3.1``, ``3.2`` and ``4`` for ``3.1–3.2 and 4``."""
    for item in re.findall(_ITEM, text):
        first, *last = (number.strip("()") for number in re.findall(_ONE, item))
        before, begin = re.fullmatch(r"(.*?)(\d*)", first).groups()  # in 3.1–3.4 the last number counts up
        end = last[0].removeprefix(before) if last else ""
        if begin and end.isdigit() and int(begin) < int(end) < int(begin) + 100:
            yield from (f"{before}{number}" for number in range(int(begin), int(end) + 1))
        else:
            yield from (first, *last)


def _order(part: PaperPart) -> tuple:
    kind, number = part.name.split(" ", 1)
    pieces = re.findall(r"\d+|[A-Za-z]+", number)
    return KINDS.index(kind), [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces]


def scopes(tree: ast.Module) -> list[tuple[int, int, str, ast.AST]]:
    """First line with decorators, last line, qualified name and node of the file and each class and function in it."""
    found = [(0, 0, "", tree)]

    def visit(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = name
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                inside = f"{name}.{child.name}".lstrip(".")
                first = min(part.lineno for part in [child, *child.decorator_list])
                found.append((first, child.end_lineno, inside, child))
            visit(child, inside)

    visit(tree, "")
    return found


def _texts(path: Path) -> list[tuple[int, str, str]]:
    """The first line, symbol and text of each docstring and comment in a file; its lines are those of the file."""
    source = path.read_text(encoding="utf-8")
    if not any(kind in source for kind in KINDS):  # parsing is slow
        return []
    around = scopes(parsed(path))
    found = [
        (node.body[0].lineno, name, ast.get_source_segment(source, node.body[0]))
        for _, _, name, node in around
        if ast.get_docstring(node)
    ]
    for first, last, text in _comments(source):
        # the innermost class or function that the comment is in or directly above is the one that begins last
        names = [(begin, name) for begin, end, name, _ in around if begin <= first <= end or last + 1 == begin]
        found.append((first, max(names, default=(0, ""))[1], text))
    return found


def _comments(source: str) -> list[tuple[int, int, str]]:
    """The first line, last line and text of each comment; one that goes on below in the same column is one."""
    blocks: list[tuple[int, int, int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            text = token.string.lstrip("#").split(" #")[0]  # commented-out code may hold a second #
            if blocks and blocks[-1][1:3] == (line - 1, column) and not token.line[:column].strip():
                first, _, _, before = blocks.pop()
                blocks.append((first, line, column, f"{before}\n{text}"))
            else:
                blocks.append((line, line, column, text))
    return [(first, last, text) for first, last, _, text in blocks]
