"""The text of the paper: whether it contains a quote, a number or a place such as ``Table 2``; and notes about it.

The text usually comes from a PDF. The comparisons therefore ignore what text extraction changes: line breaks, hyphens,
ligatures, dashes, superscripts and spaces. In doubt, a quote or place counts as found.
"""

import ast
import functools
import hashlib
import logging
import math
import re
import unicodedata

from ..identity import PACKAGE, ROOT
from .citations import KINDS


@functools.cache
def paper_text() -> tuple[str | None, str | None]:
    """The text of ``paper.txt`` or of ``paper.pdf``, and why ``paper.pdf`` cannot be read."""
    text, pdf = ROOT / "paper.txt", ROOT / "paper.pdf"
    if pdf.exists() and not text.exists():  # reading a PDF takes seconds, so its text is kept
        text = ROOT / "runs" / f"paper-{hashlib.sha256(pdf.read_bytes()).hexdigest()[:8]}.txt"
    if text.exists():
        return text.read_text(encoding="utf-8", errors="replace"), None
    if not pdf.exists():
        return None, None
    try:
        import pypdf

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        found = "\n\f".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
        if sum(map(str.isalpha, found)) < 200:
            raise ValueError("it holds hardly any text and may be a scan")
    except Exception as error:  # pypdf is missing, or the PDF is damaged in one of many ways
        return None, f"paper.pdf cannot be read: {error}. Run pip install pypdf, or put its text into paper.txt."
    text.parent.mkdir(exist_ok=True)
    text.write_text(found, encoding="utf-8", errors="replace")
    return found, None


QUOTE = re.compile('["“]([^"“”]+)["”]')
SPELLING = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-") | {"×": "x", "⋅": "·", "∗": "*", "ı": "i"})
REFERENCE = r"\[\d+(?:\s*[,;-]\s*\d+)*\]"


@functools.cache
def _spelled(text: str) -> str:
    """The text with one spelling for ligatures, superscripts, accents and dashes, whatever PDF, LaTeX or keyboard wrote."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c) and c != "\u00ad")
    return re.sub(r"[{}$\\]", "", text.translate(SPELLING).replace(r"\times", "x").replace(r"\cdot", "·"))


@functools.cache
def _plain(text: str) -> str:
    """The letters, digits, dots and minus signs of a text, without references, page numbers and hyphens."""
    text = re.sub(rf"^\s*\d+\s*$|{REFERENCE}", "", _spelled(text), flags=re.MULTILINE)
    text = re.sub(r"[^\w.-]|_", "", text.casefold())
    return re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", "", text)


def has_quote(quote: str, text: str) -> bool:
    """Whether the paper contains a quote; ``...`` in the quote stands for at most a page."""
    parts = [re.escape(_plain(part).strip(".")) for part in re.split(r"\.\.\.|…", quote)]
    return re.search(".{0,4000}?".join(parts), _plain(text)) is not None


UNITS = {"%": [0.01], "k": [1000, 1024], "hundred": [100], "thousand": [1000], "m": [1e6], "million": [1e6]}
WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)
NUMBER = re.compile(
    rf"""
    ( (?: \d+ \.? \d* | \.\d+ ) (?: e [+-]? \d+ )? )    # 4000   0.1   .07   3e-4
    (?: \s? / \s? ([1-9]\d*) (?! [.\d]) )?              # 1/8
    (?: \s? ({"|".join(UNITS)}) (?! \w) )?              # 4k   10 %
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Digits that are probably not a quantity
WEAK = re.compile(
    rf"""
    {REFERENCE} | \(? (?: 19 | 20 ) \d\d \)             # [12]   He et al., 2016)
    | \b (?: {"|".join(KINDS)} ) s? \s* \(? \d [\d.]*   # Table 3
    | (?<! [\d.] ) [^\W\d]+ -? [\d.]+                   # β1   ResNet-50   d-0.5
    | \S* \^ \S*                                        # 2^10
    | \d+ (?: st | nd | rd | th | D ) \b | \bone\b | \bzero\b    # 30th   2D   one of them
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _numbers(text: str) -> set[float]:
    text = WORD.sub(lambda word: str(WORDS.index(word[0].lower())), text)
    return {
        float(digits) / float(under or 1) * times
        for digits, under, unit in NUMBER.findall(text)
        for times in (1, *UNITS.get(unit.lower(), []))
    }


def differing_numbers(value: object, quoted: list[str]) -> list:
    """The numbers of a value (a number or a list) that are not quoted; none if the quotes surely hold no quantity."""
    elements = [v for v in (value if isinstance(value, list) else [value]) if type(v) in (int, float)]
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", _spelled("; ".join(quoted)))  # 4,000
    if any(v != round(v) for v in elements):  # "two losses" says nothing about a weight of 0.1
        text = WORD.sub("", text)
    text = re.sub(r"\s?[x·*]\s?10\s?\^?\s?\(?(?=-?[1-9])", "e", text)  # 3 x 10^-4, or 3 x 10-4 from a PDF
    powers = re.sub(r"\b10\s?(?:\^|\*\*|(?=-))\s?(?=-?\d)", "1e", text)  # 10^-3, or 10-3, which may be a range
    sure, found = _numbers(WEAK.sub(" ", powers)), _numbers(powers) | _numbers(text)
    return [v for v in elements if sure and not any(math.isclose(abs(v), number) for number in found)]


def has_place(place: str, text: str) -> bool:
    """Whether the paper has a place such as ``Table 2``: under this name, as a heading, or as an equation's number."""
    kind, label = place.split()
    label = re.match(r"[A-Z]*\.?[\d.]*", label.strip("()"))[0]  # Figure 1 for Figure 1a, Section IV for Section IV-B
    number, name = re.escape(label), "Eq" if kind == "Equation" else kind[:3]
    patterns = [rf"(?i:{name[0]} ?{name[1:]}[a-z]*)\.?\s*\(?{number}(?![^\W_])"]  # Fig. 2   TABLE 2   T able 2
    if kind == "Equation":
        patterns.append(rf"\({number}[a-z]?\)")
    if kind in ("Section", "Appendix"):  # 3 Title   3.1 Title   A. Title   1Title
        patterns.append(rf"^\s*{number}(?:\.\d+)*(?:[.\s]+|(?<=\d))[A-ZΑ-ω]")
    return re.search("|".join(patterns), _spelled(text), re.MULTILINE) is not None


def known_differences() -> list[str]:
    """The items of "Known differences from paper:" in the package's docstring."""
    docstring = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))) or ""
    section = re.search(r"^Known differences from paper:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    items = re.split(r"^\s*(?:- |(?=TODO))", section[1], flags=re.MULTILINE)[1:] if section else []
    return [" ".join(item.split()) for item in items]


def ambiguities() -> list[list[str]]:
    """The rows of the table under "Ambiguities" in PAPER.md, with its header."""
    notes = (ROOT / "PAPER.md").read_text(encoding="utf-8")
    section = re.search(r"^## Ambiguities\n(.*?)(?=^## |\Z)", notes, re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\|(.*)\|[ \t]*$", section[1], re.MULTILINE) if section else []
    rows = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return [row for row in rows if any(set(cell) - set("-: ") for cell in row)]
