"""How papers write numbers: 3e-4, 3 × 10^-4, 2^-8, 1/128, 10k, 25,000, "four"; and whether several are a grid."""

import re

WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
UNITS = {"k": 1e3, "K": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "B": 1e9, "billion": 1e9, "%": 0.01, "": 1}
_PLAIN = r"(?:\d{1,3}(?:,\d{3}|,\s000)+|\d+(?:\.\d+)?|\.\d+)(?![\d.]*\d)"
NUMBER = re.compile(
    rf"""
    (?<![\w.^×-])(?<!×\s) -? (?:
      (?P<base>{_PLAIN}) \s? [×x·*] \s? 10 \s? \^? \s? [({{]?(?P<exponent>-\s?\d+|(?<=10)[2-9]\b|(?<=\^)\d+)[)}}]?  # 3 × 10^-4
    | (?P<root>2|10) \s? (?:\^\s?\{{?)? (?P<power>-\s?\d+|(?<=\^)\d+|(?<=\^\{{)\d+) \}}? # 2^-8, or 10-4 from a PDF
    | (?P<over>\d+) \s? / \s? (?P<under>\d+) (?![\d./])                                # 1/128
    | (?P<plain>{_PLAIN}) (?:\s?[eE]\s?(?P<e>[-+]?\d+))? \s? (?P<unit>(?:k|K|M|B|thousand|million|billion)\b|%)?  # 3e-4  10k
    | (?P<word>(?:single|{"|".join(WORDS[1:])})\b)
    ) (?![\w^]|\.\d|\s?×)
    """,
    re.VERBOSE,
)
# The patterns of one number and of several in a row, {{1e-3, 1e-4}} or 16, 32 and 64; for re.VERBOSE
ONE = re.sub(r"\?P<\w+>", "?:", NUMBER.pattern)
VALUES = rf"[\[{{(]?\s*(?:{ONE})(?:\s*(?:,\s*(?:and|or)\s|,|;|/|\band\b|\bor\b|\bto\b|-)\s*(?:{ONE}))*\s*[\]}})]?"


def all_numbers(text: str) -> list[float]:
    return [_value(found) * (-1 if found[0].startswith("-") else 1) for found in NUMBER.finditer(text)]


def _value(found: re.Match) -> float:
    part = {name: (text or "").replace(",", "").replace(" ", "") for name, text in found.groupdict().items()}
    if part["word"]:
        return float(WORDS.index(part["word"]) if part["word"] in WORDS else 1)
    if part["root"]:
        return float(part["root"]) ** min(float(part["power"]), 300)  # a float ends at 10^308
    if part["over"]:
        return float(part["over"]) / (float(part["under"]) or 1)
    value = float(f"{part['base'] or part['plain']}e{part['exponent'] or part['e'] or 0}")
    return round(value * UNITS[part["unit"]], 18)


def written(value: float) -> str:
    """A number as a config has it: 25000, 0.1, 3e-4."""
    if abs(value) >= 1e-3 or not value:
        return f"{value:.15g}"
    return re.sub(r"\.?0*e-0?", "e-", f"{value:.6e}")
