"""Marked lines of LaTeX: sections, equations, tables, figures and algorithms numbered as LaTeX numbers them."""

import re
import tarfile
import zlib
from collections import Counter
from pathlib import Path

import yaml

from ..identity import ROOT, UsageError
from .document import CELL, MARK, mark, named, readable

LARGEST = 32 * 2**20  # bytes of LaTeX: a paper has less than one MiB
LABEL, ROW, AND = "\x03", "\x04", "\x05"
HEADINGS = ["section", "subsection", "subsubsection"]
TABLES = yaml.safe_load(Path(__file__).with_name("latex.yaml").read_text(encoding="utf-8"))
INSIDE = r"(?:\\.|[^{}\\])*"
for _ in range(4):  # braces within braces
    INSIDE = rf"(?:\\.|[^{{}}\\]|\{{{INSIDE}\}})*"
RULE = r"\\(?:c(?:line|midrule)|specialrule|(?:row|cell)color)(?:\(.*?\)|\[.*?\]|\{.*?\})*"
GROUP = rf"\s*\{{({INSIDE})\}}"
DEFINITION = re.compile(rf"(?s)\\(?:(?:re)?newcommand|providecommand|def)\*?\s*\{{?\\(\w+)\}}?\s*(?:\[(\d)\])?{GROUP}")


