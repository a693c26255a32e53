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
from collections.abc import Iterator

from .settings import ROOT

# A scan without recognised text has none to check against.
FEWEST_LETTERS = 200


@functools.cache
def _read() -> tuple[str | None, str | None]:
    """The paper's text, and what kept it from being read."""
    text, pdf = ROOT / "paper.txt", ROOT / "paper.pdf"
    if text.exists():
        return text.read_text(encoding="utf-8", errors="replace"), None
    if not pdf.exists():
        return None, None
    kept = ROOT / "runs" / f"paper-{hashlib.sha256(pdf.read_bytes()).hexdigest()[:8]}.txt"
    if kept.exists():
        return kept.read_text(encoding="utf-8"), None
    try:
        import pypdf
    except ImportError:
        return None, "paper.pdf: sources are not checked against it. pip install pypdf"
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        found = "\n\f\n".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
        found = found.encode(errors="replace").decode()  # halves of characters
    except Exception as error:  # whatever a PDF can be wrong in
        return None, f"paper.pdf cannot be read ({type(error).__name__}: {error}). Put its text into paper.txt."
    if sum(map(str.isalpha, found)) < FEWEST_LETTERS:
        return None, "paper.pdf holds hardly any text: a scan? Put its text into paper.txt."
    try:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(found, encoding="utf-8")
    except OSError:
        pass  # it takes seconds each time, then
    return found, None


def paper_text() -> str | None:
    """The text of ``paper.txt``, or of ``paper.pdf``; None where there is neither, or it cannot be read."""
    return _read()[0]


def paper_trouble() -> str | None:
    """Why ``paper.pdf`` is there and cannot be read, in one line."""
    return _read()[1]


# Quotes

QUOTE = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»')
DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-") | {"ı": "i", "×": "x", "⋅": "·", "∗": "*"})


def quotes(comment: str) -> list[str]:
    return [next(filter(None, found)) for found in QUOTE.findall(comment)]


def _plain(text: str) -> str:
    """Letters, digits and signs, without what a PDF or a typist changes."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c) and c != "\u00ad")
    text = text.casefold().translate(DASHES).replace(r"\times", "x")
    text = re.sub(r"(?<=[^\W\d_])\s*-\s*(?=[^\W\d_])", "", text)  # state-of-the-art, and a word cut at a line's end
    return re.sub(r"""[\s\\^{}_$"'`“”„‘’‚«»~]+""", "", text)


@functools.cache
def _searched(text: str) -> list[str]:
    """The text plain: as it is, without the numbers of lines and pages, and without those of references."""
    body = re.sub(r"^\s*\d+\s*$", "", text, flags=re.MULTILINE)
    body = re.sub(r"-\s*\n\s*\f\s*\n\s*", "", body)
    plain = [_plain(text), _plain(body), _plain(re.sub(r"^\s*\d{3}\s", "", body, flags=re.MULTILINE))]
    return plain + [re.sub(r"\[\d+(?:[,;-]\d+)*\]", "", plain[1])]


def stands_in(quote: str, text: str) -> bool:
    """Whether the paper says so; ``...`` in the quote passes over at most a page."""
    parts = [part.strip(".,;:") for part in re.split(r"\[?\.{3,}\]?", _plain(re.sub(r"\.\s+\.\s+\.", "...", quote)))]
    pattern = re.compile(".{0,4000}?".join(re.escape(part) for part in parts if part), re.DOTALL)
    return any(pattern.search(plain) for plain in _searched(text))


# Numbers

WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
TIMES = {"k": (1e3, 2**10), "m": (1e6, 2**20), "b": (1e9, 2**30), "g": (1e9, 2**30), "hundred": (100,)}
TIMES |= {"thousand": (1e3,), "million": (1e6,), "billion": (1e9,), "%": (1, 0.01), "percent": (1, 0.01)}
SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
PLACE_WORDS = r"(?:sections?|secs?\.|§|appendix|tables?|tab\.|fig(?:ure)?s?\.?|equations?|eqs?\.|algorithms?|chapter)"
# Digits that are no quantity: of a name, a reference, an ordinal, a year
WEAK = re.compile(
    rf"{PLACE_WORDS}\s*\(?[\dA-Z][\d.]*\)?|\[\d+(?:\s*[,;–-]\s*\d+)*\]|\((?:[^()]*,\s*)?(?:19|20)\d\d[a-z]?\)"
    r"|\bet al\.?,?\s*\(?\d{4}\)?|(?<![\d.])\d+(?:st|nd|rd|th)\b|\b[1-4]D\b"
    r"|(?<=[^\W\d])[-_]?\d+|[\^_]\s*[({]?\s*-?\d+",
    re.IGNORECASE,
)
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d*)?|\.\d+)"
_EXPONENT = r"(?:\s?(?:\^|\*\*)\s*[({]?\s*([+-]?\s?\d+)\s*[)}]?|\s?(-\d{1,2})(?![\d.]))"
NUMBER = re.compile(
    rf"(?P<power>(?:(?P<mantissa>{_DIGITS})\s*(?:x|·|\*|\\times|\\cdot)\s*)?(?<![\d.])(?P<base>10|2|e(?=\^)|\d+(?=\s?(?:\^|\*\*))){_EXPONENT})"
    rf"|(?P<lost>{_DIGITS})\s*(?:x|·|\\times|\\cdot)\s*10(?P<exponent>\d)(?!\d)"
    rf"|(?<![\d.])(?P<over>\d)\s?/\s?(?P<under>\d+)(?![\d.])"
    rf"|(?P<grouped>(?<![\d.])\d{{1,3}}(?:[ \u00a0\u2009\u202f]\d{{3}})+(?![\d.]))"
    rf"|(?P<plain>{_DIGITS}(?:\s?e\s?[+-]?\d+)?)(?:(?P<unit>[kmbg](?!\w))|\s*(?P<name>%|(?:percent|hundred|thousand|million|billion)\b))?",
    re.IGNORECASE,
)


