"""Which weight of the reference is which of ours, and so which module is which."""

import copy
import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial, reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Rule(NamedTuple):
    """Which weights of the reference become which of ours. A plain tuple works as well.

        ("fc.*", "classifier.2.*")                                     another name
        ("h.*.c_attn.*", [f"blocks.*.{p}.*" for p in "qkv"], torch.t)  a fused weight becomes three, transposed
        (["query.*", "key.*"], "query_and_key.*")                      two weights become one
        ("mask", None), (None, "table")                                theirs is not used; ours stays as it is

    ``*`` stands for one part of a name, ``**`` for one or more parts; both sides have the same parts. The first rule
    that matches a weight decides. Fused weights lie one after the other along the first dimension. ``transform`` is
    applied to each of the reference's weights; ``torch.t`` transposes matrices and keeps biases.
    """

    theirs: str | list[str] | None
    ours: str | list[str] | None
    transform: Callable[[Tensor], Tensor] = lambda weight: weight


class Weights:
    """Match the reference's weights with ours, and load them into our model.

    Without rules, weights match by name, or else by order and shape. If most of them are equal already, none is loaded,
    and ``summary`` says by how much the others differ. A ``ValueError`` names all weights that do not match.
    """

    def __init__(self, model: nn.Module, theirs: dict[str, Tensor], rules: list[Rule | tuple] | None = None):
        self.ours, self.theirs = copy.deepcopy(model.state_dict()), theirs
        links, problems = self._expanded(self._guesses() if rules is None else rules), []
        self.links = [link for link in links if link.theirs and link.ours]
        values = {name: self.ours[name] for link in links if not link.theirs for name in link.ours}  # these stay
        for link in self.links:
            try:
                values |= self._values(link, theirs)
            except (KeyError, RuntimeError) as error:  # a missing name; torch.cat or split
                problems.append(f"{', '.join(link.theirs)} → {', '.join(link.ours)}: {error}")
        if unused := theirs.keys() - {name for link in links for name in link.theirs}:
            leave = f'("{min(unused)}", None) leaves one out'
            problems.append(f"Nothing uses these weights of the reference: {', '.join(sorted(unused))}. {leave}")
        try:
            model.load_state_dict(values)
        except RuntimeError as error:  # it names all weights that are missing, unknown or of another shape
            problems.append(str(error))
        if problems:
            raise ValueError("\n".join(['Weights do not match. Give rules, such as [("fc.*", "head.*")]', *problems]))
        self.summary = f"weights: {len(values)} loaded"
        if rules is None:
            self._check_guesses(model, copy.deepcopy(model.state_dict()))

    def _guesses(self) -> list[tuple[str, str]]:
        if self.ours.keys() == self.theirs.keys():
            return [(name, name) for name in self.ours]
        left = defaultdict(list)
        for name, weight in self.theirs.items():
            left[weight.shape].append(name)
        return [(left[weight.shape].pop(0), name) for name, weight in self.ours.items() if left[weight.shape]]

    def _check_guesses(self, model: nn.Module, loaded: dict[str, Tensor]) -> None:
        changed = [name for name, weight in self.ours.items() if not torch.equal(weight, loaded[name])]
        drawn = {name for name, weight in loaded.items() if (weight != weight.flatten()[:1]).any()}  # not all 0 or 1
        if len(drawn.intersection(changed)) < len(drawn) / 2:
            model.load_state_dict(self.ours)
            numbers = [name for name in changed if loaded[name].is_floating_point()]  # not counters
            unequal = {name: (self.ours[name] - loaded[name]).abs().max().item() for name in numbers}
            self.summary = f"weights: none loaded, {len(loaded) - len(changed)} of {len(loaded)} are equal already"
            self.summary += "".join(f"\n  {name} differs by {by:.2g}" for name, by in unequal.items())
        elif self.ours.keys() != self.theirs.keys():
            shapes = [weight.shape for weight in loaded.values()]
            unsure = [link for link in self.links if shapes.count(loaded[link.ours[0]].shape) > 1]
            self.summary += " by order and shape" + "; check those of equal shape:" * bool(unsure)
            self.summary += "".join(f'\n  ("{link.theirs[0]}", "{link.ours[0]}"),' for link in unsure)

    def _expanded(self, rules: list[Rule | tuple]) -> list[Rule]:
        """The rules with names in the place of stars, and lists on both sides."""
        links, matched = [], set()
        for rule in rules:
            theirs, ours = ([side] if isinstance(side, str) else side or [] for side in rule[:2])
            pattern, weights = (theirs[0], self.theirs) if theirs else (ours[0], self.ours)
            regex = re.escape(pattern).replace(r"\*\*", "(.+)").replace(r"\*", r"([^.]+)")
            for match in filter(None, (re.fullmatch(regex, name) for name in weights)):
                filled = partial(reduce, lambda name, part: re.sub(r"\*+", part, name, count=1), match.groups())
                link = Rule([*map(filled, theirs)], [*map(filled, ours)], *rule[2:])
                if matched.isdisjoint(link.theirs):
                    matched.update(link.theirs)
                    links.append(link)
        return links

    def _values(self, link: Rule, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        values = [link.transform(theirs[name]) for name in link.theirs]
        if len(values) > 1 or len(link.ours) > 1:
            values = torch.cat(values).split([len(self.ours[name]) for name in link.ours])
        return dict(zip(link.ours, values, strict=True))

    def translate(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The reference's weights, or their gradients, under our names. Other values keep their names."""
        values = {name: value for name, value in theirs.items() if name not in self.theirs}
        for link in self.links:
            if theirs.keys() >= set(link.theirs):
                values |= self._values(link, theirs)
        return values

    def modules(self) -> dict[str, str]:
        """The reference's module with the same weights, for each of our modules that has one."""
        sources = defaultdict(set)
        for link in self.links:
            for name in link.ours:
                sources[name.rpartition(".")[0]].update(link.theirs)
        used, theirs = set().union(*sources.values()), {}
        for module in {name.rpartition(".")[0] for name in used}:
            theirs[frozenset(name for name in used if name.startswith(f"{module}."))] = module
        return {module: theirs[frozenset(names)] for module, names in sources.items() if frozenset(names) in theirs}
