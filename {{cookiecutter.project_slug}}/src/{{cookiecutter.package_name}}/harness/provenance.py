"""Where each hyperparameter comes from: its source, as the comment beside it says, and what is wrong with that."""

import functools
import re
from dataclasses import replace
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from .annotations import CONFIGS, Value, read_values
from .quotes import QUOTE, differs, has_place, paper_text, paper_trouble, places, quotes, stands_in
from .settings import _NOT_IDENTITY, _NOT_IDENTITY_OF

__all__ = ["Value", "overridden", "paper_text", "paper_trouble", "unstated", "values"]

FORMS = (
    '# Section 5.3 · # Table 3: "a quote" · # official code, train.py:41 · # https://… · # author, e-mail 2024-05-01 · '
    "# assumed: why; {alternatives}"
)
_AS = r"(?:(?:as|see|in|from|following|cf\.?|the)\s+)*"
_CITED = r"(?:(?:van|von|de|den|der|di|la|le) )*[A-Z][\w'’-]+(?:,? (?:and |& )?[A-Z][\w'’.-]*)*(?: et al\b|,? \(?(?:19|20)\d\d[a-z]?\b)"  # Kingma & Ba (2015)
SOURCES = [
    ("assumed", r"(?i)assumed\b"),
    (
        "code",
        rf"(?i){_AS}(?:(?:official|original|released|reference) (?:code|implementation|repository)|authors?['’]?s?['’]? code)\b",
    ),
    ("elsewhere", rf"{_AS}[^:\"“]* (?:of|in) {_CITED}"),  # Table 3 of another paper
    (
        "paper",
        rf"(?i){_AS}(?:sections?|sect?s?\.?|§+|appendi(?:x|ces)|app\.|tab(?:les?|\.)|fig(?:ures?|s?\.?)"
        r"|eq(?:uations?|ns?|s?\.?)|alg(?:orithms?|\.)|abstract|introduction|conclusion|supplement\w*|footnote|theorem"
        r"|lemma|proposition|definition|corollary|remark|example|listing|chapter|pages?|p\.|caption)(?![a-z])|[\"“«]",
    ),
    ("elsewhere", r"(?i)https?://|doi:|arxiv:|(?:personal communication|e-?mail|openreview|authors?)\b"),
    ("elsewhere", rf"{_AS}{_CITED}"),
]
# What decides nothing, beside what is no part of a run's identity
NO_HYPERPARAMETERS = _NOT_IDENTITY | {"callbacks", "debug", "experiment", "sweep"}
NONE_OF_TRAINER = _NOT_IDENTITY_OF["trainer"] | {"log_every_n_steps", "num_sanity_val_steps", "inference_mode"}
NONE_OF_TRAINER |= {"enable_model_summary", "enable_checkpointing", "barebones", "plugins", "logger", "callbacks"}
NONE_OF = {**_NOT_IDENTITY_OF, "trainer": NONE_OF_TRAINER}
LEAF = re.compile(r"_.*_|num_workers|pin_memory|persistent_workers|prefetch_factor|(.*_)?(dir|dirpath|root|path)")
# Other words that name these are in any text on optimization
ORDINARY = {"paper", "default", "step", "from_torch", "none", "null"}


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
    return next((kind for kind, form in SOURCES if re.match(form, source)), "")


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group.split("@")[0]).glob("*.yaml"))


def _alternatives(value: Value) -> tuple[str, list, str | None]:
    """The reason of an assumed value, its alternatives, and what is wrong with them."""
    said = re.sub(r"^assumed\b[\s:,;.–—-]*", "", value.source, flags=re.IGNORECASE).rstrip(" .")
    if not said.endswith("}"):
        open_ended = re.search(r"(?:^|[;:,.]\s*)(\{[^}]*)$", said)
        return said, [], open_ended and f"its alternatives cannot be read, for }} is missing: {open_ended[1]}"
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
    for value in read_values(CONFIGS / "experiment" / f"{experiment}.yaml"):
        value = replace(value, problems=[])
        _judge(value)
        if _decides(value) or value.kind:
            found.append(value)
    return found


def override(value: Value, alternative: Any) -> str:
    """An alternative of a value as it is written on the command line."""

    def spelled(item: Any) -> str:
        if isinstance(item, list):
            return f"[{','.join(map(spelled, item))}]"
        if isinstance(item, dict):
            return f"{{{','.join(f'{key}:{spelled(inner)}' for key, inner in item.items())}}}"
        if isinstance(item, str):
            escaped = item.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
        return "null" if item is None else str(item).lower()

    return f"{value.key}={alternative if value.group else spelled(alternative)}"


# Comparing with what is composed


@functools.cache
def _compose(*overrides: str) -> tuple[dict, dict]:
    """The settings as they are written, with their interpolations, and the options chosen of each group."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        cfg = hydra.compose("train", list(overrides), return_hydra_config=True)
    settings = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    return OmegaConf.to_container(settings), OmegaConf.to_container(cfg.hydra.runtime.choices)


def unstated(experiment: str) -> list[str]:
    """What decides the result and is stated nowhere: its value is that of a group's file, and has no source there."""
    stated = {value.key for value in read_values(CONFIGS / "experiment" / f"{experiment}.yaml") if not value.group}
    _, choices = _compose(f"experiment={experiment}")
    found = []
    for group, option in [*choices.items(), ("", "train")]:
        folder, _, package = group.partition("@")
        path, prefix = CONFIGS / folder / f"{option}.yaml", (package or folder).replace("/", ".")
        if folder.split("/")[0] in NO_HYPERPARAMETERS | {"trainer"} or not path.exists():
            continue
        for value in read_values(path):
            key = f"{prefix}.{value.key}".lstrip(".")
            if key in ("scheduler.interval", "scheduler.frequency"):  # what the schedule of that name is
                continue
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
            try:
                others, chosen = _compose(f"experiment={experiment}", f"{group}={option}")
            except HydraException as error:
                found.append(f"{group}={option} does not compose: {str(error).splitlines()[0]}")
                continue
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
