"""Which part of the paper lives where, and which test verifies it: what docstrings and comments cite.

``Equation (3)``, ``Sections 3.1 and 4``, ``Appendix B.2`` are read as parts of this paper, except
- behind the name of another paper in the same sentence ("Ho et al. 2020, Equation (4)") or directly before one
  ("Equation (4) of Ho et al. 2020"), a name being "et al.", a surname with a year, or a number of arXiv;
- behind ``TODO(paper)`` in the same paragraph, and in lines that are commented out, as in ``# lr: 1  # Section 5.3``.
"""

import ast
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from .records import _write, syntax
from .settings import ROOT, UsageError

PACKAGE = Path(__file__).parents[1]
FOREIGN = ("harness", "components")  # what is cited there is of the papers that they come from
RESULTS = ROOT / "results" / "tests.json"
OUTCOMES = ["skipped", "passed", "failed"]  # of several cases of a test the last of these counts
KINDS = "Section Equation Algorithm Definition Theorem Lemma Proposition Corollary Table Figure Appendix".split()
PLURALS = {"Corollaries": "Corollary", "Appendices": "Appendix"} | {f"{kind}s": kind for kind in KINDS}

_ONE = r"\(?(?:[A-Z]?\.?\d+(?:\.\d+)*[a-z]?|[IVX]+(?:[-.][A-Z\d]+)*|[A-Z])\)?(?!\w)"
_ITEM = rf"{_ONE}(?:\s*[–-]\s*{_ONE})?"
_MANY = rf"{_ITEM}(?:(?:,\s*{_ITEM})*,?\s+(?:and|or|&)\s+{_ITEM})?"
CITATION = re.compile(rf"\b(?:({'|'.join(KINDS)})\s+({_ONE})|({'|'.join(PLURALS)})\s+({_MANY}))")
NEAR = re.compile(rf"\b(?:{'|'.join([*KINDS, *PLURALS])})[\s#]+[(.\dA-Z]")
PAPER = re.compile(r"\bet\s+al\b|\b[^\W\d_a-z][^\W\d_A-Z]+,?\s+[(\[]?(?:19|20)\d\d[a-z]?\b|\barXiv:\s*\d")
OF_PAPER = re.compile(rf",?\s+(?:(?:of|in|from|by)\s+|[(\[])(?:[\w'’.&-]+\s+){{0,3}}?(?:{PAPER.pattern})")
COMMENT = re.compile(r"(?<!\S)#")  # in YAML
NO_END = "".join(rf"(?<!\b{text})" for text in ("al", "[A-Z]", r"e\.g", r"i\.e", "cf"))
END = re.compile(rf"{NO_END}[.!?][)\]\"'”’]*(?=\s+[^\sa-z])|\n\s*\n|\n(?=\s*(?:[-*] |\w+:))")  # of a sentence


@dataclass(frozen=True)
class Place:
    """Where a part is cited: in the innermost class or function, or at the key of a configuration."""

    file: str
    line: int
    symbol: str


@dataclass
class Part:
    """A part of the paper, such as ``Equation (3)``, and the outcomes of the tests that cite it."""

    name: str
    places: list[Place] = field(default_factory=list)
    tests: dict[str, str] = field(default_factory=dict)
    promised: bool = False  # by the checklist in the package's docstring

    @property
    def state(self) -> str:
        """``verified``, or why not; ``configuration`` where only settings cite it, which need no test."""
        if not self.places:
            return "no code"
        if not self.tests:
            return "no test" if any(place.file.startswith("src/") for place in self.places) else "configuration"
        state = next((outcome for outcome in reversed(OUTCOMES) if outcome in self.tests.values()), "not run")
        return "verified" if state == "passed" else state


def parts(outcomes: dict[str, str]) -> list[Part]:
    """Every part that is cited or promised, sorted by kind and number.

    Args:
        outcomes: how each test function ended; one that is missing was not run.

    Raises:
        UsageError: a file is no Python or no YAML.
    """
    found: dict[str, Part] = {}
    own = _own_name()

    def cited_in(text: str) -> Iterator[tuple[int, Part]]:
        for offset, name in cited(text, own):
            yield text.count("\n", 0, offset), found.setdefault(name, Part(name))

    code = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] not in FOREIGN]
    for path in code + sorted((ROOT / "configs").rglob("*.yaml")):
        for first, symbol, text in _texts(path):
            if path != PACKAGE / "__init__.py" or "This implementation covers:" not in text:
                for line, part in cited_in(text):
                    part.places.append(Place(path.relative_to(ROOT).as_posix(), first + line, symbol))
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for _, symbol, text in _texts(path):
            if test := re.match(r"(?:Test\w*\.)*test\w*", symbol):
                node = "::".join([path.relative_to(ROOT).as_posix(), *test[0].split(".")])
                for _, part in cited_in(text):
                    part.tests[node] = outcomes.get(node, "not run")
    docstring = ast.get_docstring(_parsed(PACKAGE / "__init__.py", ast.parse)) or ""
    checklist = re.search(r"^This implementation covers:\n((?:[ \t].*\n|\n)*)", docstring + "\n", re.MULTILINE)
    for item in re.finditer(r"^( *)- \[.\].*(?:\n\1 +\S.*)*", checklist[1] if checklist else "", re.MULTILINE):
        for _, part in cited_in(item[0]):
            part.promised = True
    return sorted(found.values(), key=_order)


