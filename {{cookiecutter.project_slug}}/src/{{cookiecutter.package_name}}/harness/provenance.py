"""Where each hyperparameter comes from, read from the comments in ``configs/experiment/``.

The comment is what follows on the value's line, and on the lines after it that begin with ``#`` in the same column.
One on the line of a mapping's key is of all values in it that have none.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hydra
import yaml
from omegaconf import OmegaConf

from .quotes import QUOTE, differs, has_place, paper_text, paper_trouble, places, quotes, stands_in
from .settings import _NOT_IDENTITY, _NOT_IDENTITY_OF, ROOT

__all__ = ["Value", "overridden", "paper_text", "paper_trouble", "unstated", "values"]

FORMS = (
    '# Section 5.3 · # Table 3: "a quote" · # official code, train.py:41 · # https://… · # author, e-mail 2024-05-01 · '
    "# assumed: why; {alternatives}"
)
SOURCES = {
    "code": r"(the )?((official|original|released|reference) (code|implementation|repository)|authors?['’]?s?['’]? code)",
    "elsewhere": r"https?://|doi:|arxiv:|(personal communication|e-?mail|openreview)\b|authors?\b"
    r"|[A-Z][^:;\"“]*\b(19|20)\d\d\b|[^:;\"“]* et al\b",
    "paper": r"(in |the )*(sections?|sects?\.?|secs?\.?|§+|app(endix|endices|\.)|tab(les?|\.)|fig(ures?|s?\.)|eq(uations?|ns?|s?\.)"
    r"|algo?(rithms?|\.)|abstract|introduction|conclusion|supplement\w*|footnote|theorem|lemma|proposition|definition"
    r"|corollary|remark|example|listing|chapter|pages?|p\.|caption|checklist)(?![a-z])|[\"“«]",
}
# What decides nothing, beside what is no part of a run's identity
NO_HYPERPARAMETERS = _NOT_IDENTITY | {"callbacks", "debug", "experiment", "sweep"}
NONE_OF = {**_NOT_IDENTITY_OF, "scheduler": {"interval", "frequency"}}
NONE_OF["trainer"] = NONE_OF["trainer"] | {"log_every_n_steps", "enable_model_summary", "enable_checkpointing"}
NONE_OF["trainer"] |= {"inference_mode", "num_sanity_val_steps", "barebones", "plugins", "logger", "callbacks"}
LEAF = re.compile(r"_.*_|num_workers|pin_memory|persistent_workers|prefetch_factor|(.*_)?(dir|dirpath|root|path)")
# Other words that name these are in any text on optimization
ORDINARY = {"paper", "default", "step", "from_torch", "none", "null"}


@dataclass
class Value:
    """A setting of an experiment, and what its comment says of it."""

    file: str
    line: int
    key: str
    value: Any
    source: str
    kind: str = ""  # paper, code, assumed, elsewhere, or none
    alternatives: list = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    group: bool = False  # an entry of the defaults list
    inherited: bool = False  # the comment is that of a mapping around it


# Reading


def _comments(text: str) -> dict[int, str]:
    """The comment that follows on a line, by the line's index; what scanning leaves between two tokens is comments."""
    found, alone, end = {}, {}, 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        gap, start = text[end : token.start_mark.index], end
        end = max(end, token.end_mark.index)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            header = text[token.start_mark.index : end].splitlines()[0]
            gap, start = gap + header, start  # the token has taken the comment after its indicator with it
        at = 0
        for piece in gap.splitlines(keepends=True):
            mark = piece.find("#")
            if mark >= 0:
                index = start + at + mark
                line, column = text.count("\n", 0, index), index - text.rfind("\n", 0, index) - 1
                own_line = not text[index - column : index].strip()
                (alone if own_line else found)[line] = (column, piece[mark:].lstrip("#").strip())
            at += len(piece)
    joined = {}
    for line, (column, comment) in found.items():
        following = line + 1
        while following in alone and alone[following][0] == column:
            comment, following = f"{comment} {alone[following][1]}", following + 1
        joined[line] = comment
    return joined


def _last_line(node: yaml.Node) -> int:
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return node.start_mark.line
    return node.end_mark.line


def _walk(node: yaml.Node, data: dict, comments: dict, prefix: str = "", above: str = "") -> Iterator[tuple]:
    """Key, line, value, comment and whether that is of a mapping around, for each leaf; a list is a leaf."""
    data = {str(key): value for key, value in data.items()}
    for name, child in node.value:
        if name.value not in data:
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
            yield key, first, value, own or above, bool(above) and not own


