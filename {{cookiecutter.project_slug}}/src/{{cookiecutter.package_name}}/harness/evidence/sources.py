"""Where each hyperparameter comes from, by the comment beside it, and what is wrong with that source."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml
from omegaconf import OmegaConf

from ..identity import CONFIGS, NOT_IDENTITY, NOT_IDENTITY_OF
from .citations import OTHER_PAPER, cited_parts
from .comments import Value, read_items, read_values
from .paper import QUOTE, differing_numbers, has_place, has_quote, paper_text
from .record import parsed
from .targets import read_targets

EXPERIMENTS = CONFIGS / "experiment"
FORMS = (
    '# Section 5.3 · # Table 3: "a quote" · # official code, train.py:41 · # https://… · # author, e-mail 2024-05-01 · '
    "# differs: Section 5.1 has 200; why · # assumed: why; {alternatives}"
)
# How a source of each kind begins. Otherwise, one that cites a part of the paper is "paper", and one that names another
# paper is "elsewhere".
KINDS = {
    "assumed": r"assumed\b",
    "differs": r"differs\b",
    "code": r"(?:see )?(?:the )?(?:official|original|released|reference|authors?['’]?s?) (?:code|documentation|implementation|repository)\b",
    "elsewhere": r"https?://|doi:|arxiv:|authors?\b|e-?mail\b|personal communication\b",
    "paper": r'["“§]|(?:sec|tab|fig|eqs?|alg|app|p)\. ?[\dA-Z(]|(?:abstract|appendix|introduction|conclusion|footnote)\b',
}
DIFFERS = re.compile(r"^differs\W*", re.IGNORECASE)  # then come what the paper has, and why ours differs
OPEN = re.compile(r"TODO\(paper\)|^proposed: ")  # a comment that is no source yet; read.py proposes
NO_HYPERPARAMETERS = NOT_IDENTITY | {"callbacks", "debug", "experiment", "sweep"}  # groups
NO_HYPERPARAMETER = re.compile(
    r"_.*_|.*_?(?:dir|dirpath|root|path)|enable_.*|log_every_n_steps|num_sanity_val_steps|inference_mode"
    r"|num_workers|(?:.*_)?seed|pin_memory|persistent_workers|prefetch_factor|(?:in|out)_(?:channels|features)|num_classes|sha256"
)
FILE = re.compile(r"\S+(?:/\S+\.[A-Za-z]\w*|\.(?:pth?|ckpt|safetensors|np[yz]|csv|json|txt))")  # its path or address
NO_SOURCE = {"trainer.max_epochs": [-1, None], "trainer.max_steps": [-1, None], "loss": [None], "metrics": [None]}
NO_SOURCE |= {"optimizer.nesterov": [False], "monitor.mode": ["min", "max"]}  # plain momentum; follows from the metric
# What a paper without an optimizer has no need to state
OF_OPTIMIZER = {"optimizer", "scheduler", "data.batch_size"}
OF_OPTIMIZER |= {"trainer.gradient_clip_val", "trainer.precision", "trainer.max_epochs"}
# Options whose names occur in any text about optimization, or that stand for an option with another name
COMMON_WORDS = {"paper", "default", "step", "linear", "constant", "from_torch"}


def _is_hyperparameter(value: Value) -> bool:
    """Whether a setting affects the result and does not merely refer to another setting."""
    group, _, rest = value.key.replace("/", ".").partition(".")
    if group in NO_HYPERPARAMETERS or rest in NOT_IDENTITY_OF.get(group, ()) or (value.group and group == "trainer"):
        return False
    known = NO_HYPERPARAMETER.fullmatch(value.key.rpartition(".")[2]) or FILE.fullmatch(str(value.value))
    return not known and "${" not in str(value.value)


def source_kind(source: str) -> str:
    """The kind of a source (see ``Value.kind``); empty if it has no known form."""
    if OPEN.search(source):
        return ""
    unquoted = QUOTE.sub('""', source)
    kinds = (kind for kind, form in KINDS.items() if re.match(form, unquoted, re.IGNORECASE))
    return next(kinds, "paper" if any(cited_parts(unquoted)) else "elsewhere" if OTHER_PAPER.search(unquoted) else "")


def _unused(experiment: str) -> set[str]:
    """The groups and settings that no run uses, such as those that the procedure's ``configure_optimizers`` ignores."""
    values = read_values(CONFIGS / "train.yaml") + read_values(EXPERIMENTS / f"{experiment}.yaml")
    stated = {value.key: value.value for value in values}
    path = CONFIGS.parent / "src" / f"{stated['procedure._target_'].rpartition('.')[0].replace('.', '/')}.py"
    tree = parsed(path) if path.is_file() else ast.Module([])
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    inherits = "configure_optimizers" not in names or "configure_optimizers" in used  # of super()
    found = set() if inherits else {"optimizer", "scheduler"} - used
    found |= OF_OPTIMIZER if stated["optimizer"] is None else set()
    last = stated["ckpt"] == "last" and stated["callbacks"] != "early_stopping"
    found |= {"trainer.check_val_every_n_epoch", "trainer.val_check_interval"} if last else set()
    return found | {"monitor"} if last or stated["monitor.metric"] is None else found


