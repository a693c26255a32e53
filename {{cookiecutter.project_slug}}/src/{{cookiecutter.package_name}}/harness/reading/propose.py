"""Proposals beside the settings of ``configs/experiment/paper.yaml``, and their acceptance, one by one.

A proposal is a comment, which no command reads as a source. It replaces the template's own mark or an earlier proposal,
and never what a person wrote.
"""

import re

from ..evidence.comments import Value, read_values
from ..identity import CONFIGS, ROOT, UsageError
from .find import Found
from .offer import comment

EXPERIMENT = CONFIGS / "experiment" / "paper.yaml"
MARK = "TODO(paper): where is it stated?"
OURS = re.compile(rf"(?:{re.escape(MARK)}|proposed: .*)?")
ELSEWHERE = "# proposed: "  # on a line of its own: the file does not set this key yet


def _values() -> dict[str, Value]:
    """The settings that the file itself has, those of the defaults list with a slash."""
    name = EXPERIMENT.relative_to(ROOT).as_posix()
    return {"/" * value.group + value.key: value for value in read_values(EXPERIMENT) if value.file == name}


def write(offered: dict[str, list[Found]]) -> bool:
    """Write the proposals beside the settings; whether the file has changed."""
    before, values = EXPERIMENT.read_text(encoding="utf-8"), _values()
    lines = [line for line in before.splitlines() if not line.startswith(ELSEWHERE)]
    for key, value in values.items():
        if not OURS.fullmatch(value.source):
            continue
        proposed = comment(offered[key]) if key in offered else MARK if value.source.startswith("proposed") else ""
        if proposed:
            position = value.line - 1
            lines[position] = f"{_without_comment(lines[position], value.source)}  # {proposed}"
    lines += [f"{ELSEWHERE}{key}: {comment(ones)[10:]}" for key, ones in offered.items() if key not in values]
    after = "\n".join(lines) + "\n"
    if after != before:
        EXPERIMENT.write_text(after, encoding="utf-8")
    return after != before


def _without_comment(line: str, source: str) -> str:
    return line[: line.rindex(f"# {source}")].rstrip() if source else line.rstrip()


def accept(asked: list[str], offered: dict[str, list[Found]]) -> list[str]:
    """Set each asked key to what the paper states, with its source; what was set.

    Raises:
        UsageError: a key has no proposal, or several, or a source of its own. Nothing is written then.
    """
    values, chosen, wrong = _values(), {}, []
    for request in asked:
        key, _, value = request.partition("=")
        key = key if key in offered else f"/{key.lstrip('/')}"
        ones = [one for one in offered.get(key, []) if value in ("", one.values[0])]
        stated = ", ".join(one.values[0] for one in offered.get(key, []))
        if not offered.get(key):
            wrong.append(
                f"{request}: no proposal. There is one for {', '.join(key.lstrip('/') for key in offered) or 'nothing'}."
            )
        elif key in values and not OURS.fullmatch(values[key].source):
            wrong.append(
                f"{request}: it has a source already, {values[key].source}. Edit {values[key].file}:{values[key].line}."
            )
        elif len(ones) != 1:
            several = f"the paper states {stated}. Choose one: --accept {key.lstrip('/')}={offered[key][-1].values[0]}"
            wrong.append(f"{request}: {several}")
        else:
            chosen[key] = ones[0]
    if wrong:
        raise UsageError("\n".join(wrong))
    for key, one in chosen.items():
        _set(key, one.values[0], one.source)
    return [f"{key.lstrip('/')}: {one.values[0]}  # {one.source}" for key, one in chosen.items()]


def _set(key: str, setting: str, source: str) -> None:
    """Set one key in the file, on its line or on a new one at the end of its group."""
    value, lines = _values().get(key), EXPERIMENT.read_text(encoding="utf-8").splitlines()
    group, _, name = key.partition(".")
    if value:
        start = re.match(r"(\s*(?:- )?[^:]*:\s+)", lines[value.line - 1])[1]
        lines[value.line - 1] = f"{start}{setting}  # {source}"
    elif f"{group}:" in (heads := [line.split("  #")[0].rstrip() for line in lines]):
        end = heads.index(f"{group}:") + 1
        while end < len(lines) and lines[end].startswith(" "):
            end += 1
        lines.insert(end, f"  {name}: {setting}  # {source}")
    else:
        lines += [f"{group}:", f"  {name}: {setting}  # {source}"]
    lines = [line for line in lines if not line.startswith(f"{ELSEWHERE}{key}: ")]
    EXPERIMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")
