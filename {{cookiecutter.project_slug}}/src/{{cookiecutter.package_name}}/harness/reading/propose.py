"""Proposals as comments beside the settings of ``configs/experiment/paper.yaml``, and their acceptance, one by one.

A proposal replaces the template's own mark or an earlier proposal, and never what a person wrote.
"""

import re

from ..evidence.comments import Value, read_values
from ..identity import CONFIGS, ROOT, UsageError
from .find import Found
from .offer import comment, proposed

EXPERIMENT = CONFIGS / "experiment" / "paper.yaml"
MARK = "TODO(paper): where is it stated?"
OURS = re.compile(rf"(?:{re.escape(MARK)}|proposed: .*)?")
ELSEWHERE = "# proposed: "  # on a line of its own: the file does not set this key yet


def _values() -> dict[str, Value]:
    """The settings that the file itself has, those of the defaults list with a slash."""
    name = EXPERIMENT.relative_to(ROOT).as_posix()
    return {"/" * value.group + value.key: value for value in read_values(EXPERIMENT) if value.file == name}


def write(offered: dict[str, Found]) -> None:
    """Write the proposals beside the settings."""
    values = _values()
    lines = [line for line in EXPERIMENT.read_text(encoding="utf-8").splitlines() if not line.startswith(ELSEWHERE)]
    for key, value in values.items():
        if OURS.fullmatch(value.source) and (value.source or key in offered):
            setting = re.split(r"\s+# (?:TODO\(paper\)|proposed): ", lines[value.line - 1])[0]
            lines[value.line - 1] = f"{setting}  # {comment(offered[key]) if key in offered else MARK}"
    lines += [f"# {comment(ones, key)}" for key, ones in offered.items() if key not in values]
    EXPERIMENT.write_text("\n".join([*lines, ""]), encoding="utf-8")


def accept(asked: list[str], listed: dict[str, list[Found]]) -> list[str]:
    """Set each asked key to what is proposed, or to the stated value that is asked for, or none if one cannot be."""
    values, chosen, wrong, offered = _values(), {}, [], proposed(listed)
    for request in asked:
        key, _, value = request.partition("=")
        key = key if key in listed else f"/{key.lstrip('/')}"
        stated = {one.values[0]: one for one in listed.get(key, [])}
        chosen[key] = stated.get(value) if value else offered.get(key)
        if not stated:
            wrong.append(f"{request}: no proposal. There is one for {', '.join(offered).replace('/', '') or 'none'}.")
        elif key in values and not OURS.fullmatch(values[key].source):
            wrong.append(f"{request}: it has a source already. Edit {values[key].file}:{values[key].line}.")
        elif not chosen[key]:
            choices = " or ".join(f"{key.lstrip('/')}={one}" for one in stated)
            wrong.append(f"{request}: choose what the paper states: {choices}.")
    if wrong:
        raise UsageError("\n".join(wrong))
    for key, one in chosen.items():
        value, lines = _values().get(key), EXPERIMENT.read_text(encoding="utf-8").splitlines()
        heads, (group, _, name) = [line.split("  #")[0].rstrip() for line in lines], key.partition(".")
        line = f"  {name}: {one.values[0]}  # {one.source}"
        if value:
            start = re.match(r"(\s*(?:- )?[^:]*:\s+)", lines[value.line - 1])[1]
            lines[value.line - 1] = f"{start}{one.values[0]}  # {one.source}"
        elif f"{group}:" in heads:
            lines.insert(heads.index(f"{group}:") + 1, line)
        else:
            lines += [f"{group}:", line]
        lines = [line for line in lines if not line.startswith(f"{ELSEWHERE}{key}: ")]
        EXPERIMENT.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return [f"{key.lstrip('/')}: {one.values[0]}  # {one.source}" for key, one in chosen.items()]
