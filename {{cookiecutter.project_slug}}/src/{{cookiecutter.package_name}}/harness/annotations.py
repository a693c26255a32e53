"""The settings in a YAML file, each with the comment beside it.

The comment of a value is what follows on its line, and on the lines after it that begin with ``#`` in the same column.
One on the line of a mapping's key is of all values in it that have none.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from .settings import ROOT

CONFIGS = ROOT / "configs"


@dataclass
class Value:
    """A setting, and what its comment says of it."""

    file: str
    line: int
    key: str  # optimizer.lr; of an entry of the defaults list "- override /optimizer: adam", the group
    value: Any
    source: str
    group: bool = False
    inherited: bool = False  # whether the comment is that of a mapping around it
    kind: str = ""  # paper, code, assumed, elsewhere, or none
    alternatives: list = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@functools.cache
def read_values(path: Path) -> tuple[Value, ...]:
    """The settings of a file, after those that it inherits and does not set again."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return ()
    name, folder = path.relative_to(ROOT).as_posix(), path.parent.relative_to(CONFIGS).as_posix()
    data, comments = OmegaConf.to_container(OmegaConf.load(path)), _comments(text)
    before, own, after = [], [], []
    into = before
    for item in next((node.value for key, node in root.value if key.value == "defaults"), []):
        if item.value == "_self_":
            into = after  # what follows is stronger than this file
            continue
        group, option = _entry(item, folder)
        if group.split("/")[0] == folder.split("/")[0]:
            if (other := CONFIGS / group / f"{option}.yaml").exists():
                into += read_values(other)
        else:
            comment = comments.get(_last_line(item), "")
            own.append(Value(name, item.start_mark.line + 1, group, option, comment, group=True))
    data.pop("defaults", None)
    own += [Value(name, line + 1, *rest) for line, *rest in _walk(root, data, comments)]
    found = {}
    for value in [*before, *own, *after]:
        for group, key in list(found):
            if group == value.group and (key == value.key or (not group and key.startswith(f"{value.key}."))):
                del found[group, key]
        found[value.group, value.key] = value
    return tuple(found.values())


def _entry(item: yaml.Node, folder: str) -> tuple[str, Any]:
    """Group and option of an entry of the defaults list of a file in ``folder``."""
    if isinstance(item, yaml.ScalarNode):
        name, _, option = item.value.strip().rpartition("/")
        name = f"{name}/" if name else ""
    else:
        key, node = item.value[0]
        name = key.value.replace("override ", "").replace("optional ", "").strip()
        option = [child.value for child in node.value] if isinstance(node, yaml.SequenceNode) else node.value
        option = None if node.tag.endswith(":null") else option
    return (name if name.startswith("/") or folder == "." else f"{folder}/{name}").strip("/"), option


def _walk(node: yaml.Node, data: dict, comments: dict[int, str], prefix: str = "", above: str = "") -> Iterator[tuple]:
    """Line, key, value, comment, and what else a ``Value`` is made of; a list is one value."""
    data = {str(key): value for key, value in data.items()}
    for name, child in node.value:
        if name.value not in data:  # defaults
            continue
        first, alias = name.start_mark.line, child.start_mark.index < name.end_mark.index
        last = first if alias else _last_line(child)
        key, value = f"{prefix}{name.value}", data[name.value]
        if isinstance(child, yaml.MappingNode) and value:
            lines = [first, last] if child.flow_style else [first]
            head = next((comments[line] for line in lines if line in comments), above)
            yield from _walk(child, value, comments, f"{key}.", head)
        else:
            own = "; ".join(comments[line] for line in range(first, last + 1) if line in comments)
            yield first, key, value, own or above, False, bool(above) and not own


def _last_line(node: yaml.Node) -> int:
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):  # a comment stands after the sign
        return node.start_mark.line
    return node.end_mark.line


def _comments(text: str) -> dict[int, str]:
    """The comment that follows something on a line, with its continuation, by the line's index.

    Whatever the scanner leaves between two tokens is space and comments.
    """
    following, alone, end = {}, {}, 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        start, until = end, token.start_mark.index
        end = max(end, token.end_mark.index)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):  # it has taken that after its sign
            until = text.index("\n", until) if "\n" in text[until:] else len(text)
        while (mark := text.find("#", start, until)) >= 0:
            start = text.find("\n", mark) if "\n" in text[mark:] else len(text)
            begin = text.rfind("\n", 0, mark) + 1
            where = following if text[begin:mark].strip() else alone
            where[text.count("\n", 0, mark)] = mark - begin, text[mark:start].lstrip("#").strip()
    for line, (column, comment) in following.items():
        further = line + 1
        while alone.get(further, (None,))[0] == column:
            comment, further = f"{comment} {alone[further][1]}", further + 1
        following[line] = comment
    return following