def needless(experiment: str) -> set[tuple[str, int]]:
    """File and line of each setting that no run of the experiment uses, so that nobody need state it."""
    values, unused = read_values(EXPERIMENTS / f"{experiment}.yaml"), _unused(experiment)
    return {(value.file, value.line) for value in values if unused & {value.key, value.key.split(".")[0]}}


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group.partition("@")[0]).glob("*.yaml"))


def _read_assumption(value: Value) -> None:
    """Fill in the alternatives of an assumed value, and the problems with them and with the reason."""
    # {1, 2, …} with an ellipsis is not a list of alternatives
    form = r"(?i:assumed)(.*?)(?:\{([^{}…]*)\}\W*(?:not run:\s*(.+))?)?"
    reason, inside, not_run = re.fullmatch(form, value.source).groups()
    value.not_run = not_run or ""
    if not re.search(r"\w", reason):
        value.problems.append("assumed without a reason. Write, for example: # assumed: not stated")
    if inside is None:
        return
    try:
        others = [one for one in OmegaConf.to_container(OmegaConf.create(f"[{inside}]")) if one != value.value]
    except yaml.YAMLError:
        others = []
    unknown = [one for one in others if value.group and one not in [*_options(value.key), None]]
    if not others or (type(value.value) in (int, float) and any(isinstance(one, str) for one in others)):
        value.problems.append(f"the alternatives {{{inside}}} hold no other value of the same kind: leave them out")
    elif unknown:
        options = ", ".join(_options(value.key))
        value.problems.append(f"the alternatives name {unknown[0]}, but configs/{value.key} has {options}")
    else:
        value.alternatives = others


def _compare(value: Value) -> None:
    """Compare a value with its quotes, and its source with the paper."""
    quoted = QUOTE.findall(value.source)
    if value.kind == "differs":
        if not source_kind(DIFFERS.sub("", value.source)):
            value.problems.append("differs from what? Name the place: # differs: Section 5.1 has 200; ours is slow")
    elif value.group:
        words = re.findall("[a-z]+", " ".join(quoted).lower())
        named = [one for one in _options(value.key) if any(part in words for part in one.split("_"))]
        others = [one for one in named if one not in COMMON_WORDS]
        if others and value.value not in [*named, "paper", "from_torch"]:
            value.problems.append(f"{value.value}, but the quote names {', '.join(others)}")
    elif different := differing_numbers(value.value, quoted):
        what = f"{', '.join(map(str, different))} of {value.value}" if isinstance(value.value, list) else value.value
        value.problems.append(f"{what} is not in the quote “{'” “'.join(quoted)}”. Name its place without a quote")
    text, _ = paper_text()
    if value.kind in ("paper", "differs") and text:
        ours = re.split(r"\bcode\b|https?://|\bet al\b", value.source)[0]  # the part about the paper itself
        quotes, places = QUOTE.findall(ours), [place for _, place in cited_parts(QUOTE.sub('""', ours))]
        value.problems += [f"the paper does not say “{quote}”" for quote in quotes if not has_quote(quote, text)]
        value.problems += [f"the paper has no {place}" for place in places if not has_place(place, text)]


