"""What is proposed for each key of ``configs/``. The template reads the PDF by this before there is a repository."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from .document import build
from .find import SETTINGS, Found, find
from .plain import marked


def answers(text: str, configs: Path) -> dict[str, str]:
    """The answers to the template's questions of which the text of a PDF states one value, as ``3e-4 @ proposed: …``."""
    found = proposed(stated(find(build("paper.pdf", marked(text))), configs)).values()
    named = [(SETTINGS[one.setting].answer, one) for one in found if one.setting in SETTINGS]
    often = Counter(name for name, _ in named)  # epochs and steps are one question
    named = [(name, one) for name, one in named if name and often[name] == 1]
    return {name: f"{one.values[0]}{' steps' * (one.setting == 'steps')} @ {comment(one)}" for name, one in named}


def stated(found: list[Found], configs: Path) -> dict[str, list[Found]]:
    """The values that the paper states for each key that the files in ``configs`` know, each once, the certain first."""
    listed: dict[str, dict[tuple, Found]] = {}
    alone = [one for one in found if len(one.values) == 1]
    for one in sorted([*alone, *_betas(alone)], key=lambda one: not one.certain):
        keys = SETTINGS[one.setting].keys if one.setting in SETTINGS else ("optimizer.betas",)
        if key := next((key for key in keys if _known(key, one.values[0], configs)), None):
            listed.setdefault(key, {}).setdefault(one.values, one)
    return {key: list(values.values()) for key, values in listed.items()}


def proposed(listed: dict[str, list[Found]]) -> dict[str, Found]:
    """The keys of which the paper certainly states one value."""
    return {key: ones[0] for key, ones in listed.items() if ones[0].certain}


def _betas(alone: list[Found]) -> Iterator[Found]:
    """β1 and β2 of one sentence or table as the one setting that PyTorch makes of them."""
    for one, other in combinations([one for one in alone if one.setting in ("beta1", "beta2")], 2):
        if one.setting != other.setting and one.where == other.where and one.sentence == other.sentence:
            quote = '", "'.join(dict.fromkeys([one.quote, other.quote]))
            both = replace(one, setting="betas", values=(f"[{one.values[0]}, {other.values[0]}]",), quote=quote)
            yield replace(both, certain=one.certain and other.certain)


def _known(key: str, value: str, configs: Path) -> bool:
    """Whether an option of a group is there, or a file of the group sets the key."""
    if key.startswith("/"):
        return (configs / key[1:] / f"{value}.yaml").exists()
    group, name = key.split(".", 1)
    files = [*(configs / group).glob("*.yaml"), configs / "experiment" / "paper.yaml"]
    return any(re.search(rf"^\s*{re.escape(name)}:", path.read_text(encoding="utf-8"), re.MULTILINE) for path in files)


def comment(one: Found, key: str = "") -> str:
    """``proposed: 3e-4, Section 5.3: "a learning rate of 3e-4" (page 6)``."""
    return f"proposed: {f'{key}: ' * bool(key)}{one.values[0]}, {one.source}"