def sources() -> dict[str, str]:
    """The LaTeX in ``paper/`` or ``paper.tar.gz`` by file name; nothing is unpacked, nothing outside is read."""
    archive, folder, left, found = ROOT / "paper.tar.gz", ROOT / "paper", LARGEST, {}
    for path in sorted(folder.rglob("*.tex")):
        if path.resolve().is_relative_to(folder.resolve()):
            found[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    if found or not archive.exists():
        return found
    try:
        with tarfile.open(archive) as members:
            for member in members:
                is_latex = member.isfile() and member.name.endswith(".tex")
                left -= member.size if is_latex else member.size // 8  # figures are larger
                if left < 0:
                    raise UsageError(f"paper.tar.gz unpacks to more than {LARGEST // 2**20} MiB of LaTeX.")
                if is_latex:
                    found[member.name] = members.extractfile(member).read().decode("utf-8", "replace")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UsageError(f"paper.tar.gz cannot be read: {error}. It should be the source archive of arXiv.") from None
    return found


def marked(files: dict[str, str]) -> list[str]:
    """The marked lines of the paper whose main file has ``\\begin{document}``."""
    files = {name: re.sub(rf"(?<!\\)%.*(?:\n[ \t]*(?=\S))?|{RULE}", "", text) for name, text in files.items()}
    main = max(files, key=lambda name: ("\\begin{document}" in files[name], "\\input" in files[name], len(files[name])))
    text = files.pop(main)
    while found := re.search(r"\\(?:input|include|subfile)\s*(?:\{([^}]*)\}|([\w./-]+))", text):  # each file once
        asked = (found[1] or found[2]).strip().removeprefix("./")
        other = files.pop(asked, None) or files.pop(f"{asked}.tex", "")
        text = f"{text[: found.start()]}\n{other}\n{text[found.end() :]}"
    macros = [found for found in DEFINITION.findall(text) if len(found[2]) < 2000]
    text = DEFINITION.sub("", text)
    for name, count, body in macros * 5:  # macros within macros
        if f"\\{name}" in text and len(text) < LARGEST:
            body = body.replace("\\", r"\\")
            body = re.sub(rf"#([1-{count}])", r"\\g<\1>", body) if count.strip("0") else body
            text = re.sub(rf"\\{name}(?![A-Za-z])" + GROUP * int(count or 0), body, text, count=10_000)
    text = re.sub(r"(?s)\\begin\{(comment|thebibliography)\}.*?\\end\{\1\}|\\iffalse\b.*?\\fi\b", "", text)
    body = re.split(r"\\begin\{document\}", text)[-1].split("\\end{document}")[0]
    writer = _Writer("\\numberwithin{equation}{section}" in text.replace(" ", ""))
    done = re.sub(f"{LABEL}(.*?){LABEL}", lambda label: writer.labels.get(label[1], "?"), writer.text(body))
    return re.sub(rf"\n\s*\n(?={MARK})", "\n", done.replace(ROW, " ").replace(AND, " ")).splitlines()


class _Writer:
    """What pylatexenc writes for each macro and environment: it counts as LaTeX does and keeps what labels name."""

    def __init__(self, equations_by_section: bool):
        self.counts, self.labels = Counter(), {}
        self.current, self.kind, self.appendix, self.by_section = "", "Figure", False, equations_by_section

    def text(self, latex: str) -> str:
        try:
            from pylatexenc import latex2text, latexwalker
            from pylatexenc.macrospec import EnvironmentSpec, MacroSpec
        except ImportError:
            raise UsageError('Reading LaTeX needs pylatexenc: pip install -e ".[reading]" -c constraints.txt') from None
        grammar, writing = latexwalker.get_default_latex_context_db(), latex2text.get_default_latex_context_db()
        arguments = [MacroSpec(*item) for item in TABLES["arguments"].items()]
        columns = [EnvironmentSpec(*item) for item in TABLES["tables"].items()]
        grammar.add_context_category("paper", arguments, columns, prepend=True)
        writers = TABLES["environments"] | dict.fromkeys(TABLES["tables"], "table")
        writers |= {f"{name}*": write for name, write in writers.items()}
        macros = [latex2text.MacroTextSpec(name, getattr(self, to, to)) for name, to in TABLES["macros"].items()]
        found = [latex2text.EnvironmentTextSpec(name, getattr(self, to)) for name, to in writers.items()]
        writing.add_context_category("paper", macros, found, [latex2text.SpecialsTextSpec("&", AND)], prepend=True)
        walker = latexwalker.LatexWalker(latex, latex_context=grammar, tolerant_parsing=True)
        convert = latex2text.LatexNodes2Text(writing, math_mode="text", keep_comments=False)
        try:
            return convert.nodelist_to_text(walker.get_latex_nodes()[0])
        except RecursionError:
            raise UsageError("The LaTeX of the paper cannot be read: its braces are nested too deep.") from None

    def step(self, name: str, *below: str) -> str:
        self.counts.update({name: 1, **{other: -self.counts[other] for other in below}})
        return str(self.counts[name])

    def heading(self, node, l2tobj) -> str:
        star, _, title = node.nodeargd.argnlist
        depth = HEADINGS.index(node.macroname)
        if not star:
            self.step(node.macroname, *HEADINGS[depth + 1 :], *["Equation"] * (self.by_section and depth == 0))
            first, *others = [str(self.counts[name]) for name in HEADINGS[: depth + 1]]
            self.current = ".".join([chr(64 + int(first)) if self.appendix else first, *others])
        kind, number = "Appendix" if self.appendix else "Section", "" if star else self.current
        return f"\n{mark(kind, number, l2tobj.nodelist_to_text([title]))}\n"

    def label(self, node) -> str:
        self.labels[node.nodeargd.argnlist[0].latex_verbatim().strip("{} ")] = self.current
        return ""

    def begin_appendix(self, node, l2tobj) -> str:
        self.appendix, self.counts["section"] = True, 0
        return l2tobj.nodelist_to_text(getattr(node, "nodelist", []))

    def equation(self, node, l2tobj) -> str:
        name, marks = node.environmentname, []
        text = readable(re.sub(f"[{CELL}{AND}{ROW}]", " ", l2tobj.nodelist_to_text(node.nodelist)))
        ends = "" if name.startswith(("equation", "multline")) else "\\"  # of a row
        parts = [ROW if ends == getattr(one, "macroname", "-") else one.latex_verbatim() for one in node.nodelist]
        for row in "".join(parts).split(ROW):
            tag = re.search(r"\\tag\*?\{([^}]*)\}", row)
            if tag or row.strip() and not name.endswith("*") and not re.search(r"\\(?:nonumber|notag)\b", row):
                section = f"{self.counts['section']}." if self.by_section else ""
                number = tag[1] if tag else f"{section}{self.step('Equation')}"
                self.labels |= dict.fromkeys(re.findall(r"\\label\{([^}]*)\}", row), number)
                marks.append(f"\n{mark('Equation', number, text[:200])}\n")
        return f"{''.join(marks)}{text}\n"

    def floating(self, node, l2tobj) -> str:
        before, self.current = self.current, ""
        self.kind = re.search("table|figure|algorithm", node.environmentname)[0].title()
        text = l2tobj.nodelist_to_text(node.nodelist)
        name = named(self.kind, self.current) if self.kind == "Table" and self.current else ""
        self.current = before
        return "\n\n" + text.replace(f"\n{CELL}", f"\n{name}{CELL}") + "\n\n"

    def caption(self, node, l2tobj) -> str:
        title, self.current = l2tobj.nodelist_to_text([node.nodeargd.argnlist[2]]), self.step(self.kind)
        return f"\n{mark(self.kind, self.current, title)}\n{named(self.kind, self.current)}: {readable(title)}\n\n"

    def table(self, node, l2tobj) -> str:
        """One line for each row, its cells after ``CELL``; far enough from the table before."""
        text = l2tobj.nodelist_to_text(node.nodelist).replace(CELL, " ").replace(AND, CELL)
        rows = [readable(row.replace(MARK, " ")) for row in text.split(ROW)]
        return "\n\n" + "".join(f"{CELL}{row}\n" for row in rows if row.strip(f"{CELL} "))
