"""Each option of ``configs/data``, ``model`` and ``loss`` does something: a value that nothing reads deceives the reader."""

import ast
import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from conftest import build_procedure, fit, same, set_up_data
from omegaconf import DictConfig, OmegaConf
from splits import batches, copy_loader, loaders, stated_size, tensors

from {{ cookiecutter.package_name }}.harness.identity import PACKAGE
from {{ cookiecutter.package_name }}.harness.procedure import Procedure

SOURCES = [path for path in PACKAGE.rglob("*.py") if "harness" not in path.relative_to(PACKAGE).parts]
SETTINGS = ("batch_size", "num_workers", "drop_last", "pin_memory", "persistent_workers", "prefetch_factor", "timeout")
LARGE = 20_000_000  # numbers in all splits


def options(cfg: DictConfig, group: str) -> Iterator[str]:
    """The keys of numbers and switches in a config group, as ``data.augment.rotation``."""
    node = OmegaConf.select(cfg, group)
    for key in node if OmegaConf.is_dict(node) else []:
        if OmegaConf.is_interpolation(node, key) or OmegaConf.is_missing(node, key) or key == "download":
            continue
        if OmegaConf.is_dict(node[key]):
            yield from options(cfg, f"{group}.{key}")
        elif isinstance(node[key], int | float):
            yield f"{group}.{key}"


def other_values(value: float) -> list:
    if isinstance(value, bool):
        return [not value]
    half, more = (value // 2, 1) if isinstance(value, int) else (value / 2, 0.1)
    return [other for other in (2 * value, half, value + more) if other != value]


def loaded(cfg: DictConfig, batch) -> list:
    """How the batches of each split are loaded, and the first one of each."""
    data = set_up_data(cfg)
    data.setup("test")
    torch.manual_seed(0)
    given = [loader for split in ("train", "val", "test") for loader in loaders(data, split)]
    settings = [getattr(loader, name, None) for loader in given for name in SETTINGS]
    return [settings, *map(stated_size, given), *(next(batches([copy_loader(loader)])) for loader in given)]


def numbers(data) -> int:
    """How many numbers the data have, where their loaders know their length."""
    given = [loader for split in ("train", "val") for loader in loaders(data, split)]
    return sum((stated_size(x) or 0) * sum(t[:1].numel() for t in next(batches([x])) if t.dim()) for x in given)


def initial_weights(cfg: DictConfig, batch) -> list:
    torch.manual_seed(0)
    return list(build_procedure(cfg).state_dict().values())


def terms(cfg: DictConfig, batch) -> list:
    """The terms of the loss in training; none if ``training_step`` is overridden."""
    torch.manual_seed(0)
    procedure = build_procedure(cfg)
    has_step = type(procedure).step is not Procedure.step
    return tensors(procedure.step(batch, procedure.train_metrics)) if has_step else []


def trained_weights(cfg: DictConfig, batch) -> list:
    return list(fit(cfg, 2).lightning_module.state_dict().values())


def attributes(part) -> Iterator[tuple[str, Any]]:
    """The plain attributes of a part, and of the parts that it holds."""
    modules = part.modules() if isinstance(part, torch.nn.Module) else [part, *vars(part).values()]
    for holder in modules:
        if type(holder).__module__.startswith("{{ cookiecutter.package_name }}."):
            yield from ((name, value) for name, value in vars(holder).items() if isinstance(value, int | float | str))


def is_kept_and_read(one, other) -> bool:
    """Whether an attribute differs that some code reads, perhaps where no check calls it, such as in sampling."""
    differ = {name for (name, a), (_, b) in zip(attributes(one), attributes(other), strict=False) if a != b}
    nodes = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return any(isinstance(node, ast.Attribute) and node.attr in differ and type(node.ctx) is ast.Load for node in nodes)


@pytest.mark.filterwarnings("ignore")
def test_each_option_does_something(cfg, data, batch):
    before = functools.cache(lambda effect: effect(cfg, batch))
    computed = [initial_weights, terms, trained_weights]
    effects = {"data": [loaded], "model": computed, "loss": computed}
    if large := numbers(data) > LARGE:
        del effects["data"]

    def matters(option: str, value: float) -> bool:
        group, changed = option.split(".")[0], cfg.copy()
        OmegaConf.update(changed, option, value)
        for effect in effects[group]:
            one = before(effect)
            try:
                if not same(one, effect(changed, batch)):
                    return True
            except Exception:  # a value that is refused is read
                return True
        build = set_up_data if group == "data" else build_procedure
        return is_kept_and_read(build(cfg), build(changed))

    values = {option: OmegaConf.select(cfg, option) for group in effects for option in options(cfg, group)}
    idle = [option for option, value in values.items() if not any(matters(option, v) for v in other_values(value))]
    assert not idle, (
        f"{', '.join(idle)}: with another value, batches, weights and loss are the same. Pass it on where it is used, or delete it"
    )
    if large:
        pytest.skip("only model and loss: the data are too large to be set up for each option")
