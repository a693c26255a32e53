"""Marked lines of LaTeX: sections, equations, tables, figures and algorithms numbered as LaTeX numbers them."""

import re
import tarfile
import zlib
from collections import Counter

from ..identity import ROOT, UsageError
from .document import CELL, MARK, mark, named, readable

LARGEST = 32 * 2**20  # bytes of LaTeX: a paper has less than one MiB
REFERENCE, ROW, AND = "\x03", "\x04", "\x05"
HEADINGS = ["chapter", "section", "subsection", "subsubsection"]
FLOATS = {"table": "Table", "figure": "Figure", "algorithm": "Algorithm", "wraptable": "Table", "wrapfigure": "Figure"}
ONE = ["equation", "multline"]  # one number each; the others have one for each line
EQUATIONS = [*ONE, "align", "gather", "eqnarray", "alignat", "flalign"]
# What pylatexenc does not know: the arguments of tables, of macros, and what is written for a macro
TABULAR = {"tabular": "[{", "tabular*": "{[{", "tabularx": "{[{", "tabulary": "{[{", "array": "[{", "longtable": "[{"}
ARGUMENTS = {"caption": "*[{", "paragraph": "*[{", "multicolumn": "{{{", "multirow": "[{[{[{", "href": "{{"}
ARGUMENTS |= {"cline": "{", "cmidrule": "[{", "rule": "[{{", "rowcolor": "[{", "cellcolor": "[{", "specialrule": "{{{"}
ARGUMENTS |= dict.fromkeys(["ref", "eqref", "autoref", "cref", "Cref"], "*{")
WRITTEN = {"paragraph": "\n\n%(3)s. ", "multicolumn": "%(3)s", "multirow": "%(6)s", "href": "%(2)s", "\\": ROW}
WRITTEN |= dict.fromkeys(["ref", "eqref", "autoref", "cref", "Cref"], f"{REFERENCE}%(2)s{REFERENCE}")
# A quote with an ellipsis is found in the PDF, whatever the citation looks like there
WRITTEN |= dict.fromkeys(["cite", "citep", "citet", "citealp", "citeauthor"], "…")
INSIDE = r"(?:\\.|[^{}\\])*"
for _ in range(4):  # braces within braces
    INSIDE = rf"(?:\\.|[^{{}}\\]|\{{{INSIDE}\}})*"
DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand\*?|providecommand\*?|def)\s*\{?\\(\w+)\}?\s*(?:\[(\d)\])?(?:\[([^]]*)\])?\s*"
    rf"\{{({INSIDE})\}}",
    re.DOTALL,
)


def sources() -> dict[str, str]:
    """The LaTeX in ``paper/`` or ``paper.tar.gz`` by file name; nothing is unpacked."""
    archive, folder = ROOT / "paper.tar.gz", ROOT / "paper"
    paths = [path for path in sorted(folder.rglob("*.tex")) if path.resolve().is_relative_to(folder.resolve())]
    found, left = {}, LARGEST
    try:
        for path in paths:
            left -= path.stat().st_size
            found[path.relative_to(folder).as_posix()] = path.read_bytes() if left >= 0 else b""
        if not paths and archive.exists():
            with tarfile.open(archive) as members:
                while left >= 0 and (member := members.next()):
                    is_latex = member.isfile() and member.name.endswith(".tex")
                    left -= member.size // (1 if is_latex else 8)  # figures are larger than LaTeX
                    if is_latex and left >= 0:
                        found[member.name] = members.extractfile(member).read()
            if left >= 0 and not found:
                raise UsageError("paper.tar.gz holds no .tex file. It should be the source archive of arXiv.")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UsageError(f"paper.tar.gz cannot be read: {error}. It should be the source archive of arXiv.") from None
    if left < 0:
        raise UsageError(f"The LaTeX of the paper is more than {LARGEST // 2**20} MiB.")
    return {name: text.decode("utf-8", "replace") for name, text in found.items()}


