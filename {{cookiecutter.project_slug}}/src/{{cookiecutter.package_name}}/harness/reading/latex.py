"""Marked lines of LaTeX: sections, equations, tables, figures and algorithms numbered as LaTeX numbers them."""

import re
import tarfile
import zlib
from pathlib import PurePosixPath

from ..identity import ROOT, UsageError
from .document import CELL, MARK, mark, named, readable

LARGEST = 32 * 2**20  # bytes of LaTeX: a paper has less than one MiB
HEADINGS = ["chapter", "section", "subsection", "subsubsection"]
EQUATIONS = ["equation", "align", "gather", "multline", "eqnarray", "alignat", "flalign"]
FLOATS = {"table": "Table", "figure": "Figure", "algorithm": "Algorithm", "wraptable": "Table", "wrapfigure": "Figure"}
TABULAR = ["tabular", "tabular*", "tabularx", "tabulary", "array", "longtable"]
# Rules and spaces of a table, and what stands in its cells for their look
RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|centering|small|tiny|footnotesize|(?:cline|cmidrule|addlinespace|specialrule)"
    r"(?:\([^)]*\))?(?:[\[{][^]}]*[]}])*|rowcolor\{[^}]*\}|arrayrulecolor\{[^}]*\})"
)
REFERENCE = re.compile(r"\x03([^\x03]*)\x03")
DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand\*?|providecommand\*?)\s*\{?\\(\w+)\}?(?:\[(\d)\])?(?:\[([^]]*)\])?\s*(?=\{)|\\def\s*\\(\w+)\s*(?=\{)"
)


def sources() -> dict[str, str]:
    """The LaTeX in ``paper/`` or ``paper.tar.gz`` by file name; nothing is unpacked, nothing outside is read."""
    archive, folder = ROOT / "paper.tar.gz", ROOT / "paper"
    if paths := sorted(folder.rglob("*.tex")):
        inside = [path for path in paths if path.resolve().is_relative_to(folder.resolve())]
        if sum(path.stat().st_size for path in inside) > LARGEST:
            raise UsageError(f"paper/ holds more than {LARGEST // 2**20} MiB of LaTeX.")
        return {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in inside
        }
    if not archive.exists():
        return {}
    found, left = {}, 8 * LARGEST  # figures are larger than LaTeX
    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = PurePosixPath(member.name)
                left -= member.size * (8 if name.suffix == ".tex" else 1)
                if left < 0:
                    raise UsageError(f"paper.tar.gz unpacks to more than {LARGEST // 2**20} MiB of LaTeX.")
                if member.isfile() and name.suffix == ".tex" and not name.is_absolute() and ".." not in name.parts:
                    found[str(name)] = members.extractfile(member).read().decode("utf-8", "replace")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UsageError(f"paper.tar.gz cannot be read: {error}. It should be the source archive of arXiv.") from None
    if not found:
        raise UsageError("paper.tar.gz holds no .tex file. It should be the source archive of arXiv.")
    return found


def marked(files: dict[str, str]) -> list[str]:
    """The marked lines of the paper whose main file has ``\\begin{document}``."""
    try:
        from pylatexenc.latex2text import LatexNodes2Text
        from pylatexenc.latexwalker import LatexWalker
    except ImportError:
        raise UsageError('Reading LaTeX needs pylatexenc: pip install -e ".[reading]" -c constraints.txt') from None
    files = {name: _without_comments(text) for name, text in files.items()}
    main = max(files, key=lambda name: ("\\begin{document}" in files[name], "\\input" in files[name], len(files[name])))
    text = _expanded(_joined(main, files, set()))
    body = re.split(r"\\begin\{document\}", text)[-1].split("\\end{document}")[0]
    body = re.sub(r"(?s)\\begin\{thebibliography\}.*?\\end\{thebibliography\}", "", body)
    writer = _Writer("\\numberwithin{equation}{section}" in text.replace(" ", ""))
    convert = LatexNodes2Text(writer.context(), math_mode="text", keep_comments=False)
    walker = LatexWalker(body, latex_context=_grammar(), tolerant_parsing=True)
    done = convert.nodelist_to_text(walker.get_latex_nodes()[0])
    done = REFERENCE.sub(lambda label: writer.labels.get(label[1], "?"), done)
    return re.sub(rf"\n\s*\n(?={MARK})", "\n", done).splitlines()


def _grammar():
    """Which arguments the macros have that pylatexenc does not know."""
    from pylatexenc.latexwalker import get_default_latex_context_db
    from pylatexenc.macrospec import MacroSpec

    arguments = dict.fromkeys(["gobble", "cref", "Cref", "autoref"], "{") | {"rule": "[{{"}
    arguments |= dict.fromkeys(["caption", "paragraph"], "*[{")
    database = get_default_latex_context_db()
    database.add_context_category("paper", prepend=True, macros=[MacroSpec(*item) for item in arguments.items()])
    return database


def _without_comments(text: str) -> str:
    text = re.sub(r"(?<!\\)%.*", "%", text)  # a comment ends its line and its space
    text = re.sub(r"(?<!\\)%\n[ \t]*", "", text)
    text = re.sub(r"(?s)\\begin\{comment\}.*?\\end\{comment\}|\\iffalse\b.*?\\fi\b", "", text)
    return text


def _joined(name: str, files: dict[str, str], seen: set[str]) -> str:
    """A file with the files that it inputs, each once."""

    def include(found: re.Match) -> str:
        asked = (found[1] or found[2]).strip().removeprefix("./")
        other = next((name for name in (asked, f"{asked}.tex") if name in files and name not in seen), None)
        return f"\n{_joined(other, files, seen)}\n" if other else ""

    seen.add(name)
    return re.sub(r"\\(?:input|include|subfile)\s*(?:\{([^}]*)\}|([\w./-]+))", include, files[name])


def _group(text: str, start: int) -> tuple[str, int]:
    """What stands in the braces that open at ``start``, and where they end."""
    depth = 0
    for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return text[start + 1 : found.start()], found.end()
    return "", start


def _expanded(text: str) -> str:
    """The text with the paper's own macros replaced by what they stand for."""
    macros = {}
    for found in DEFINITION.finditer(text):
        macros[found[1] or found[4]] = (int(found[2] or 0), found[3], _group(text, found.end())[0])
    macros = {
        name: macro for name, macro in macros.items() if len(macro[2]) < 2000 and name not in ("label", "cite", "ref")
    }
    text = DEFINITION.sub(r"\\gobble", text)
    if not macros:
        return text
    call = re.compile(r"\\(" + "|".join(sorted(map(re.escape, macros), key=len, reverse=True)) + r")(?![A-Za-z])")
    for _ in range(5):  # macros within macros
        pieces, done = [], 0
        while (found := call.search(text, done)) and len(text) < LARGEST:
            count, default, replacement = macros[found[1]]
            end, given = found.end(), []
            if default is not None:
                option = re.compile(r"\s*\[([^]]*)\]").match(text, end)
                given, end = [option[1] if option else default], option.end() if option else end
            while len(given) < count and (brace := re.compile(r"\s*(?=\{)").match(text, end)):
                argument, end = _group(text, brace.end())
                given.append(argument)
            for position, argument in enumerate(given, start=1):
                replacement = replacement.replace(f"#{position}", argument)
            pieces += [text[done : found.start()], replacement]
            done = end
        if not pieces:
            break
        text = "".join(pieces) + text[done:]
    return text


class _Writer:
    """What pylatexenc writes for each macro and environment: it counts as LaTeX does and keeps what labels name."""

    def __init__(self, equations_by_section: bool):
        self.counters: dict[str, int] = {}
        self.labels: dict[str, str] = {}
        self.current, self.appendix, self.by_section = "", False, equations_by_section

    def context(self):
        from pylatexenc.latex2text import EnvironmentTextSpec, MacroTextSpec, get_default_latex_context_db

        database = get_default_latex_context_db()
        macros = {**dict.fromkeys(HEADINGS, self.heading), "paragraph": self.paragraph, "label": self.label}
        macros |= dict.fromkeys(["ref", "eqref", "autoref", "cref", "Cref"], self.reference) | {"caption": self.caption}
        macros |= {"appendix": self.begin_appendix, "gobble": lambda node: "", "rule": lambda node: ""}
        # a quote with an ellipsis is found in the PDF, whatever the citation looks like there
        macros |= dict.fromkeys(["cite", "citep", "citet", "citealp", "citeauthor"], lambda node: "…")
        macros |= {"href": self.argument}
        environments = {name + star: self.equation for name in EQUATIONS for star in ("", "*")}
        environments |= {name + star: self.floating for name in FLOATS for star in ("", "*")}
        environments |= dict.fromkeys(TABULAR, self.table) | {"appendices": self.appendices}
        database.add_context_category(
            "paper",
            prepend=True,
            macros=[MacroTextSpec(name, simplify_repl=write) for name, write in macros.items()],
            environments=[EnvironmentTextSpec(name, simplify_repl=write) for name, write in environments.items()],
        )
        return database

    def argument(self, node, l2tobj) -> str:
        given = [part for part in (node.nodeargd.argnlist if node.nodeargd else []) if part is not None]
        return l2tobj.nodelist_to_text([given[-1]]) if given else ""

    def heading(self, node, l2tobj) -> str:
        title, depth = self.argument(node, l2tobj), HEADINGS.index(node.macroname)
        if "*" in node.latex_verbatim()[: len(node.macroname) + 2]:
            return mark("Section", "", title)
        self.step(node.macroname, HEADINGS[depth + 1 :])
        if node.macroname == "section" and self.by_section:
            self.counters["Equation"] = 0
        numbers = [self.counters.get(name, 0) for name in HEADINGS[1 : depth + 1]]
        first = chr(64 + min(numbers[0], 26)) if self.appendix and numbers else str(numbers[0] if numbers else "")
        self.current = ".".join([first, *map(str, numbers[1:])])
        return mark("Appendix" if self.appendix else "Section", self.current, title)

    def step(self, name: str, below: list[str] = ()) -> int:
        self.counters |= dict.fromkeys(below, 0)
        self.counters[name] = self.counters.get(name, 0) + 1
        return self.counters[name]

    def paragraph(self, node, l2tobj) -> str:
        return f"\n\n{self.argument(node, l2tobj).rstrip('. :')}. "

    def label(self, node, l2tobj) -> str:
        self.labels[self.argument(node, l2tobj).strip()] = self.current
        return ""

    def reference(self, node, l2tobj) -> str:
        return f"\x03{self.argument(node, l2tobj).strip()}\x03"

    def begin_appendix(self, node, l2tobj) -> str:
        self.appendix, self.counters["section"] = True, 0
        return ""

    def appendices(self, node, l2tobj) -> str:
        return self.begin_appendix(node, l2tobj) + l2tobj.nodelist_to_text(node.nodelist)

    def equation(self, node, l2tobj) -> str:
        verbatim, marks = node.latex_verbatim(), []
        several = re.match(r"\\begin\{(?:align|gather|eqnarray|flalign)", verbatim)
        rows = re.split(r"\\\\", verbatim) if several else [verbatim]
        text = l2tobj.nodelist_to_text(node.nodelist)
        for row in rows if not node.environmentname.endswith("*") else [row for row in rows if "\\tag" in row]:
            if not re.search(r"\\(?:nonumber|notag)\b", row) and re.sub(r"\\(?:begin|end)\{.*?\}|\W", "", row):
                tag = re.search(r"\\tag\*?\{([^}]*)\}", row)
                section = f"{self.counters.get('section', 0)}." if self.by_section else ""
                number = tag[1] if tag else f"{section}{self.step('Equation')}"
                self.labels |= dict.fromkeys(re.findall(r"\\label\{([^}]*)\}", row), number)
                marks.append(mark("Equation", number, text[:200]))
        return "".join(marks) + readable(text) + "\n"

    def floating(self, node, l2tobj) -> str:
        before, self.current = self.current, ""
        self.kind = FLOATS[node.environmentname.rstrip("*")]
        text = l2tobj.nodelist_to_text(node.nodelist)
        name = named(self.kind, self.current)
        self.current = before
        lines = [
            f"{name if self.kind == 'Table' else ''}{line}" if CELL in line else line for line in text.splitlines()
        ]
        return "\n\n" + "\n".join(lines) + "\n\n"

    def caption(self, node, l2tobj) -> str:
        kind = getattr(self, "kind", "Figure")
        self.current = str(self.step(kind))
        title = self.argument(node, l2tobj)
        return f"{mark(kind, self.current, title)}\n{named(kind, self.current)}: {readable(title)}\n\n"

    def table(self, node, l2tobj) -> str:
        """One line for each row, its cells after ``CELL``."""
        inside = node.latex_verbatim()
        inside = inside[inside.index("}") + 1 : inside.rindex("\\end")]
        inside = re.sub(r"^\s*(?:\[[^]]*\]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*", "", inside)
        inside = re.sub(
            r"\\multi(?:column|row)\s*(?:\[[^]]*\])?\{[^}]*\}\s*(?:\[[^]]*\])?\{(?:[^{}]|\{[^{}]*\})*\}",
            "",
            RULES.sub(" ", inside),
        )
        rows = []
        for row in re.split(r"\\\\(?:\[[^]]*\])?|\\tabularnewline", inside):
            cells = [l2tobj.latex_to_text(cell, tolerant_parsing=True) for cell in re.split(r"(?<!\\)&", row)]
            if any(cell.strip() for cell in cells):
                rows.append(CELL + CELL.join(readable(cell.replace(CELL, " ").replace(MARK, " ")) for cell in cells))
        return "\n" + "\n".join(rows) + "\n"
