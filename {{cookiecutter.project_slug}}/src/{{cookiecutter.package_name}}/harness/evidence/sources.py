"""Where each hyperparameter comes from: its source, as the comment beside it says, and what is wrong with that."""

import json
import re
from typing import Any

import hydra
import yaml
from omegaconf import OmegaConf

from ..identity import CONFIGS, NOT_IDENTITY, NOT_IDENTITY_OF, flat
from .citations import OTHER_PAPER, cited
from .comments import Value, read_items, read_values
from .paper import QUOTE, differs, has_place, paper_text, paper_trouble, stands_in

__all__ = ["Value", "claimed", "overridden", "override", "paper_text", "paper_trouble", "unstated", "values"]

CHOICE = "hydra.runtime.choices."  # where Hydra keeps which option of a group was chosen
FORMS = (
    '# Section 5.3 · # Table 3: "a quote" · # official code, train.py:41 · # https://… · # author, e-mail 2024-05-01 · '
    "# assumed: why; {alternatives}"
)
# How a source of each kind begins. What cites a part of the paper is of it, and what names another is from elsewhere
KINDS = {
    "assumed": r"assumed\b",
    "code": r"(?:see )?(?:the )?(?:official|original|released|reference|authors?['’]?s?) (?:code|documentation|implementation|repository)\b",
    "elsewhere": r"https?://|doi:|arxiv:|authors?\b|e-?mail\b|personal communication\b",
    "paper": r'["“§]|(?:sec|tab|fig|eqs?|alg|app|p)\. ?[\dA-Z(]|(?:abstract|appendix|introduction|conclusion|footnote)\b',
}
# What decides nothing, beside what is no part of a run's identity
NO_ROOMS = NOT_IDENTITY | {"callbacks", "debug", "experiment", "sweep"}
NO_HYPERPARAMETER = re.compile(
    r"_.*_|.*_?(?:dir|dirpath|root|path)|enable_.*|log_every_n_steps|num_sanity_val_steps|inference_mode"
    r"|num_workers|pin_memory|persistent_workers|prefetch_factor"
)
# Options whose names are in any text on optimization, or stand for what has another
ORDINARY = {"paper", "default", "step", "linear", "constant", "from_torch"}


def _decides(value: Value) -> bool:
    """Whether it is a hyperparameter: decides the result, and is no mere reference to another setting."""
    room, _, rest = value.key.replace("/", ".").partition(".")
    if room in NO_ROOMS or rest in NOT_IDENTITY_OF.get(room, ()) or (value.group and room == "trainer"):
        return False
    if value.key == "monitor.metric" and value.value is None:  # nothing chooses
        return False
    return not NO_HYPERPARAMETER.fullmatch(value.key.rpartition(".")[2]) and "${" not in str(value.value)


def _kind(source: str) -> str:
    if "TODO(paper)" in source:
        return ""
    said = QUOTE.sub('""', source)
    begun = (kind for kind, form in KINDS.items() if re.match(form, said, re.IGNORECASE))
    return next(begun, "paper" if any(cited(said)) else "elsewhere" if OTHER_PAPER.search(said) else "")


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group.partition("@")[0]).glob("*.yaml"))


def _read_assumed(value: Value) -> None:
    """Fill in the alternatives of an assumed value, and what is wrong with its reason and with them."""
    say = value.problems.append
    # {1, 2, …} are no alternatives, but an example
    reason, inside = re.fullmatch(r"(?i:assumed)(.*?)(?:\{([^{}…]*)\}\W*)?", value.source).groups()
    if not re.search(r"\w", reason):
        say("assumed without a reason: # assumed: why")
    if inside is None:
        return
    try:
        others = [one for one in OmegaConf.to_container(OmegaConf.create(f"[{inside}]")) if one != value.value]
    except yaml.YAMLError:
        others = []
    if not others or (type(value.value) in (int, float) and any(isinstance(one, str) for one in others)):
        say(f"its alternatives are no other values of its kind: {{{inside}}}")
    elif value.group and (unknown := [one for one in others if one not in [*_options(value.key), None]]):
        say(f"its alternatives: configs/{value.key} has no {unknown[0]}, but {', '.join(_options(value.key))}")
    else:
        value.alternatives = others


