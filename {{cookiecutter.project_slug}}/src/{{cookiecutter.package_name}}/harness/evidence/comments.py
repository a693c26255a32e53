"""The settings in a YAML file, each with the comment beside it.

A comment belongs to the setting on its line. It goes on in the next lines that begin with ``#`` in the same column. A
comment beside the key of a mapping belongs to every setting in it that has no comment of its own. A comment on a line of
its own belongs to no setting, unless it begins with ``assumed`` or ``differs``: then to the one below it.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from ..identity import ROOT

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Value:
    """A setting, and what its comment says about it."""

    file: str
    line: int
    key: str  # optimizer.lr; for "- override /optimizer: adam" in the defaults list, the group
    value: Any
    source: str  # the comment
    group: bool = False
    kind: str = ""  # paper, differs, code, assumed, elsewhere; empty if the comment names no source
    alternatives: list = field(default_factory=list)
    not_run: str = ""  # why the alternatives are not run
    problems: list[str] = field(default_factory=list)


def read_values(path: Path) -> list[Value]:
    """The settings of a file, after those that it inherits from files beside it and does not set again."""
    root, settings, comments = _parse(path.read_text(encoding="utf-8"))
    if not settings:
        return []
    name = path.relative_to(ROOT).as_posix()
    entries = next((node.value for key, node in root.value if key.value == "defaults"), [])
    inherited, own = [], []
    for node, entry in zip(entries, settings.get("defaults", []), strict=True):
        if isinstance(entry, dict):
            ((group, option),) = entry.items()
            line = node.start_mark.line
            own.append(Value(name, line + 1, group.split()[-1].strip("/"), option, comments.get(line, ""), group=True))
        elif (other := path.with_name(f"{entry}.yaml")).exists():
            inherited += read_values(other)
    own += [Value(name, *rest) for rest in _walk(root, settings, comments)]
    again = {(value.group, value.key) for value in own}
    return [value for value in inherited if (value.group, value.key) not in again] + own


def read_items(path: Path, name: str) -> list[dict[str, Value]]:
    """The settings of each mapping in the list ``name``, by key."""
    root, settings, comments = _parse(path.read_text(encoding="utf-8"))
    nodes = next(node.value for key, node in root.value if key.value == name)
    file = path.relative_to(ROOT).as_posix()
    return [
        {value.key: value for value in (Value(file, *rest) for rest in _walk(node, item, comments))}
        for node, item in zip(nodes, settings[name], strict=True)
    ]


@functools.cache  # experiments inherit from the same files
def _parse(text: str) -> tuple[yaml.Node, dict, dict[int, str]]:
    """The nodes of a file, which know their lines; its settings; and its comments."""
    # OmegaConf reads 1e-3 as a number, PyYAML does not
    settings = OmegaConf.to_container(OmegaConf.create(text))
    return yaml.compose(text, Loader=LOADER), settings, _comments(text)


def _walk(node: yaml.Node, settings: dict, comments: dict, prefix: str = "", above: str = "") -> Iterator[tuple]:
    """Line, key, value and comment of each setting; a list is one value."""
    for (name, child), value in zip(node.value, settings.values(), strict=True):  # keys may be numbers
        if not prefix and name.value == "defaults":
            continue
        key, first = f"{prefix}{name.value}", name.start_mark.line
        if isinstance(child, yaml.MappingNode) and value:
            comment = comments.get(first, above).partition("{")[0]  # alternatives belong to a single value
            yield from _walk(child, value, comments, f"{key}.", comment)
        else:
            inline = getattr(child, "flow_style", getattr(child, "style", "") not in ("|", ">"))
            lines = [first, *range(first + 1, child.end_mark.line + inline)]  # a block ends where the next key begins
            yield first + 1, key, value, "; ".join(comments[line] for line in lines if line in comments) or above


def _comments(text: str) -> dict[int, str]:
    """Each comment of a setting, with its continuation, by the index of the line on which the setting begins."""
    marks = [(token.start_mark, token.end_mark) for token in yaml.scan(text, Loader=LOADER)]
    ends = {end.line: end.column for start, end in marks if start.index < end.index}
    found, last, above = {}, None, ""
    for number, line in enumerate(text.splitlines()):
        column = line.find("#", ends.get(number, 0))
        comment = line[column:].strip("# ") if column >= 0 else ""
        if number in ends:
            first, comment, above = number, comment or above, ""
            found |= {number: comment} if comment else {}
        elif last == (number - 1, column) and comment:
            found[first] += f" {comment}"
        else:  # on a line of its own
            above = f"{above} {comment}".strip() if re.match("(?i)assumed|differs", above or comment) else ""
            continue
        last = number, column
    return found