def numbers(quote: str) -> Iterator[tuple[float, bool]]:
    """What the quote's numbers may mean, and whether each is surely a quantity.

    A name, a reference or an ordinal has digits too (β1, [12], 2nd): one of them may be the value, none proves another.
    """
    quote = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda run: "^" + run[0].translate(SUPERSCRIPT), quote)
    minus = quote.replace("\\,", ",").replace("{,}", ",").translate(DASHES)
    sure = [True] * len(minus)
    for weak in WEAK.finditer(minus):
        sure[weak.start() : weak.end()] = [False] * len(weak[0])
    for found in NUMBER.finditer(minus):
        known = sure[found.start()]
        sign = -1 if re.search(r"(?<![\w)\]])-$", minus[: found.start()]) else 1
        if found["power"]:
            base = math.e if found["base"] in "eE" else float(found["base"])
            written = next(group for group in found.groups()[3:5] if group)
            if found["base"] == "2" and "^" not in found[0] and "*" not in found[0]:
                yield from ((float(part), True) for part in (2, written.lstrip("-")))
                continue
            exponent = float(written.replace(" ", ""))
            if base and abs(exponent) * math.log10(base) < 300:  # else no number of a paper, and none of Python
                yield sign * _float(found["mantissa"] or "1") * base**exponent, True
            if not found["mantissa"] and "^" not in found[0] and "−" not in quote:  # 10-3 may be a range
                yield from ((10.0, True), (float(written.lstrip("-")), True))
        elif found["lost"]:
            yield sign * _float(found["lost"]) * 10 ** int(found["exponent"]), True
        elif found["over"]:
            if float(found["under"]):
                yield sign * float(found["over"]) / float(found["under"]), True
        elif found["grouped"]:
            yield sign * float(re.sub(r"\s", "", found["grouped"])), True
            yield from ((float(part), True) for part in found["grouped"].split())
        else:
            value = _float(re.sub(r"\s", "", found["plain"]))
            for times in TIMES.get((found["unit"] or found["name"] or "").lower(), (1,)):
                yield sign * value * times, known
                if sign < 0:
                    yield value * times, known
    for found in re.finditer(rf"\b({'|'.join(WORDS)})\b(?:[\s-]+(hundred|thousand|million))?", quote, re.IGNORECASE):
        value = WORDS.index(found[1].lower())
        of_none = re.match(r"\s+(of|can|could|may|might|another|or|which|that)\b", quote[found.end() :])
        yield value * (TIMES[found[2].lower()][0] if found[2] else 1), value > 1 or (value == 1 and not of_none)


def _float(digits: str) -> float:
    return float(digits.replace(",", ""))


def differs(value: object, quoted: list[str]) -> list:
    """The elements of a value, or the value, that are not among the numbers quoted; none where no number is."""
    elements = [v for v in (value if isinstance(value, list) else [value]) if type(v) in (int, float)]
    found = [number for quote in quoted for number in numbers(quote)]
    if any(not float(v).is_integer() for v in elements):  # "two losses" says nothing of a weight of 0.1
        found = [
            number for quote in quoted for number in numbers(re.sub(rf"\b({'|'.join(WORDS)})\b", "", quote, flags=re.I))
        ]
    if not any(sure for _, sure in found):
        return []
    return [v for v in elements if not any(math.isclose(v, number, rel_tol=1e-9, abs_tol=1e-15) for number, _ in found)]


# Places

