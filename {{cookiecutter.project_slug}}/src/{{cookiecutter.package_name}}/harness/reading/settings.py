"""The tables of what is looked for: ``settings.yaml``, and ``patterns.yaml`` for sentences."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Setting:
    """A setting of ``settings.yaml``, which says what each of these is."""

    keys: tuple[str, ...] = ()
    name: str = "(?!)"  # matches nothing
    unit: str = "(?!)"
    number: tuple[float, float] | None = None
    whole: tuple[float, float] | None = None
    options: dict[str, str] = field(default_factory=dict, hash=False)
    pair: int | None = None
    needs: str = ""
    before: str = ""
    after: str = "(?!)"
    never: str = "(?!)"

    def possible(self, value: float) -> bool:
        low, high = self.whole or self.number
        return low <= value <= high and (not self.whole or value == int(value))


def _table(name: str) -> dict:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


SETTINGS = {name: Setting(**row) for name, row in _table("settings.yaml").items()}
PATTERNS = {name: re.compile(pattern, re.I) for name, pattern in _table("patterns.yaml").items()}