def marked(files: dict[str, str]) -> list[str]:
    """The marked lines of the paper whose main file has ``\\begin{document}``."""
    files = {name: re.sub(r"(?<!\\)%.*(?:\n[ \t]*(?=\S))?", "", text) for name, text in files.items()}
    main = max(files, key=lambda name: ("\\begin{document}" in files[name], "\\input" in files[name], len(files[name])))
    text = files.pop(main)
    while found := re.search(r"\\(?:input|include|subfile)\s*(?:\{([^}]*)\}|([\w./-]+))", text):  # each file once
        asked = (found[1] or found[2]).strip().removeprefix("./")
        other = files.pop(asked, None) or files.pop(f"{asked}.tex", "")
        text = f"{text[: found.start()]}\n{other}\n{text[found.end() :]}"
    text = re.sub(r"(?s)\\begin\{(comment|thebibliography)\}.*?\\end\{\1\}|\\iffalse\b.*?\\fi\b", "", _expanded(text))
    body = re.split(r"\\begin\{document\}", text)[-1].split("\\end{document}")[0]
    writer = _Writer("\\numberwithin{equation}{section}" in text.replace(" ", ""))
    done = re.sub(f"{REFERENCE}(.*?){REFERENCE}", lambda label: writer.labels.get(label[1], "?"), writer.text(body))
    return re.sub(rf"\n\s*\n(?={MARK})", "\n", done.replace(ROW, " ").replace(AND, " ")).splitlines()


def _expanded(text: str) -> str:
    """The text with the paper's own macros replaced by what they stand for."""
    macros = {found[1]: found.groups()[1:] for found in DEFINITION.finditer(text)}
    text = DEFINITION.sub("", text)
    for _ in range(5):  # macros within macros
        before = text
        for name, (count, default, body) in macros.items():
            arguments = [rf"\s*\{{({INSIDE})\}}"] * int(count or 0)
            if default is not None:
                arguments[:1] = [r"(?:\s*\[([^]]*)\])?"]

            def expansion(call: re.Match, default=default, body=body) -> str:
                return re.sub("#([1-9])", lambda number: (*call.groups(default), *[""] * 9)[int(number[1]) - 1], body)

            if f"\\{name}" in text and len(text) < LARGEST and len(body) < 2000:
                text = re.sub(rf"\\{name}(?![A-Za-z])" + "".join(arguments), expansion, text, count=10_000)
        if text == before:
            break
    return text


