"""What in ours is what in a reference: their weights, the calls of their modules, and where outputs begin to differ."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Part = tuple[int, int, int]  # of something fused: where it begins, how long it is, and how long the whole


class Rule(NamedTuple):
    """Which weights of the reference become which of ours; a plain tuple does as well.

        ("fc.*", "classifier.2.*")                                     other names
        ("h.*.c_attn.*", [f"blocks.*.{p}.*" for p in "qkv"], torch.t)  one into three, transposed: GPT-2's Conv1D
        (["query.*", "key.*"], "query_and_key.*")                      two into one
        ("mask", None), (None, "table")                                left unused; ours keeps what it has

    ``*`` stands for one part of a name, ``**`` for several, and for the same on both sides. A weight goes by the first
    rule that fits. Fused weights lie one after the other along the first dimension, once they are transformed.

    Args:
        theirs: a name, or several in their order.
        ours: a name, or several in their order.
        transform: of each of theirs; ``torch.t`` transposes matrices and leaves biases alone.
    """

    theirs: str | list[str] | None
    ours: str | list[str] | None
    transform: Callable[[Tensor], Tensor] = lambda weight: weight


class Weights:
    """Which weights of the reference are which of ours; sets ours to them.

    Args:
        ours: our model.
        theirs: the reference's weights by name.
        rules: as of ``Reference``.

    Raises:
        ValueError: weights of ours that nothing sets, of theirs that nothing uses, or that do not fit; all at once.
    """

    def __init__(self, ours: nn.Module, theirs: dict[str, Tensor], rules: list[Rule] | None):
        self.ours, self.theirs, self.unequal = weights_of(ours), theirs, {}
        links, problems = (_in_order(self.ours, theirs), []) if rules is None else _by_rule(rules, self.ours, theirs)
        self.links = [link for link in links if link.theirs and link.ours]
        for link in self.links:
            try:
                dealt = _deal(link, theirs, self.ours)
                fits = all(weight.shape == self.ours[name].shape for name, weight in dealt.items())
            except (RuntimeError, IndexError):  # of torch.cat and split
                fits = False
            if not fits:
                pair = f"{_shapes(link.theirs, theirs)} → {_shapes(link.ours, self.ours)}"
                problems.append(f"the shapes do not fit, is it transposed or fused? {pair}")
        for whose, weights, named in (
            ("of ours, nothing sets", self.ours, {name for link in links for name in link.ours}),
            ("of the reference, nothing uses", theirs, {name for link in links for name in link.theirs}),
        ):
            if left := [name for name in weights if name not in named]:
                problems.append(f"{whose} {_shapes(left, weights)}")
        if problems:
            raise ValueError("Weights cannot be carried over; rules= says how.\n  " + "\n  ".join(problems))
        self._carry(ours, rules)

    def _carry(self, model: nn.Module, rules: list[Rule] | None) -> None:
        carried = self.translate(self.theirs)
        different = {name for name, w in carried.items() if not torch.equal(self.ours[name], w.to(self.ours[name]))}
        drawn = {name for name, w in carried.items() if w.numel() > 1 and w.min() != w.max()}  # not all 0 or all 1
        if rules is None and len(different & drawn) < len(drawn) / 2:
            numbers = [name for name in different if carried[name].is_floating_point()]  # no counters, no masks
            self.unequal = {name: _difference(self.ours[name], carried[name])[0] for name in numbers}
            self.told = f"weights: {len(carried) - len(different)} of {len(carried)} equal already, none changed"
            return
        if carried:
            model.load_state_dict(carried, strict=False)
        now = weights_of(model)
        if tied := [name for name, w in carried.items() if not torch.equal(now[name], w.to(now[name]))]:
            raise ValueError(f"Weights that are one in ours and differ in the reference: {', '.join(tied)}")
        how = (
            "by rule"
            if rules is not None
            else "by name"
            if self.ours.keys() == self.theirs.keys()
            else "by order and shape"
        )
        self.told = f"weights: {len(carried)} carried over {how}"
        shapes = Counter(w.shape for w in carried.values())
        guessed = [
            link[:2] for link in self.links if shapes[carried[link.ours[0]].shape] > 1 and link.theirs != link.ours
        ]
        if rules is None and guessed:
            rows = Counter(_as_rules([(*theirs, *ours) for theirs, ours in guessed]))
            self.told += "; ambiguous, for their shape occurs again, as rules:\n"
            self.told += "\n".join(f"  {pair}," + f"  # {n} weights" * (n > 1) for pair, n in rows.items())

    def translate(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights or gradients of the reference as ours; what is no weight stays as it is."""
        found = {name: value for name, value in theirs.items() if name not in self.theirs}
        for link in self.links:
            if all(name in theirs for name in link.theirs):
                found |= _deal(link, theirs, self.ours)
        return found

    def behind(self, module: str) -> tuple[frozenset[str], Part | None]:
        """The reference's weights behind a module of ours, and where its rows begin, how many, and of how many."""
        names, parts = set(), set()
        for link in self.links:
            rows = [len(self.ours[name]) for name in link.ours] if len(link.ours) > 1 else []
            for i, name in enumerate(link.ours):
                if name.startswith(f"{module}."):
                    names |= set(link.theirs)
                    parts.add((sum(rows[:i]), rows[i], sum(rows)) if rows else None)
        return frozenset(names), parts.pop() if len(parts) == 1 else None


