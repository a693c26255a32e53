"""What is proposed for each key of ``configs/``. The template reads the PDF by this before there is a repository."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from .document import build
from .find import SETTINGS, Found, find
from .plain import marked


def answers(text: str, configs: Path) -> dict[str, str]:
    """The answers to the template's questions of which the text of a PDF states one value, as ``3e-4 @ proposed: …``."""
    found: dict[str, list[Found]] = {}
    for one in sum(proposals(find(build("paper.pdf", marked(text))), configs).values(), []):
        if one.setting in SETTINGS and (name := SETTINGS[one.setting].answer):
            found.setdefault(name, []).append(one)
    alone = [(name, *ones) for name, ones in found.items() if len(ones) == 1]
    return {name: f"{one.values[0]}{' steps' * (one.setting == 'steps')} @ {comment([one])}" for name, one in alone}


def proposals(found: list[Found], configs: Path) -> dict[str, list[Found]]:
    """The values that the paper states for each key that the files in ``configs`` know, each once."""
    listed: dict[str, dict[tuple, Found]] = {}
    for one in [*(one for one in found if len(one.values) == 1), *_betas(found)]:
        keys = SETTINGS[one.setting].keys if one.setting in SETTINGS else ("optimizer.betas",)
        if key := next((key for key in keys if _known(key, one.values[0], configs)), None):
            listed.setdefault(key, {}).setdefault(one.values, one)
    return {key: list(values.values()) for key, values in listed.items()}


def _betas(found: list[Found]) -> Iterator[Found]:
    """β1 and β2 of one sentence or table as the one setting that PyTorch makes of them."""
    betas = [one for one in found if one.setting in ("beta1", "beta2") and len(one.values) == 1]
    for one, other in combinations(betas, 2):
        if one.setting != other.setting and one.where == other.where and one.sentence == other.sentence:
            quote = '", "'.join(dict.fromkeys([one.quote, other.quote]))
            yield Found("betas", (f"[{one.values[0]}, {other.values[0]}]",), one.where, quote, one.place)


def _known(key: str, value: str, configs: Path) -> bool:
    """Whether an option of a group is there, or a file of the group sets the key."""
    if key.startswith("/"):
        return (configs / key[1:] / f"{value}.yaml").exists()
    group, name = key.split(".", 1)
    files = [*(configs / group).glob("*.yaml"), configs / "experiment" / "paper.yaml"]
    return any(re.search(rf"^\s*{re.escape(name)}:", path.read_text(encoding="utf-8"), re.MULTILINE) for path in files)


def acceptable(offered: dict[str, list[Found]]) -> list[str]:
    """What ``--accept`` takes: ``data.batch_size``, or ``optimizer.lr=0.1`` where several values are stated."""
    return [key.strip("/") + f"={one.values[0]}" * (len(ones) > 1) for key, ones in offered.items() for one in ones]


def comment(ones: list[Found], key: str = "") -> str:
    """``proposed: 3e-4, Section 5.3: "a learning rate of 3e-4" (page 6)``, or all values where there are several."""
    values = f"{ones[0].values[0]}, {ones[0].source}"
    if len(ones) > 1:
        listed = " or ".join(f"{one.values[0]} ({one.where}{one.place.on_page})" for one in ones[:4])
        values = f"{listed}{' or …' * (len(ones) > 4)}: see READING.md"
    return f"proposed: {f'{key}: ' * bool(key)}{values}"
