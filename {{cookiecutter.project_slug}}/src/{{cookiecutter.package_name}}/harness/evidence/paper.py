"""The paper's own words: its text, and whether a quote, a number or a place stands in it.

The text is mostly what could be had from a PDF, so what a PDF breaks is forgiven: line ends and hyphens, ligatures,
dashes, superscripts, spaces lost and found. Where it cannot be known, a claim is taken for right.
"""

import functools
import hashlib
import logging
import math
import re
import unicodedata

from ..identity import ROOT
from .citations import KINDS


@functools.cache
def _read() -> tuple[str | None, str | None]:
    """The paper's text, and what kept it from being read."""
    text, pdf = ROOT / "paper.txt", ROOT / "paper.pdf"
    if pdf.exists() and not text.exists():  # it takes seconds, once
        text = ROOT / "runs" / f"paper-{hashlib.sha256(pdf.read_bytes()).hexdigest()[:8]}.txt"
    if text.exists():
        return text.read_text(encoding="utf-8", errors="replace"), None
    if not pdf.exists():
        return None, None
    try:
        import pypdf

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        found = "\n".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
        if sum(map(str.isalpha, found)) < 200:
            raise ValueError("hardly any text, a scan?")
    except Exception as error:  # pypdf is missing, or whatever a PDF can be wrong in
        return None, f"paper.pdf cannot be read: {error}. pip install pypdf, or put its text into paper.txt"
    text.parent.mkdir(exist_ok=True)
    text.write_text(found, encoding="utf-8", errors="replace")
    return found, None


def paper_text() -> str | None:
    """The text of ``paper.txt``, or of ``paper.pdf``; None where there is neither, or it cannot be read."""
    return _read()[0]


def paper_trouble() -> str | None:
    """Why ``paper.pdf`` is there and cannot be read, in one line."""
    return _read()[1]


QUOTE = re.compile('["“]([^"“”]+)["”]')
SPELLING = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-") | {"×": "x", "⋅": "·", "∗": "*", "ı": "i"})
REFERENCE = r"\[\d+(?:\s*[,;-]\s*\d+)*\]"


@functools.cache
def _spelled(text: str) -> str:
    """One spelling of what a PDF, LaTeX and a keyboard write differently: ligatures, superscripts, accents, dashes."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c) and c != "\u00ad")
    return re.sub(r"[{}$\\]", "", text.translate(SPELLING).replace(r"\times", "x").replace(r"\cdot", "·"))


@functools.cache
def _plain(text: str) -> str:
    """Letters, digits, dots and minus signs, without references, the numbers of pages, and hyphens."""
    text = re.sub(rf"^\s*\d+\s*$|{REFERENCE}", "", _spelled(text), flags=re.MULTILINE)
    text = re.sub(r"[^\w.-]|_", "", text.casefold())
    return re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", "", text)


def stands_in(quote: str, text: str) -> bool:
    """Whether the paper says so; ``...`` in the quote passes over at most a page."""
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
# Digits that may be no quantity of their own
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


def differs(value: object, quoted: list[str]) -> list:
    """The elements of a value, or the value, that are not among the numbers quoted; none where no number surely is."""
    elements = [v for v in (value if isinstance(value, list) else [value]) if type(v) in (int, float)]
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", _spelled("; ".join(quoted)))  # 4,000
    if any(v != round(v) for v in elements):  # "two losses" says nothing of a weight of 0.1
        text = WORD.sub("", text)
    text = re.sub(r"\s?[x·*]\s?10\s?\^?\s?\(?(?=-?[1-9])", "e", text)  # 3 x 10^-4, and 3 x 10-4 of a PDF
    powers = re.sub(r"\b10\s?(?:\^|\*\*|(?=-))\s?(?=-?\d)", "1e", text)  # 10^-3, and 10-3, which may be a range
    sure, found = _numbers(WEAK.sub(" ", powers)), _numbers(powers) | _numbers(text)
    return [v for v in elements if sure and not any(math.isclose(abs(v), number) for number in found)]


def has_place(place: str, text: str) -> bool:
    """Whether the paper has a place such as ``Table 2``: by this name, as a heading, or as the number of an equation."""
    kind, label = place.split()
    label = re.match(r"[A-Z]*\.?[\d.]*", label.strip("()"))[0]  # Figure 1 for Figure 1a, Section IV for Section IV-B
    number, name = re.escape(label), "Eq" if kind == "Equation" else kind[:3]
    patterns = [rf"(?i:{name[0]} ?{name[1:]}[a-z]*)\.?\s*\(?{number}(?![^\W_])"]  # Fig. 2   TABLE 2   T able 2
    if kind == "Equation":
        patterns.append(rf"\({number}[a-z]?\)")
    if kind in ("Section", "Appendix"):  # 3 Title   3.1 Title   A. Title   1Title
        patterns.append(rf"^\s*{number}(?:\.\d+)*(?:[.\s]+|(?<=\d))[A-ZΑ-ω]")
    return re.search("|".join(patterns), _spelled(text), re.MULTILINE) is not None