class _Writer:
    """What pylatexenc writes for each macro and environment: it counts as LaTeX does and keeps what labels name."""

    def __init__(self, equations_by_section: bool):
        self.counts: Counter[str] = Counter()
        self.labels: dict[str, str] = {}
        self.current, self.kind, self.appendix, self.by_section = "", "Figure", False, equations_by_section

    def text(self, latex: str) -> str:
        try:
            from pylatexenc import latex2text, latexwalker
            from pylatexenc.macrospec import EnvironmentSpec, MacroSpec
        except ImportError:
            raise UsageError('Reading LaTeX needs pylatexenc: pip install -e ".[reading]" -c constraints.txt') from None
        macros = {**WRITTEN, **dict.fromkeys(HEADINGS, self.heading), "label": self.label, "caption": self.caption}
        macros |= {"appendix": self.begin_appendix}
        environments = {**dict.fromkeys(TABULAR, self.table), "appendices": self.begin_appendix}
        for star in ("", "*"):
            environments |= {name + star: self.equation for name in EQUATIONS}
            environments |= {name + star: self.floating for name in FLOATS}
        grammar, writing = latexwalker.get_default_latex_context_db(), latex2text.get_default_latex_context_db()
        grammar.add_context_category(
            "paper",
            prepend=True,
            macros=[MacroSpec(*item) for item in ARGUMENTS.items()],
            environments=[EnvironmentSpec(*item) for item in TABULAR.items()],
        )
        writing.add_context_category(
            "paper",
            prepend=True,
            macros=[latex2text.MacroTextSpec(*item) for item in macros.items()],
            environments=[latex2text.EnvironmentTextSpec(*item) for item in environments.items()],
            specials=[latex2text.SpecialsTextSpec("&", AND)],
        )
        walker = latexwalker.LatexWalker(latex, latex_context=grammar, tolerant_parsing=True)
        convert = latex2text.LatexNodes2Text(writing, math_mode="text", keep_comments=False)
        return convert.nodelist_to_text(walker.get_latex_nodes()[0])

    def step(self, name: str) -> int:
        self.counts[name] += 1
        return self.counts[name]

    def heading(self, node, l2tobj) -> str:
        star, _, title = node.nodeargd.argnlist
        title, depth = l2tobj.nodelist_to_text([title]), HEADINGS.index(node.macroname)
        if star:
            return f"\n{mark('Section', '', title)}\n"
        self.step(node.macroname)
        for below in [*HEADINGS[depth + 1 :], *["Equation"] * (self.by_section and depth == 1)]:
            self.counts[below] = 0
        numbers = [str(self.counts[name]) for name in HEADINGS[1 : depth + 1]]
        if self.appendix and numbers:
            numbers[0] = chr(64 + min(self.counts["section"], 26))
        self.current = ".".join(numbers)
        return f"\n{mark('Appendix' if self.appendix else 'Section', self.current, title)}\n"

    def label(self, node) -> str:
        self.labels[node.nodeargd.argnlist[0].latex_verbatim().strip("{} ")] = self.current
        return ""

    def begin_appendix(self, node, l2tobj) -> str:
        self.appendix, self.counts["section"] = True, 0
        return l2tobj.nodelist_to_text(getattr(node, "nodelist", []))

    def equation(self, node, l2tobj) -> str:
        name, rows, marks = node.environmentname, [""], []
        text = readable(re.sub(f"[{CELL}{AND}{ROW}]", " ", l2tobj.nodelist_to_text(node.nodelist)))
        for child in node.nodelist:
            if getattr(child, "macroname", "") == "\\" and name not in ONE:
                rows.append("")
            else:
                rows[-1] += child.latex_verbatim()
        for row in rows:
            tag = re.search(r"\\tag\*?\{([^}]*)\}", row)
            if tag or row.strip() and not name.endswith("*") and not re.search(r"\\(?:nonumber|notag)\b", row):
                section = f"{self.counts['section']}." if self.by_section else ""
                number = tag[1] if tag else f"{section}{self.step('Equation')}"
                self.labels |= dict.fromkeys(re.findall(r"\\label\{([^}]*)\}", row), number)
                marks.append(f"\n{mark('Equation', number, text[:200])}\n")
        return f"{''.join(marks)}{text}\n"

    def floating(self, node, l2tobj) -> str:
        before, self.current, self.kind = self.current, "", FLOATS[node.environmentname.rstrip("*")]
        text = l2tobj.nodelist_to_text(node.nodelist)
        name = named(self.kind, self.current) if self.kind == "Table" else ""
        self.current = before
        return "\n\n" + text.replace(f"\n{CELL}", f"\n{name}{CELL}") + "\n\n"

    def caption(self, node, l2tobj) -> str:
        title, self.current = l2tobj.nodelist_to_text([node.nodeargd.argnlist[2]]), str(self.step(self.kind))
        return f"\n{mark(self.kind, self.current, title)}\n{named(self.kind, self.current)}: {readable(title)}\n\n"

    def table(self, node, l2tobj) -> str:
        """One line for each row, its cells after ``CELL``."""
        text = l2tobj.nodelist_to_text(node.nodelist).replace(CELL, " ").replace(AND, CELL)
        rows = [readable(row.replace(MARK, " ")) for row in text.split(ROW)]
        return "\n" + "".join(f"{CELL}{row}\n" for row in rows if row.strip(f"{CELL} "))
