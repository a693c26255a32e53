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


_FONTS = set("em bf it sc rm tt sf cal left right big displaystyle textstyle protect".split())
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307"}
_ACCENTS |= {"u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323"}
_ACCENTS |= {"b": "\u0331", "tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "widehat": "\u0302"}
_ACCENTS |= {"bar": "\u0304", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "check": "\u030c", "breve": "\u0306"}
_LETTERS = {"ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å"}
_LETTERS |= {"AA": "Å", "i": "i", "j": "j", "textendash": "–", "textemdash": "—", "lambda": "λ", "Lambda": "Λ"}
_LETTERS |= {"dj": "đ", "DJ": "Đ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "ell": "ℓ", "hbar": "ħ"}
_LETTERS |= {"times": "×", "to": "→", "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "infty": "∞"}
_LETTERS |= {"uparrow": "↑", "downarrow": "↓", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ll": "≪"}
_LETTERS |= {"gg": "≫", "equiv": "≡", "propto": "∝", "pm": "±", "mp": "∓", "sim": "∼", "approx": "≈", "cdot": "·"}
_LETTERS |= {"ldots": "…", "dots": "…", "nabla": "∇", "partial": "∂", "otimes": "⊗", "oplus": "⊕", "odot": "⊙"}
_LETTERS |= {"circ": "∘", "ast": "∗", "star": "⋆", "in": "∈", "sqrt": "√", "prime": "′", "dagger": "†", "perp": "⊥"}
_LETTERS |= {"langle": "⟨", "rangle": "⟩", "cup": "∪", "cap": "∩", "subset": "⊂", "forall": "∀", "exists": "∃"}
_SCRIPTS = {
    "^": dict(zip("0123456789+-=()ni*∗⋆∘′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ***°′", strict=True)),
    "_": dict(zip("0123456789+-=()aeijnopx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₙₒₚₓ", strict=True)),
}
_TAGS = "i b u em strong sub sup sc scp tt span p br title italic bold roman monospace tex tex-math inline-formula math"
_TAG = re.compile(
    rf"</?(?:(?:mml|jats):[\w-]+|{'|'.join(_TAGS.split())}|m[ino]|mrow|msu[bp])(?:\s+[\w:-]+=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
# Tags of words or formulas, next to which publishers lose and add blanks; other tags may stand within a word
_SPACED = re.compile(
    r"<(/?)(?:(?:mml|jats):)?(?:i|em|italic|math|inline-formula|tex-math)(?:\s[^<>]*)?>", re.IGNORECASE
)
_RAISED = re.compile(r"<(?:jats:)?su([bp])>(.*?)</(?:jats:)?su\1>", re.IGNORECASE)
_CHILD = r"\s*(<(?:mml:)?(m[ino]|mrow|mtext)\b[^<>]*>.*?</(?:mml:)?\%d>)"
_RAISED_MATH = re.compile(rf"<(?:mml:)?msu([bp])\b[^<>]*>{_CHILD % 3}{_CHILD % 5}\s*</(?:mml:)?msu\1>", re.DOTALL)
_OPEN, _CLOSE = "\ue000", "\ue001"
# $…$ with something in it that is mathematics, or at least no space: prices are not
_MATH = re.compile(r"(?<!\\)(\$\$?)(?=[^\s$])([^$]*[\\^_=<>+][^$]*|rm [^$]+|[^\s$]+)(?<=\S)(?<!\\)\1(?!\d)")


def readable(text: str) -> str:
    r"""A title as it would be printed: entities, tags and LaTeX replaced by what they stand for.

    ``$\alpha$-\textsc{Net}`` becomes ``α-Net``, ``$\ell_1$`` ``ℓ₁``, ``G\"odel`` ``Gödel``.
    """
    for _ in range(3):  # some are escaped twice
        text = html.unescape(text)
    text = _without_tags(text)
    if re.search(r"\\[a-zA-Z\"'`^~=.&%$#_{]", text) or _MATH.search(text):
        text = _MATH.sub(lambda match: _mathematics(match[2]), text)
        text = re.sub(r"\\([&%$#_])", r"\1", _commands(text))
        text = re.sub(r"(?<!\\)[{}]", "", text).replace("\\", "").replace("---", "—").replace("~", " ")
    text = re.sub(r"\{([A-Z][\w-]*)\}", r"\1", text)  # BibTeX's way to keep capitals
    return clean(re.sub(r"(?<=\w)--(?=\w)", "–", re.sub(r"``(.*?)''", r"“\1”", text)))


def _without_tags(text: str) -> str:
    """Sub- and superscripts as in a title with LaTeX, and a blank where a tag stood between two words."""
    text = _RAISED_MATH.sub(lambda match: _TAG.sub("", match[2]) + _raised(match[1], match[4]), text)
    text = _RAISED.sub(lambda match: _raised(match[1], match[2]), text)
    text = _TAG.sub("", _SPACED.sub(lambda match: _CLOSE if match[1] else _OPEN, text))
    text = re.sub(rf"{_OPEN}\s+", f" {_OPEN}", re.sub(rf"\s+{_CLOSE}", f"{_CLOSE} ", text))
    text = re.sub(rf"([(\[“‘]|\w-)\s+(?={_OPEN})", r"\1", text)  # ( <i>Tridacna maxima</i> )
    text = re.sub(rf"(?<={_CLOSE})\s+(?=[)\],.;:?!”’]|-\w)", "", text)  # <i>N</i> -body
    text = re.sub(rf"(?<=[^\W\d_]{{2}}){_OPEN}+(?=[\w$\\])", " ", text)  # an<i>R</i>
    text = re.sub(rf"{_CLOSE}+(?=[a-z]{{3}})", " ", text)  # <i>R</i>package, but not <i>n</i>th
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def _raised(kind: str, tagged: str) -> str:
    """The content of a tag as a script, but not that of 20<sup>th</sup>."""
    content = _TAG.sub("", _SPACED.sub("", tagged)).strip().replace("−", "-")
    if kind in "pP" and not set(content) <= set(_SCRIPTS["^"]) and not re.search(r"[\d+=-]", content):
        return content
    return _scripted("_" if kind in "bB" else "^", content) if content else ""


def _mathematics(text: str) -> str:
    text = re.sub(r"^(rm|bf|it|cal) ", "", text)  # as IEEE writes it, without a backslash
    text = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2", text)
    return re.sub(r"([\^_])(\{[^{}]*\}|[^\s{}])", _script, _commands(text))


def _commands(text: str) -> str:
    text = re.sub(r"\\href\s*\{[^{}]*\}", "", text)
    text = re.sub(r"\\[,;: ]", " ", text).replace("\\!", "")
    words = "|".join(name for name in _ACCENTS if len(name) > 1)
    accents = rf"""\\(["'`^~=.]|(?:{words}|[uvHckrdb])(?![a-zA-Z]))\s*(\{{)?\\?([a-zA-Z])(?(2)\}})"""
    text = re.sub(accents, lambda match: unicodedata.normalize("NFC", match[3] + _ACCENTS[match[1]]), text)
    text = re.sub(r"\\mathbb\s*(\{)?([A-Z])(?(1)\})", _double_struck, text)
    return re.sub(r"\\([a-zA-Z]+)(\s*)(?=(\{(?!\}))?)", _command, text)


def _double_struck(match: re.Match) -> str:
    name = f"DOUBLE-STRUCK CAPITAL {match[2]}"
    return unicodedata.lookup(name if match[2] in "CHNPQRZ" else f"MATHEMATICAL {name}")


def _command(match: re.Match) -> str:
    name, space, argument = match.groups()
    if name in _LETTERS:  # a letter takes the space after it, as LaTeX does; a sign has one on both sides
        return _LETTERS[name] + ("" if _LETTERS[name].isalpha() else space)
    try:
        case = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {case} LETTER {name.removeprefix('var').upper()}")
    except KeyError:  # \textsc{Net} and {\bf Net} change the letters only; \log is its own name
        return "" if argument or name in _FONTS else name + space


def _script(match: re.Match) -> str:
    return _scripted(match[1], match[2].strip("{}"))


def _scripted(sign: str, content: str) -> str:
    table = _SCRIPTS[sign]
    if set(content) <= set(table):
        return "".join(map(table.get, content))
    return sign + (content if len(content) == 1 else f"({content})")