def _check(value: Value) -> Value:
    """Fill in the kind of a value's source, and its problems."""
    value.kind = source_kind(value.source)
    if value.kind:
        (_read_assumption if value.kind == "assumed" else _compare)(value)
    elif value.source and not OPEN.search(value.source):
        value.problems.append(f"“{value.source}” is not a known form of a source: {FORMS}")
    else:
        value.problems.append("no source: where does the paper state it?")
    return value


def experiment_values(experiment: str) -> list[Value]:
    """The settings of an experiment, inherited ones first, each with its source and the problems with it."""
    found, unused = read_values(EXPERIMENTS / f"{experiment}.yaml"), needless(experiment)
    found = [value for value in found if value.value not in NO_SOURCE.get(value.key, [])]
    return [
        _check(value)
        for value in [*found, *(value for value in _inherited(experiment) if source_kind(value.source))]
        if source_kind(value.source) or (_is_hyperparameter(value) and (value.file, value.line) not in unused)
    ]


def target_values() -> Iterator[Value]:
    """The paper's values in ``configs/paper.yaml``, and data and seeds that differ from the paper's, with sources checked."""
    path = CONFIGS / "paper.yaml"
    common = {value.key: value for value in read_values(path)}
    if "seeds" in common and source_kind(common["seeds"].source) == "differs":
        yield _check(common["seeds"])
    for target, own in zip(read_targets(OmegaConf.load(path)), read_items(path, "targets"), strict=True):
        for key in ("value", "dataset"):
            value = own.get(key) or common.get(f"target_defaults.{key}")
            stated = key == "value" and target.value is not None and target.stated_by == "paper"
            if stated or (key == "dataset" and value and source_kind(value.source) == "differs"):
                name = f"{target.row} {target.metric}" if stated else f"data of {target.row}"
                yield _check(replace(value, key=name, problems=[]))


def override(value: Value, alternative: Any) -> str:
    """The override that sets an alternative of a value, in JSON, which Hydra reads."""
    return f"{value.key}={alternative if value.group else json.dumps(alternative, separators=(',', ':'))}"


def _inherited(experiment: str) -> Iterator[Value]:
    """The hyperparameters that an experiment takes from the files of its groups and does not set itself."""
    own = read_values(EXPERIMENTS / f"{experiment}.yaml")
    stated = [value.key for value in own if not value.group]
    choices = {value.key: value.value for value in read_values(CONFIGS / "train.yaml") + own if value.group}
    for group, option in [*choices.items(), ("", "train")]:
        folder, _, package = group.partition("@")
        path = CONFIGS / folder / f"{option}.yaml"
        if folder.split("/")[0] in NO_HYPERPARAMETERS | {"trainer"} or not path.exists():
            continue
        for value in read_values(path):
            value.key = f"{(package or folder).replace('/', '.')}.{value.key}".lstrip(".")
            is_set = any(f"{value.key}.".startswith(f"{key}.") for key in stated)
            known = not value.group and (group or value.key.startswith("procedure."))
            if known and not is_set and _is_hyperparameter(value) and value.value not in NO_SOURCE.get(value.key, []):
                yield value


def values_without_source(experiment: str) -> list[str]:
    """The hyperparameters that an experiment inherits from group files and that have no source anywhere."""
    unused, follow = _unused(experiment), {"scheduler.interval", "scheduler.frequency"}  # from the schedule's name
    return [
        f"{value.key} ({value.file}:{value.line})"
        for value in _inherited(experiment)
        if not source_kind(value.source) and value.key not in follow and value.key.split(".")[0] not in unused
    ]