def cited(text: str, own: str = "(?!)") -> Iterator[tuple[int, str]]:
    """The parts of this paper that a docstring or comment cites, each with its offset.

    Args:
        text: as it is written.
        own: a pattern of this paper's own name, such as "Ho et al. 2020".
    """
    for ignored in (r"TODO\(paper\)(?:(?!\n\s*\n)[\s\S])*", own):
        text = re.sub(ignored, lambda found: re.sub(r"\S", " ", found[0]), text)
    begin = 0
    for end in [*(match.end() for match in END.finditer(text)), len(text)]:
        paper = PAPER.search(text, begin, end)
        for match in CITATION.finditer(text, begin, paper.start() if paper else end):
            kind = match[1] or PLURALS[match[3]]
            for number in [] if OF_PAPER.match(text, match.end(), end) else _numbers(match[2] or match[4]):
                if number not in "ABCDEFGHJKLMNOPQRSTUWXYZ" or kind == "Appendix":  # "Section A" may be prose
                    yield match.start(), f"{kind} ({number})" if kind == "Equation" else f"{kind} {number}"
        begin = end


def _numbers(text: str) -> Iterator[str]:
    for item in re.findall(_ITEM, text):
        first, *last = (number.strip("()") for number in re.findall(_ONE, item))
        before, begin = re.fullmatch(r"(.*?)(\d*)", first).groups()  # 3.1–3.4 counts its last number
        end = last[0].removeprefix(before) if last else ""
        if begin and end.isdigit() and int(begin) < int(end) < int(begin) + 100:
            yield from (f"{before}{number}" for number in range(int(begin), int(end) + 1))
        else:
            yield from (first, *last)


def _own_name() -> str:
    paper = _parsed(ROOT / "configs" / "paper.yaml", yaml.safe_load) or {}
    if not paper.get("authors") or not paper.get("year"):
        return "(?!)"
    surname = re.escape(str(paper["authors"][0]).split()[-1])
    year = rf"(?:,?\s+[(\[]?{paper['year']}\b|(?!\.?,?\s+[(\[]?\d{{4}}))"  # this one or none
    return rf"\b{surname}(?:\s+et\s+al\b\.?|\s+(?:&|and)\s+\w+)?{year}"


def _order(part: Part) -> tuple:
    kind, number = part.name.split(" ", 1)
    pieces = re.findall(r"\d+|[A-Za-z]+", number)
    return KINDS.index(kind), [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces]


def _parsed(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path.relative_to(ROOT)} cannot be read: {error}") from None


def _texts(path: Path) -> list[tuple[int, str, str]]:
    """The docstrings and comments of a file: first line, symbol, and text, a line of it for each of the file."""
    read = _of_python if path.suffix == ".py" else _of_yaml
    return _parsed(path, lambda source: read(source) if NEAR.search(source) else [])  # most files cite nothing


def _of_python(source: str) -> list[tuple[int, str, str]]:
    found, scopes = [], [(0, 0, "")]

    def visit(node: ast.AST, name: str) -> None:
        named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if named:
            name = f"{name}.{node.name}".lstrip(".")
            scopes.append((min(part.lineno for part in [node, *node.decorator_list]), node.end_lineno, name))
        if (named or isinstance(node, ast.Module)) and ast.get_docstring(node):
            found.append((node.body[0].lineno, name, ast.get_source_segment(source, node.body[0])))
        for child in ast.iter_child_nodes(node):
            visit(child, name)

    visit(ast.parse(source), "")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (token.start for token in tokens if token.type == tokenize.COMMENT)
    for first, last, _, text in _blocks(source, comments):
        # directly above a class or function, or in it: the innermost is the one that begins last
        around = [scope for scope in scopes if scope[0] <= first <= scope[1] or last + 1 == scope[0]]
        found.append((first, max(around, default=scopes[0])[2], text))
    return found