def _entry(item: yaml.Node) -> tuple[str, Any] | None:
    """Group and option of an entry of the defaults list: ``("experiment", "paper")`` for ``- paper``."""
    if isinstance(item, yaml.ScalarNode):
        group, _, option = item.value.strip().rpartition("/")
        return (group or "."), option
    (name, option), *_ = item.value
    group = name.value.replace("override ", "").replace("optional ", "").strip()
    option = OmegaConf.to_container(OmegaConf.create({"option": yaml.safe_load(yaml.serialize(option))}))["option"]
    return group, option


@functools.cache
def _file(path: Path, group: str) -> tuple[Value, ...]:
    """The values of a file and of those it inherits, unjudged."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return ()
    data = OmegaConf.to_container(OmegaConf.load(path))
    name, comments = path.relative_to(ROOT).as_posix(), _comments(text)
    own = []
    inherited, after = [], []
    into = inherited
    for key, child in root.value:
        for item in child.value if key.value == "defaults" else []:
            of, option = _entry(item)
            if of == "." and option == "_self_":
                into = after
                continue
            of = f"{group}/{of}" if not of.startswith(("/", ".")) and not isinstance(item, yaml.MappingNode) else of
            other = ROOT / "configs" / (group if of == "." else of.strip("/")) / f"{option}.yaml"
            if of in (".", f"/{group}") or of.startswith(f"{group}/"):
                if other.exists():
                    into += _file(other, group)
                continue
            line = item.start_mark.line
            comment = comments.get(_last_line(item), "")
            own.append(Value(name, line + 1, of.strip("/"), option, comment, group=True))
    data.pop("defaults", None)
    for key, line, value, comment, above in _walk(root, data, comments):
        own.append(Value(name, line + 1, key, value, comment, inherited=above))
    found = {}
    for value in [*inherited, *own, *after]:
        for key in [key for key in found if key == value.key or f"{key}.".startswith(f"{value.key}.")]:
            if not found[key].group or value.group:
                del found[key]
        found[value.key + ("/" if value.group else "")] = value
    return tuple(found.values())


# Judging


def _decides(value: Value) -> bool:
    """Whether it is a hyperparameter: decides the result, and is no mere reference to another setting."""
    room, _, rest = value.key.replace("/", ".").partition(".")
    if room in NO_HYPERPARAMETERS or rest in NONE_OF.get(room, ()) or (value.group and room == "trainer"):
        return False
    return not LEAF.fullmatch(value.key.rpartition(".")[2]) and not (
        isinstance(value.value, str) and "${" in value.value
    )


def _kind(source: str) -> str:
    if "TODO(paper)" in source:
        return ""
    if re.match(r"assumed\b", source, re.IGNORECASE):
        return "assumed"
    return next((kind for kind, form in SOURCES.items() if re.match(form, source, _flags(kind))), "")


def _flags(kind: str) -> int:
    return 0 if kind == "elsewhere" else re.IGNORECASE


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "configs" / group.split("@")[0]).glob("*.yaml"))


def _alternatives(value: Value) -> tuple[str, list, str | None]:
    """The reason of an assumed value, its alternatives, and what is wrong with them."""
    said = re.sub(r"^assumed\b[\s:,;.–—-]*", "", value.source, flags=re.IGNORECASE).rstrip(" .")
    if not said.endswith("}"):
        return (
            said,
            [],
            "its alternatives cannot be read: } is missing" if re.search(r"(^|[;:,.]\s*)\{[^}]*$", said) else None,
        )
    depth, start = 0, None
    for start in range(len(said) - 1, -1, -1):
        depth += {"}": 1, "{": -1}.get(said[start], 0)
        if depth == 0:
            break
    reason, inside = said[:start].rstrip(" ;,:"), said[start + 1 : -1]
    wrong = f"its alternatives cannot be read: {said[start:]}"
    if depth:
        return reason, [], wrong
    if value.inherited:
        return reason, [], "alternatives stand on the line of the value, not of the mapping around it"
    try:
        found = OmegaConf.to_container(OmegaConf.create(f"[{inside}]"))
    except Exception:  # of yaml or of OmegaConf
        return reason, [], wrong
    if any(one in ("…", "...") for one in found):  # and so on
        return reason, [], None
    number = type(value.value) in (int, float)
    if not found or any(number and isinstance(one, str | bool | list | dict) for one in found):
        return reason, [], wrong
    if value.group and (unknown := [one for one in found if one not in [*_options(value.key), None]]):
        return reason, [], f"configs/{value.key} has no {unknown[0]}: {', '.join(_options(value.key))}"
    others = [one for n, one in enumerate(found) if one not in found[:n] and not _same(one, value.value)]
    return reason, others, None if others else "its alternatives contain nothing but the value itself"


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _names(option: str, quote: str) -> bool:
    """Whether a quote names an option: ``inverse_sqrt`` is named by "inverse square root"."""
    quote = re.sub(r"linear(ly)?[\s-]+(learning[\s-]rate[\s-]+)?warm", "warm", quote, flags=re.IGNORECASE)
    return bool(re.search(rf"\b{option.replace('_', '[ _-]*')}\b", quote, re.IGNORECASE))


def _judge(value: Value) -> None:
    """Fill in what kind of source a value has, and its problems."""
    source, text = value.source, paper_text()
    value.kind = _kind(source)
    say = value.problems.append
    if not value.kind:
        if _decides(value):
            if not source or "TODO(paper)" in source:
                say("no source: where does the paper state it?")
            else:
                say(f"“{source}” is no known form of a source: {FORMS}")
        return
    if value.kind == "assumed":
        reason, value.alternatives, wrong = _alternatives(value)
        if not re.search(r"\w", reason):
            say("assumed without a reason: # assumed: why")
        if wrong:
            say(wrong)
        return
    quoted = quotes(source)
    if value.group and quoted and isinstance(value.value, str) and value.value not in ORDINARY:
        words = " ".join(quoted)
        first = value.value.split("_")[0]
        others = [option for option in _options(value.key) if option not in ORDINARY | {value.value}]
        named = [option for option in others if _names(option, words)]
        if named and not _names(value.value, words) and not ("_" in value.value and first in words.lower()):
            say(f"{value.value}, but the quote names {', '.join(named)}")
    elif different := differs(value.value, quoted):
        what = f"{', '.join(map(str, different))} of {value.value}" if isinstance(value.value, list) else value.value
        say(f"{what} is not what is quoted: “{'” “'.join(quoted)}”")
    if value.kind != "paper" or text is None:
        return
    masked = QUOTE.sub(lambda quote: "\0" * len(quote[0]), source)
    ours = re.split(r"\bcode\b|https?://|\bet al\b|\bassumed\b", masked)[0]  # what is said of the paper itself
    for quote in quotes(source[: len(ours)]):
        if not stands_in(quote, text):
            say(f"the paper does not say “{quote}”")
    for kind, label in places(ours):
        if not has_place(kind, label, text):
            say(f"the paper has no {kind} {f'({label})' if kind == 'Equation' else label}")


def values(experiment: str) -> list[Value]:
    """The settings of an experiment, inherited ones first, each with its source and what is wrong with it."""
    found = []
    for value in _file(ROOT / "configs" / "experiment" / f"{experiment}.yaml", "experiment"):
        value = replace(value, problems=[])
        _judge(value)
        if _decides(value) or value.kind:
            found.append(value)
    return found


# Comparing with what is composed


def _compose(*overrides: str) -> tuple[dict, dict]:
    """The settings as they are written, with their interpolations, and the options chosen of each group."""
    with hydra.initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        cfg = hydra.compose("train", list(overrides), return_hydra_config=True)
    settings = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    return OmegaConf.to_container(settings), OmegaConf.to_container(cfg.hydra.runtime.choices)


def unstated(experiment: str) -> list[str]:
    """What decides the result and is stated nowhere: its value is that of a group's file, and has no source there."""
    path = ROOT / "configs" / "experiment" / f"{experiment}.yaml"
    stated = {value.key for value in _file(path, "experiment") if not value.group}
    _, choices = _compose(f"experiment={experiment}")
    found = []
    for group, option in [*choices.items(), ("", "train")]:
        folder, _, package = group.partition("@")
        path, prefix = ROOT / "configs" / folder / f"{option}.yaml", (package or folder).replace("/", ".")
        if folder.split("/")[0] in NO_HYPERPARAMETERS | {"trainer"} or not path.exists():
            continue
        for value in _file(path, folder):
            key = f"{prefix}.{value.key}".lstrip(".")
            around = {key[: end.start()] for end in re.finditer(r"\.|$", key)}
            if (
                value.group
                or around & stated
                or _kind(value.source)
                or (not group and not key.startswith("procedure."))
            ):
                continue
            if _decides(replace(value, key=key)):
                found.append(f"{key} ({value.file}:{value.line})")
    return found


def overridden(experiment: str) -> list[str]:
    """The presets that change what an experiment states in a run that still bears its name."""
    settings, choices = _compose(f"experiment={experiment}")
    stated = [value for value in values(experiment) if _decides(value)]
    found = []
    for group in ("debug", "trainer"):
        for option in _options(group):
            others, chosen = _compose(f"experiment={experiment}", f"{group}={option}")
            if others["name"] != settings["name"]:
                continue
            for value in stated:
                before, now = (
                    (of.get(value.key) for of in (choices, chosen))
                    if value.group
                    else (_select(of, value.key) for of in (settings, others))
                )
                if now != before:
                    where = f"{value.file}:{value.line}"
                    found.append(f"{group}={option}: {value.key} is {now}, not {value.value} ({where})")
    return found


def _select(settings: dict, key: str) -> Any:
    return functools.reduce(
        lambda node, name: node.get(name) if isinstance(node, dict) else None, key.split("."), settings
    )