def weights_of(model: Any) -> dict[str, Tensor]:
    return {name: w.detach().clone() for name, w in model.state_dict().items()} if isinstance(model, nn.Module) else {}


def _in_order(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[Rule]:
    """By name where all names are equal, else the first of a shape with the first of that shape, and so on."""
    if ours.keys() == theirs.keys():
        return [Rule([name], [name]) for name in ours]
    left = defaultdict(list)
    for name, weight in theirs.items():
        left[weight.shape].append(name)
    return [Rule([left[w.shape].pop(0)], [name]) for name, w in ours.items() if left[w.shape]]


def _by_rule(rules: list[Rule], ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> tuple[list[Rule], list[str]]:
    """The rules with the names of weights for their patterns, and what is wrong with them."""
    links, problems, done = [], [], set()
    for rule in (Rule(*rule) for rule in rules):
        patterns = [[side] if isinstance(side, str) else list(side or []) for side in rule[:2]]
        which = 0 if patterns[0] else 1  # a rule of ours alone is looked up among ours
        regex = re.escape(patterns[which][0]).replace(r"\*\*", "(.+)").replace(r"\*", r"([^.]+)")
        found = [match for name in (theirs, ours)[which] if (match := re.fullmatch(regex, name))]
        fresh = [match for match in found if (which, match[0]) not in done]
        if not found:
            problems.append(f"the rule for {patterns[which][0]} finds no weight")
        for match in fresh:
            link = Rule(*([_filled(p, match) for p in side] for side in patterns), rule.transform)
            missing = [
                n for names, weights in zip(link[:2], (theirs, ours), strict=True) for n in names if n not in weights
            ]
            twice = [name for name in link.ours if (1, name) in done]
            if missing or twice:
                pair = f"{', '.join(link.theirs)} → {', '.join(link.ours)}"
                problems.append(
                    f"{pair}: {', '.join(missing or twice)} {'is set twice' if twice else 'does not exist'}"
                )
            else:
                links.append(link)
            done |= {(0, name) for name in link.theirs} | {(1, name) for name in link.ours}
    return links, problems


def _filled(pattern: str, match: re.Match) -> str:
    groups = iter(match.groups())
    return re.sub(r"\*+", lambda star: next(groups, star[0]), pattern)


def _as_rules(pairs: list[tuple[str, str]]) -> list[str]:
    """Pairs of names as they are written in rules, with a star for numbers if those are equal in all."""
    if all(re.findall(r"\d+", theirs) == re.findall(r"\d+", ours) for theirs, ours in pairs):
        pairs = [(re.sub(r"\d+", "*", theirs), re.sub(r"\d+", "*", ours)) for theirs, ours in pairs]
    return [f'("{theirs}", "{ours}")' for theirs, ours in pairs]


def _deal(link: Rule, theirs: dict[str, Tensor], ours: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = [link.transform(theirs[name]) for name in link.theirs]
    if len(link.ours) > 1 or len(parts) > 1:
        parts = torch.cat(parts).split([len(ours[name]) for name in link.ours])
    return dict(zip(link.ours, parts, strict=True))


def _shapes(names: list[str], weights: dict[str, Tensor]) -> str:
    """Names with shapes, those of equal layers together."""
    layers = defaultdict(list)
    for name in names:
        layers[re.sub(r"\d+", "*", name), tuple(weights[name].shape)].append(name)
    told = []
    for (pattern, shape), alike in layers.items():
        numbers = [".".join(re.findall(r"\d+", name)) for name in alike]
        if len(numbers) > 3:
            numbers = [numbers[0], "…", numbers[-1], f"({len(alike)} in all)"]
        told.append(f"{alike[0]} {shape}" if len(alike) == 1 else f"{pattern} {shape} for * = {' '.join(numbers)}")
    return ", ".join(told)


class Adapted(nn.Module):
    """A model or a loss that is called as ours is."""

    def __init__(self, part: Any, call: Callable | None = None):
        super().__init__()
        self.part, self.call = part, call

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(self.part, *args, **kwargs) if self.call else self.part(*args, **kwargs)


@dataclass
class Call:
    """One call of a module, what went in and what came out; the name of the model itself is empty."""

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    about: str = ""  # a module without modules in it, as it is printed

    def inside(self, other: "Call") -> bool:
        """Whether this module is a part of the other."""
        return self.name.startswith(f"{other.name}.")

    @property
    def idle(self) -> bool:
        """Whether it did nothing, as dropout in evaluation."""
        pairs = zip(self.inputs, self.outputs, strict=False)
        return bool(self.inputs) and all(one.shape == other.shape and torch.equal(one, other) for one, other in pairs)


@contextmanager
def traced(model: nn.Module) -> Iterator[list[Call]]:
    """The calls of all modules in the order in which they return: what a module calls stands before it."""
    part = model.part if isinstance(model, Adapted) else model
    inside = part.named_modules() if isinstance(part, nn.Module) else ()
    calls, entered, handles = [], [], []
    for name, module in [("", model), *((name, module) for name, module in inside if name)]:
        about = repr(module) if next(module.children(), None) is None else ""

        def enter(module, args, kwargs):
            entered.append(_tensors((args, kwargs)))

        def leave(module, args, output, name=name, about=about):
            calls.append(Call(name, entered.pop(), _tensors(output), about))

        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf.detach().clone() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]  # some work in place


class Row(NamedTuple):
    """Two tensors beside each other."""

    name: str
    ours: Tensor
    theirs: Tensor
    max: float
    mean: float
    scale: float
    allowed: float

    @property
    def differs(self) -> bool:
        return not self.max <= self.allowed  # nor is NaN equal


def compare(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float, relative: bool = True) -> list[Row]:
    """The differences by name; ``tolerance`` is a share of the tensor's largest value, unless that is next to nothing."""
    if len(ours) == len(theirs) == 1:  # whatever they are called
        theirs = dict(zip(ours, theirs.values(), strict=True))
    shared = [name for name in ours if name in theirs]
    if not shared or "output 1" in ours and ours.keys() != theirs.keys():
        raise ValueError(f"Ours has {', '.join(ours)}, the reference has {', '.join(theirs)}; call= can choose.")
    found = {name: _difference(ours[name], theirs[name]) for name in shared}
    most = max(scale for *_, scale in found.values()) or 1.0
    scales = {name: max(scale, 1e-3 * most) if relative else 1.0 for name, (*_, scale) in found.items()}
    return [
        Row(name, ours[name], theirs[name], *found[name][:2], scales[name], tolerance * scales[name]) for name in shared
    ]


def _difference(ours: Tensor, theirs: Tensor) -> tuple[float, float, float]:
    """Largest and mean difference, infinite between shapes, and the reference's largest value."""
    if ours.shape != theirs.shape:
        return math.inf, math.inf, 1.0
    if not ours.numel():
        return 0.0, 0.0, 0.0
    ours, theirs = (x.detach().cpu().to(torch.complex128 if x.is_complex() else torch.float64) for x in (ours, theirs))
    delta = torch.where(ours == theirs, 0, ours - theirs).abs()  # infinities may be equal
    return delta.max().item(), delta.mean().item(), theirs.abs().nan_to_num(0, 0).max().item()


def size(number: float) -> float:
    return math.inf if math.isnan(number) else number


def align(ours: list[Call], theirs: list[Call], weights: Weights) -> dict[int, tuple[int, Part | None]]:
    """Which call of the reference is which of ours, as numbers of calls, and which part of its output.

    Modules go by the weights behind them, from the innermost; modules without weights by their order between those,
    among as many of the same output shape. What does nothing, as dropout now, is left out.
    """
    places: list[dict[str, list[int]]] = [defaultdict(list), defaultdict(list)]
    for calls, numbers in zip((ours, theirs), places, strict=True):
        for number, call in enumerate(calls):
            numbers[call.name].append(number)
    used = {name for link in weights.links for name in link.theirs}
    modules: dict[frozenset[str], list[str]] = defaultdict(list)
    for name in filter(None, places[1]):
        modules[frozenset(weight for weight in used if weight.startswith(f"{name}."))].append(name)
    pairs = {i: (j, None) for i, j in zip(places[0][""], places[1][""], strict=False)}
    seen: Counter = Counter()
    bare: list[list[int]] = [[], []]
    for name in filter(None, places[0]):
        names, part = weights.behind(name)
        if not names:
            bare[0] += places[0][name]
        elif seen[names, part] < len(modules[names]):
            other = modules[names][seen[names, part]]
            pairs |= {i: (j, part) for i, j in zip(places[0][name], places[1][other], strict=False)}
            seen[names, part] += 1
    bare[1] = [number for name in modules[frozenset()] for number in places[1][name]]
    anchors = [{i: j for i, (j, _) in pairs.items()}, {j: j for j, _ in pairs.values()}]
    between: list[dict] = [defaultdict(list), defaultdict(list)]
    for side, calls in enumerate((ours, theirs)):
        for number in sorted(bare[side]):
            if calls[number].outputs and not calls[number].idle:
                last = max((anchor for anchor in anchors[side] if anchor < number), default=None)
                between[side][anchors[side].get(last), calls[number].outputs[0].shape].append(number)
    for place, numbers in between[0].items():
        if len(numbers) == len(between[1][place]):
            pairs |= {i: (j, None) for i, j in zip(numbers, between[1][place], strict=True)}
    return pairs


def first_difference(ours: list[Call], theirs: list[Call], weights: Weights, tolerance: float) -> str:
    """Where outputs begin to differ: the first module, and as a table what was called on the way to it.

    Args:
        ours, theirs: the calls of both models with the same input.
        weights: which are which.
        tolerance: as of ``compare``.
    """
    pairs = align(ours, theirs, weights)
    rows = {i: row for i in sorted(pairs) if (row := _worst(ours[i].outputs, theirs, *pairs[i], tolerance))}
    first = next((i for i, row in rows.items() if row.differs), None)
    if first is None:
        unequal = "no output shows that weights differ: " + ", ".join(weights.unequal)
        return unequal if weights.unequal else "by rounding alone: nothing differs by more than that in float64"
    seen = [i for i in range(first) if i in rows or (ours[i].about and not ours[i].idle)]
    passed = [i for i in seen if not any(k in rows and ours[i].inside(ours[k]) for k in range(i, first))]
    lines = [_line(ours[i], theirs[pairs[i][0]] if i in pairs else None, rows.get(i)) for i in [*passed, first]]
    if len(lines) > 9:
        lines[2:-6] = [["…"]]
    names = [calls[i].name or "the model" for calls, i in ((ours, first), (theirs, pairs[first][0]))]
    told = [f"first in {names[0]}" + f" ({names[1]} of the reference)" * (names[0] != names[1])]
    told += ["", table(["from the input", "reference", "output", "max |Δ|", "mean |Δ|"], lines), ""]
    inputs = _worst(ours[first].inputs, theirs, pairs[first][0], None, tolerance, "inputs")
    equal = max((i for i in rows if i < first), default=-1)
    skipped = [call.name for call in ours[equal + 1 : first] if call.about and not call.idle]
    changed = [name for name in weights.unequal if not ours[first].name or name.startswith(f"{names[0]}.")]
    if changed:
        told.append("Its weights differ: " + ", ".join(f"{name} by {weights.unequal[name]:.2g}" for name in changed))
    elif inputs and inputs.differs:
        last = ours[equal].name if equal >= 0 else "the input"
        told.append(
            f"Its input differs already: look between {last} and it" + ", at " * bool(skipped) + ", ".join(skipped)
        )
    elif inputs:
        told.append("Its input is equal: look at what it computes, or at how its weights were matched.")
    if ours[first].about and theirs[pairs[first][0]].about:
        told.append(f"Ours: {ours[first].about} · reference: {theirs[pairs[first][0]].about}")
    matched = {j for j, _ in pairs.values()}
    for whose, calls, known in (("ours", ours[:first], pairs), ("the reference", theirs, matched)):
        if alone := dict.fromkeys(call.name for i, call in enumerate(calls) if i not in known and not call.idle):
            names = list(alone)
            told.append(f"Of {whose}, not aligned: " + ", ".join(names[:6]) + f", … ({len(names)})" * (len(names) > 6))
    return "\n".join(told)


def _worst(
    mine: list[Tensor], theirs: list[Call], j: int, part: Part | None, tolerance: float, side: str = "outputs"
) -> Row | None:
    """The largest difference between tensors of two calls, None where no two can be compared."""
    rows = []
    for one, other in zip(mine, getattr(theirs[j], side), strict=False):
        if part and other.shape[-1] == part[2]:
            other = other.narrow(-1, *part[:2])
        if one.shape == other.shape or one.numel() != other.numel() or not theirs[j].name:  # else another layout
            rows += compare({"": one}, {"": other}, tolerance)
    return max(rows, key=lambda row: size(row.max), default=None)


def _line(ours: Call, theirs: Call | None, row: Row | None) -> list[str]:
    shapes = dict.fromkeys(str(tuple(call.outputs[0].shape)) for call in (ours, theirs) if call and call.outputs)
    numbers = [f"{row.max:.1e}", f"{row.mean:.1e}"] if row else ["not compared", ""]
    return [ours.name or "the model", (theirs.name or "the model") if theirs else "–", " / ".join(shapes), *numbers]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as they must be."""
    rows = [[*row, *[""] * (len(header) - len(row))] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
