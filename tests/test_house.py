"""The rooms of ``harness/``: who imports whom, how large each file is, and what is used of libraries unpromised."""

import ast
import functools
import operator
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from lightning import LightningModule, Trainer
from lightning.fabric.utilities import seed
from lightning.pytorch.loops.fetchers import _PrefetchDataFetcher
from torchmetrics import MeanMetric

PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
HARNESS = PROJECT / "src/{{cookiecutter.package_name}}/harness"
INTERNALS = "training/lightning_internals"
FILES = {path.relative_to(HARNESS).with_suffix("").as_posix(): path for path in sorted(HARNESS.rglob("*.py"))}
MODULES = {name: path for name, path in FILES.items() if path.name != "__init__.py"}


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text().replace("{{ cookiecutter.package_name }}", "package"))


def imported(name: str) -> Iterator[str]:
    """What a file imports, at any depth: ``torch.nn`` of libraries, ``/training/build`` of ours."""
    for node in ast.walk(tree(FILES[name])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            room = name.split("/")[: -node.level] + (node.module or "").split(".")
            place = "/".join(filter(None, room))
            if place in FILES:
                yield f"/{place}"
            else:  # from . import a, b
                yield from (f"/{place}/{alias.name}".replace("//", "/") for alias in node.names)


ROOMS = {  # which may import which, besides themselves
    "command": {"identity"},
    "identity": set(),
    "procedure": {INTERNALS},
    "schedules": {INTERNALS},
    "evidence": {"identity"},
    "training": {"command", "identity", "procedure", "evidence"},
    "verification": {"identity", "training"},
    "reporting": {"command", "identity", "evidence"},
    "reading": {"command", "identity", "evidence"},
}
WITH_TORCH = {"procedure", "schedules", "training", "verification"}


@pytest.mark.parametrize("name", MODULES)
def test_arrows_between_rooms_point_one_way(name):
    room = name.split("/")[0]
    assert room in ROOMS, "a file outside all rooms"
    allowed = {room} | ROOMS[room]
    others = {other[1:] for other in imported(name) if other.startswith("/")}
    wrong = {other for other in others if not {other, other.split("/")[0]} & allowed}
    assert not wrong
    libraries = {library.split(".")[0] for library in imported(name)}
    assert room in WITH_TORCH or not libraries & {"torch", "lightning", "torchmetrics"}


def test_no_circle_of_imports():
    """Imports at the top of a file and within functions alike."""
    left = {name: {other[1:] for other in imported(name) if other.startswith("/")} for name in MODULES}
    while free := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in free}
    assert not left


# Words of Hydra and of named tuples, and the trees of torch, which have no public name
DOCUMENTED = {"_target_", "_partial_", "_replace", "_asdict", "_fields", "_pytree"}


def foreign_and_private(path: Path) -> Iterator[str]:
    """Each private name that a file takes from an object or module which is not its own."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            names = [node.attr]
        else:
            continue
        yield from (f"{path.name}:{node.lineno} {name}" for name in names if re.match("_[a-z]", name))


def test_private_names_of_libraries_are_in_one_file():
    paths = [path for name, path in MODULES.items() if name != INTERNALS] + [*PROJECT.glob("src/hydra_plugins/*.py")]
    found = [use for path in paths for use in foreign_and_private(path)]
    assert not [use for use in found if use.split()[1] not in DOCUMENTED]


@pytest.fixture(scope="module")
def libraries() -> dict[str, object]:
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", enable_progress_bar=False)
    return {
        "trainer": trainer,
        "fetcher": _PrefetchDataFetcher(),
        "procedure": LightningModule(),
        "metric": MeanMetric(),
        "seed": seed,
        "sweeper": BasicSweeper,  # not an instance: when Hydra looks for plugins it executes this module again
    }


PATHS = """
    procedure._current_fx_name
    trainer._logger_connector._callback_metrics
    trainer._logger_connector.log_metrics
    trainer._logger_connector.should_update_logs
    trainer.callback_metrics
    trainer.fit_loop._data_fetcher
    trainer.fit_loop._loaded_from_state_dict
    trainer.fit_loop._resuming_from_checkpoint
    trainer.fit_loop._should_accumulate
    trainer.fit_loop.epoch_loop._batches_that_stepped
    trainer.fit_loop.epoch_loop._loaded_from_state_dict
    trainer.fit_loop.epoch_loop._resuming_from_checkpoint
    trainer.fit_loop.epoch_loop.batch_progress.current.ready
    trainer.fit_loop.epoch_loop.done
    trainer.fit_loop.epoch_loop.load_state_dict
    trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total.completed
    trainer.fit_loop.epoch_loop.on_advance_end
    trainer.fit_loop.epoch_loop.on_run_start
    trainer.fit_loop.epoch_loop.reset_restart_stage
    trainer.fit_loop.epoch_loop.restarting
    trainer.fit_loop.epoch_loop.val_loop._loaded_from_state_dict
    trainer.fit_loop.epoch_loop.val_loop.reset_restart_stage
    trainer.fit_loop.epoch_progress.current.processed
    trainer.fit_loop.epoch_progress.current.started
    trainer.fit_loop.epoch_progress.total.ready
    trainer.fit_loop.load_state_dict
    trainer.fit_loop.on_advance_end
    trainer.fit_loop.on_advance_start
    trainer.fit_loop.on_run_end
    trainer.fit_loop.reset_restart_stage
    trainer.fit_loop.restarting
    trainer.fit_loop.setup_data
    trainer.fit_loop.state_dict
    trainer.fit_loop.trainer
    seed._collect_rng_states
    seed._set_rng_states
    metric._update_count
    metric.metric_state
    sweeper.split_arguments
    sweeper.split_overrides_to_chunks
""".split()


@pytest.mark.parametrize("path", PATHS)
def test_what_the_harness_relies_on_exists(libraries, path):
    """Where this fails, a library has changed: ``training/lightning_internals.py`` is the file to mend."""
    owner, _, rest = path.partition(".")
    operator.attrgetter(rest)(libraries[owner])


def test_all_that_the_harness_relies_on_is_named():
    text = MODULES[INTERNALS].read_text()
    named = {part for path in PATHS for part in path.split(".")}
    assert set(re.findall(r"(?:\.|\")(_[a-z]\w*)", text)) - {"_internal"} <= named


def lines(paths: Iterator[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


def test_no_long_file_or_function():
    """What somebody who reproduces a paper can read in an hour."""
    long_files = {name: lines([path]) for name, path in FILES.items() if lines([path]) > 300}
    long_functions = {
        f"{name}: {node.name}": node.end_lineno - node.lineno + 1
        for name, path in FILES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60
    }
    assert not long_files and not long_functions


# No room grows; the aim is 3,300 lines in harness/ and 1,300 in tests/checks/
SIZES = {
    "harness": 455,
    "harness/training": 1445,
    "harness/verification": 351,
    "harness/evidence": 1706,
    "harness/reporting": 1491,
    "harness/reading": 924,
    "tests/checks": 2379,
}


@pytest.mark.parametrize("room", SIZES)
def test_a_room_does_not_grow(room):
    """Where a room became smaller, lower its number."""
    folder = PROJECT / room if room.startswith("tests") else HARNESS.parent / room
    assert lines(path for path in folder.iterdir() if path.suffix in (".py", ".html")) <= SIZES[room]