KINDS = {
    "Section": r"sections?|sect?s?\.?|§§?",
    "Appendix": r"appendix|appendices|apps?\.",
    "Table": r"tables?|tabs?\.",
    "Figure": r"figures?|figs?\.?",
    "Equation": r"equations?|eqns?\.?|eqs?\.?",
    "Algorithm": r"algorithms?|algs?\.|algos?\.",
}
_LABEL = r"\(?(?:[A-Z]{0,2}\.?\d+(?:\.(?:\d+|[A-Za-z]\b))*[a-z]?|[IVX]{1,5}(?:-[A-Z])?|[A-Z](?:\.\d+)*)\b\)?"
_ONE_OF = "|".join(f"(?P<{kind}>{words})" for kind, words in KINDS.items())
_MORE = rf"(?:\s*(?:,\s*and|,|-|and|&|to)\s*{_LABEL}(?!\s*[x%=]))"
PLACE = re.compile(
    rf"(?<![^\W_])(?:{_ONE_OF})\s*(?P<labels>(?-i:{_LABEL}){_MORE.replace(_LABEL, f'(?-i:{_LABEL})')}*)", re.IGNORECASE
)


def _labels(found: re.Match) -> Iterator[tuple[str, str]]:
    kind = next(kind for kind in KINDS if found[kind])
    for label in re.findall(_LABEL, found["labels"]):
        label = label.strip("()").rstrip(".")
        yield kind, label if kind == "Section" else re.sub(r"(?<=\d)[a-z]$", "", label)


def places(comment: str) -> list[tuple[str, str]]:
    """``Section 3.1 and Table 2`` as ``[("Section", "3.1"), ("Table", "2")]``; what is quoted is not part of it."""
    comment = QUOTE.sub('""', comment).translate(DASHES)
    named = []
    for found in PLACE.finditer(comment):
        first, *more = _labels(found)
        several = re.match(r"\w+s\b|appendices|§§", found[0], re.IGNORECASE)  # not so in "Table 2, 8 heads"
        counted = re.match(r"\s*(?:[x%=]|[a-z]{4})", comment[found.end() :])  # nor the 8 in "Tables 2 and 3, 8 heads"
        named += [first, *(more[: -1 if counted else None] if several else [])]
    return named


@functools.cache
def _mentioned(text: str) -> set[tuple[str, str]]:
    """The places that the text names, also within a range."""
    # pypdf may set a capital apart: T able 3
    text = re.sub(
        r"\b([TFSEA]) ?(?=able|igure|ection|quation|lgorithm|ppendix|ABLE|IGURE|ECTION|QUATION|LGORITHM|PPENDIX)",
        r"\1",
        text,
    )
    found = set()
    for match in PLACE.finditer(text):
        labels = list(_labels(match))
        found.update(labels)
        for (kind, first), (_, last) in zip(labels, labels[1:], strict=False):
            if first.isdigit() and last.isdigit() and re.search(rf"{first}\)?\s*(-|to)\s*\(?{last}", match["labels"]):
                found.update((kind, str(number)) for number in range(int(first), min(int(last), 99)))
    return found


def _roman(number: int) -> str:
    return "X" * (number // 10) + ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"][number % 10]


def has_place(kind: str, label: str, text: str) -> bool:
    """Whether the paper's text has this section, table, ...: named so, or as a heading, or as the number of an equation."""
    text = re.sub(r"-\s*\n\s*(?=[a-z])", "", unicodedata.normalize("NFKC", text).translate(DASHES))
    labels = {label, label.upper()} | ({_roman(int(label))} if label.isdigit() and int(label) < 40 else set())
    mentioned = _mentioned(text)
    sections = ("Section", "Appendix")
    for other, name in mentioned:
        if (other == kind or {other, kind} <= set(sections)) and (
            name.upper() in labels or (kind in sections and name.upper().startswith(f"{label.upper()}."))
        ):
            return True
    if kind == "Equation":
        return re.search(rf"\(\s?{re.escape(label)}\s?[a-z]?\)", text) is not None
    if kind not in sections:
        return False
    return any(_heading(name, text) for name in labels)


def _heading(label: str, text: str) -> bool:
    name = r"\s?\.\s?".join(map(re.escape, label.split(".")))
    # A page may have come as one line; where titles stand on lines with their numbers, others are no headings
    beside = len(re.findall(r"^\s*(?:§\s*)?(?:\d\d?|[A-Z]|[IVX]+)\.?[^\S\n]*[A-Z][^\W\d]+", text, re.MULTILINE)) > 1
    start = r"^\s*(?:§\s*)?" if beside else r"(?<![\w.,])(?:§\s*)?"
    space, title = (r"[^\S\n]", r"\d?[^\W\d]") if beside else (r"\s", r"(?:(?<=\s)[A-Z]|[A-Z][a-z])")
    below = name if "." in label else rf"{name}\s?\.\s?\d+"
    found = rf"{start}{below}(?:\.\d+)*\.?{space}*{title}|^\s*{below}\.?\s*$"  # also 3.1.2 Title where 3.1 is lost
    if "." not in label:
        found += rf"|{start}{name}\.?(?:{space}+\W?[A-Z]|[A-Z][^\W\d])"
    return re.search(found, text, re.MULTILINE) is not None