def _of_yaml(source: str) -> list[tuple[int, str, str]]:
    code = source
    for token in yaml.scan(source):
        if isinstance(token, yaml.ScalarToken):  # a # in it begins no comment
            begin, end = token.start_mark.index, token.end_mark.index
            code = code[:begin] + code[begin:end].replace("#", "-") + code[end:]
    comments = ((number, at.start()) for number, line in enumerate(code.split("\n"), 1) if (at := COMMENT.search(line)))
    keys = dict(reversed(list(_keys(yaml.compose(source)))))  # the outermost of a line
    found = []
    for first, last, trails, text in _blocks(source, comments):
        before = max((line for line in keys if line <= first), default=0)
        # behind a setting, or directly above one; but the first lines are of the file
        symbol = keys.get(before if trails else last + 1, "") if before else ""
        found.append((first, symbol, text))
    return found


def _keys(node: yaml.Node, name: str = "") -> Iterator[tuple[int, str]]:
    """The line and the dotted name of each setting; in a defaults list, of the group."""
    if isinstance(node, yaml.MappingNode):
        inner = [(key, value, f"{name}.{key.value}".lstrip(".")) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = [(value, value, f"{name}[{index}]") for index, value in enumerate(node.value)]
    else:
        inner = []
    for begin, value, name in inner:
        if isinstance(begin, yaml.ScalarNode):  # and not the mapping that an item of a list may be
            yield begin.start_mark.line + 1, re.sub(r"^defaults\[\d+\]\.(?:override )?/?", "", name)
        yield from _keys(value, name)


def _blocks(source: str, comments: Iterable[tuple[int, int]]) -> list[tuple[int, int, bool, str]]:
    """Comments, each with those that go on below it in its column: first and last line, if it trails code, and text.

    Args:
        source: of the file.
        comments: the line and the column of each.
    """
    lines, blocks, end = source.split("\n"), [], None
    for number, column in comments:
        text = re.split(r"\s#+\s", lines[number - 1][column:].lstrip("#"))[0]
        trails = bool(lines[number - 1][:column].strip())
        if end == (number - 1, column) and not trails:
            first, _, trailed, before = blocks.pop()
            blocks.append((first, number, trailed, f"{before}\n{text}"))
        else:
            blocks.append((number, number, trails, text))
        end = number, column
    return blocks


def suite_digest() -> str:
    """Eight hexadecimal digits that name what the tests verify, and the tests; comments and docstrings do not count."""
    found = hashlib.sha256()
    for path in sorted(path for room in (PACKAGE, ROOT / "tests", ROOT / "configs") for path in room.rglob("*")):
        if path.name.startswith(".") or "__pycache__" in path.parts or not path.is_file():
            continue
        content = path.read_bytes()
        try:
            if path.suffix == ".py":
                content = syntax(path).encode()
            elif path.suffix == ".yaml":
                content = repr(yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))).encode()
        except (SyntaxError, ValueError, yaml.YAMLError):
            pass  # then it counts as it stands
        found.update(path.relative_to(ROOT).as_posix().encode() + b" " + content)
    return found.hexdigest()[:8]


def junit_file() -> Path:
    """Where ``tests/conftest.py`` lets pytest write how a run of the whole suite ended, by what it ran on."""
    return ROOT / "runs" / f"tests-{suite_digest()}.xml"


def read_outcomes(path: Path) -> dict[str, str]:
    """How each test function ended, of a JUnit file of pytest; nothing where that is damaged or not all was collected.

    ``failed`` if any of its cases failed or ended in an error, ``passed`` if at least one passed, else ``skipped``.
    """
    found: dict[str, str] = {}
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return {}
    for case in cases:
        inside = {child.tag for child in case}
        outcome = "failed" if inside & {"failure", "error"} else "skipped" if "skipped" in inside else "passed"
        where = case.get("classname", "")
        if not where:  # a file, not a test
            if outcome == "failed":
                return {}
            continue
        module, *classes = re.split(r"\.(?=Test)", where)
        node = "::".join([f"{module.replace('.', '/')}.py", *classes, case.get("name", "").partition("[")[0]])
        found[node] = max(outcome, found.get(node, outcome), key=OUTCOMES.index)
    return dict(sorted(found.items()))


def outcomes(write: bool = True) -> tuple[dict[str, str], str]:
    """How each test function ended on the present code, and in one line why that is not known.

    Args:
        write: take what pytest left in ``runs/``, and keep it in ``results/tests.json``, which is committed.
    """
    junit = junit_file()
    digest = junit.stem.removeprefix("tests-")
    why = f"the tests have not been run{' since the code changed' if RESULTS.exists() else ''}: pytest"
    try:
        kept = json.loads(RESULTS.read_text(encoding="utf-8"))
        suite, known = kept["suite"], dict(kept["outcomes"])
    except (OSError, ValueError, TypeError, KeyError):
        suite, known = "", {}
    if write and (fresh := read_outcomes(junit)) and (suite, known) != (digest, fresh):
        suite, known = digest, fresh
        _write(RESULTS, {"suite": suite, "outcomes": known})
    return (known, "") if suite == digest else ({}, why)
