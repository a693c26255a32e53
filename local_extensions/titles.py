"""Titles as other people's computers write them, made readable, and made into names."""

import html
import re
import unicodedata


def clean(text: str) -> str:
    """One line, without control characters."""
    return " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text).split())


def normal(title: str) -> str:
    """A title without what two spellings of it differ by: case, punctuation, accents, LaTeX."""
    return "".join(c for c in unicodedata.normalize("NFKD", readable(title)).casefold() if c.isalnum())


_FONTS = {
    "em",
    "bf",
    "it",
    "sc",
    "rm",
    "tt",
    "sf",
    "cal",
    "left",
    "right",
    "big",
    "displaystyle",
    "textstyle",
    "protect",
}
_ACCENTS = dict(
    zip(
        "`'^~\"=.uvHckrdb",
        "\u0300\u0301\u0302\u0303\u0308\u0304\u0307\u0306\u030c\u030b\u0327\u0328\u030a\u0323\u0331",
        strict=True,
    )
)
_LETTERS = {"ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å"}
_LETTERS |= {"AA": "Å", "i": "i", "j": "j", "textendash": "–", "textemdash": "—", "lambda": "λ", "Lambda": "Λ"}
_LETTERS |= {"times": "×", "to": "→", "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "infty": "∞"}
_LETTERS |= {"ell": "ℓ", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "pm": "±", "sim": "∼", "approx": "≈"}
_LETTERS |= {"cdot": "·", "ldots": "…", "dots": "…", "nabla": "∇", "partial": "∂", "otimes": "⊗", "oplus": "⊕"}
_LETTERS |= {"circ": "∘", "ast": "∗", "star": "⋆", "in": "∈", "sqrt": "√", "prime": "′", "dagger": "†", "hbar": "ħ"}
_SCRIPTS = {
    "^": dict(zip("0123456789+-=()ni*∗", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ**", strict=True)),
    "_": dict(zip("0123456789+-=()aeijnopx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₙₒₚₓ", strict=True)),
}
_MATH = re.compile(r"(?<!\\)\$+(\S|\S.*?\S)(?<!\\)\$+(?!\d)")


def readable(text: str) -> str:
    r"""A title as it would be printed: entities, tags and LaTeX replaced by what they stand for.

    ``$\alpha$-\textsc{Net}`` becomes ``α-Net``, ``$\ell_1$`` ``ℓ₁``, ``G\"odel`` ``Gödel``.
    """
    text = html.unescape(text)
    text = re.sub(
        r"</?(?:(?:mml|jats):\w+|i|b|u|em|strong|sub|sup|sc|scp|tt|span|math|m[ino]|mrow|msu[bp])\b[^<>]*>", "", text
    )
    if re.search(r"\\[a-zA-Z\"'`^~=.&%$#_{]", text) or _MATH.search(text):
        text = _MATH.sub(lambda math: re.sub(r"([\^_])(\{[^{}]*\}|[^\s{}])", _script, _commands(math[1])), text)
        text = re.sub(r"\\([&%$#_])", r"\1", _commands(text))
        text = re.sub(r"(?<!\\)[{}]", "", text).replace("\\", "")
        text = text.replace("---", "—").replace("--", "–").replace("~", " ")
    return clean(text)


def _commands(text: str) -> str:
    text = re.sub(r"""\\(["'`^~=.]|[uvHckrdb](?![a-zA-Z]))\s*(\{)?\\?([a-zA-Z])(?(2)\})""", _accent, text)
    text = re.sub(r"\\mathbb\s*(\{)?([A-Z])(?(1)\})", _double_struck, text)
    return re.sub(r"\\([a-zA-Z]+)(\s*)(?=(\{(?!\}))?)", _command, text)


def _accent(match: re.Match) -> str:
    return unicodedata.normalize("NFC", match[3] + _ACCENTS[match[1]])


def _double_struck(match: re.Match) -> str:
    name = f"DOUBLE-STRUCK CAPITAL {match[2]}"
    return unicodedata.lookup(name if match[2] in "CHNPQRZ" else f"MATHEMATICAL {name}")


def _command(match: re.Match) -> str:
    name = match[1]
    if name in _LETTERS:
        return _LETTERS[name]
    try:
        case = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {case} LETTER {name.removeprefix('var').upper()}")
    except KeyError:  # \textsc{Net} and {\bf Net} change the letters only; \log is its own name
        return "" if match[3] or name in _FONTS else name + match[2]


def _script(match: re.Match) -> str:
    table, content = _SCRIPTS[match[1]], match[2].strip("{}")
    return "".join(map(table.get, content)) if set(content) <= set(table) else match[1] + content