def _compare(value: Value) -> None:
    """Compare a value with what is quoted, and its source with the paper."""
    say, quoted = value.problems.append, QUOTE.findall(value.source)
    if value.group:
        words = re.findall("[a-z]+", " ".join(quoted).lower())
        named = [one for one in _options(value.key) if any(part in words for part in one.split("_"))]
        others = [one for one in named if one not in ORDINARY]
        if others and value.value not in [*named, "paper", "from_torch"]:
            say(f"{value.value}, but the quote names {', '.join(others)}")
    elif different := differs(value.value, quoted):
        what = f"{', '.join(map(str, different))} of {value.value}" if isinstance(value.value, list) else value.value
        say(f"{what} is not what is quoted: “{'” “'.join(quoted)}”")
    if value.kind == "paper" and (text := paper_text()):
        ours = re.split(r"\bcode\b|https?://|\bet al\b", value.source)[0]  # what is said of the paper itself
        for quote in QUOTE.findall(ours):
            if not stands_in(quote, text):
                say(f"the paper does not say “{quote}”")
        for _, place in cited(QUOTE.sub('""', ours)):
            if not has_place(place, text):
                say(f"the paper has no {place}")


def _judge(value: Value) -> Value:
    """Fill in what kind of source a value has, and what is wrong with it."""
    value.kind = _kind(value.source)
    if value.kind:
        (_read_assumed if value.kind == "assumed" else _compare)(value)
    elif value.source and "TODO(paper)" not in value.source:
        value.problems.append(f"“{value.source}” is no known form of a source: {FORMS}")
    else:
        value.problems.append("no source: where does the paper state it?")
    return value


def values(experiment: str) -> list[Value]:
    """The settings of an experiment, inherited ones first, each with its source and what is wrong with it."""
    found = read_values(CONFIGS / "experiment" / f"{experiment}.yaml")
    return [_judge(value) for value in found if _kind(value.source) or _decides(value)]


def claimed() -> list[Value]:
    """The values that the paper reports, of ``configs/paper.yaml``, each with its source and what is wrong with it."""
    return [
        _judge(value) for value in read_items(CONFIGS / "paper.yaml", "targets", "value") if value.value is not None
    ]


def override(value: Value, alternative: Any) -> str:
    """An alternative of a value as it is written on the command line; Hydra reads JSON."""
    return f"{value.key}={alternative if value.group else json.dumps(alternative, separators=(',', ':'))}"


def _compose(*overrides: str) -> dict[str, Any]:
    """The settings as they are written, with their interpolations, by key."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return flat(OmegaConf.to_container(hydra.compose("train", list(overrides), return_hydra_config=True)))


def unstated(experiment: str) -> list[str]:
    """What decides the result and is stated nowhere: its value is that of a group's file, and has no source there."""
    stated = [value.key for value in read_values(CONFIGS / "experiment" / f"{experiment}.yaml") if not value.group]
    stated += ["scheduler.interval", "scheduler.frequency"]  # what the schedule of that name is
    found = []
    settings = _compose(f"experiment={experiment}")
    for group, option in [*((key, settings[key]) for key in settings if key.startswith(CHOICE)), ("", "train")]:
        folder, _, package = group.removeprefix(CHOICE).partition("@")
        path = CONFIGS / folder / f"{option}.yaml"
        if folder.split("/")[0] in NO_ROOMS | {"trainer"} or not path.exists():
            continue
        for value in read_values(path):
            value.key = f"{(package or folder).replace('/', '.')}.{value.key}".lstrip(".")
            known = _kind(value.source) or any(f"{value.key}.".startswith(f"{key}.") for key in stated)
            asked = not value.group and (group or value.key.startswith("procedure."))
            if asked and not known and _decides(value):
                found.append(f"{value.key} ({value.file}:{value.line})")
    return found


def overridden(experiment: str) -> list[str]:
    """The presets that change what an experiment states in a run that still bears its name."""
    before, found = _compose(f"experiment={experiment}"), []
    stated = {(CHOICE if value.group else "") + value.key: value for value in values(experiment) if _decides(value)}
    for preset in (f"{group}={option}" for group in ("debug", "trainer") for option in _options(group)):
        now = _compose(f"experiment={experiment}", preset)
        for key, value in stated.items() if now["name"] == before["name"] else []:
            if now.get(key) != before.get(key):
                where = f"{value.file}:{value.line}"
                found.append(f"{preset}: {value.key} is {now.get(key)}, not {value.value} ({where})")
    return found
