"""Each option of ``configs/`` is used: a value that nothing reads deceives the reader."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from {{ cookiecutter.package_name }}.harness.identity import PACKAGE


def options(cfg: DictConfig, path: str) -> Iterator[tuple[str, Callable, str]]:
    """Each option that is an argument of the paper's code, as ``data.augment.rotation``, with the function and its name."""
    target = OmegaConf.select(cfg, "_target_") or ""
    function = get_object(target) if target.startswith(f"{PACKAGE.name}.") and ".harness." not in target else None
    function = function.__init__ if inspect.isclass(function) else function
    for name in cfg:
        if inspect.isfunction(function) and name in inspect.signature(function).parameters:
            yield f"{path}.{name}", function, name
        if OmegaConf.is_dict(cfg._get_node(name)):
            yield from options(cfg[name], f"{path}.{name}")


@functools.cache
def attributes_read() -> set[str]:
    sources = [path for path in PACKAGE.rglob("*.py") if "harness" not in path.relative_to(PACKAGE).parts]
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def is_used(function: Callable, name: str) -> bool:
    """Whether an argument is used, or kept in an attribute that some code reads."""
    by_dataclass = function.__code__.co_filename == "<string>"
    source = "" if by_dataclass else textwrap.dedent(inspect.getsource(function))
    if by_dataclass or "save_hyperparameters" in source:  # which keep each argument under its name
        return name in attributes_read()
    nodes = list(ast.walk(ast.parse(source)))
    kept = {}  # the attribute that keeps an argument, by the node of the argument
    for node in nodes:
        for target in node.targets if isinstance(node, ast.Assign) else []:
            pair = [part.elts if isinstance(part, ast.Tuple) else [part] for part in (target, node.value)]
            kept |= {value: place.attr for place, value in zip(*pair, strict=False) if isinstance(place, ast.Attribute)}
    uses = [n for n in nodes if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    return any(node not in kept or kept[node] in attributes_read() for node in uses)


def test_each_option_is_used(cfg):
    parts = [(name, cfg[name]) for name in cfg if OmegaConf.is_dict(cfg._get_node(name))]
    given = [option for name, part in parts for option in options(part, name)]
    idle = [option for option, function, name in given if not is_used(function, name)]
    assert not idle, f"nothing uses {', '.join(idle)}. Pass it on where it is meant, or delete it"
