"""What the tests share: the configuration of ``experiment=paper``, the facts of the paper, and a short training."""

import contextlib
import functools
import os
import re
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict

from {{ cookiecutter.package_name }}.harness import identity
from {{ cookiecutter.package_name }}.harness.command import heavy_imports
from {{ cookiecutter.package_name }}.harness.evidence.assertions import Assertions
from {{ cookiecutter.package_name }}.harness.evidence.record import code_digest, write_json
from {{ cookiecutter.package_name }}.harness.evidence.targets import read_targets
from {{ cookiecutter.package_name }}.harness.evidence.tests import suite_file
from {{ cookiecutter.package_name }}.harness.identity import ROOT

with heavy_imports():
    import lightning as L
    import torch
    from lightning.pytorch.plugins import Precision
    from lightning.pytorch.utilities import CombinedLoader
    from lightning.pytorch.utilities.model_helpers import is_overridden
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from {{ cookiecutter.package_name }}.harness.procedure import Procedure
    from {{ cookiecutter.package_name }}.harness.training import build


# arguments that leave no test out
WHOLE_SUITE = re.compile(
    r"-[qsvxl]+|-r\w+|--(quiet|verbose|exitfirst|maxfail|ff)|--(tb|color|durations(-min)?|maxfail)=.*|-n\d*|\d+|tests/?|\."
)
EXPERIMENT = os.environ.get("EXPERIMENT", "paper")  # the file in configs/experiment/ that the checks run on
unstated: set[str] = set()  # the facts that a check asked for in vain
OUTCOMES = ["skipped", "passed", "failed"]  # the worst outcome of a test's cases counts; the worst is last


class Outcomes:
    """Writes to ``runs/``, for ``report.py``, how each test ended, if the whole suite ran."""

    def __init__(self, row: str):
        self.row, self.path, self.ended, self.verifies, self.collected = row, suite_file(row), {}, {}, True
        self.reasons: dict[str, str] = {}  # why a test was skipped
        self.path.unlink(missing_ok=True)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.collected = self.collected and not report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            test = report.nodeid.partition("[")[0]
            self.ended[test] = max(report.outcome, self.ended.get(test, report.outcome), key=OUTCOMES.index)
            found = {name for key, names in report.user_properties if key == "verifies" for name in names}
            self.verifies[test] = sorted(found.union(self.verifies.get(test, [])))
            if report.skipped:
                told = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
                self.reasons[test] = told or "expected to fail"

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        # not cut short, and the code is still the same
        whole = self.collected and exitstatus <= 1 and not stopped_early(session.config, session.testsfailed)
        if whole and self.path == suite_file(self.row):
            verifies = {test: names for test, names in self.verifies.items() if names}
            skipped: dict[str, list[str]] = {}
            for test, reason in sorted(self.reasons.items()):
                if self.ended[test] == "skipped":
                    skipped.setdefault(reason, []).append(test)
            ended = {"outcomes": dict(sorted(self.ended.items())), "verifies": verifies, "skipped": skipped}
            write_json(self.path, ended)


def left_out(config: pytest.Config) -> list[str]:
    """The arguments that may leave tests out; of a row, all checks are enough."""
    chosen = [argument for argument in config.invocation_params.args if not WHOLE_SUITE.fullmatch(argument)]
    return [] if EXPERIMENT != "paper" and {*chosen} <= {"tests/checks", "tests/checks/"} else chosen


def stopped_early(config: pytest.Config, failed: int) -> bool:
    return failed >= (config.option.maxfail or failed + 1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how many of the checks applied, so that green is not taken for more than it is."""
    say, stats = terminalreporter.write_line, terminalreporter.stats
    why = f"{' '.join(chosen)} may leave tests out" if (chosen := left_out(config)) else ""
    if stopped_early(config, sum(len(stats.get(outcome, [])) for outcome in ("failed", "error"))):
        why = "it stopped at a failure"
    if why:
        all_tests = "pytest" if EXPERIMENT == "paper" else f"EXPERIMENT={EXPERIMENT} pytest tests/checks"
        say(f"report.py does not count this run: {why}. It counts: {all_tests}")
    count = {outcome: sum("/checks/" in r.nodeid for r in stats.get(outcome, [])) for outcome in OUTCOMES}
    if count["skipped"]:
        applied = count["passed"] + count["failed"]
        say(f"{applied} of {applied + count['skipped']} of tests/checks apply. pytest -rs says why the others do not.")
    if unstated:
        say(f"Not under facts in configs/paper.yaml, so not checked: {', '.join(sorted(unstated))}")
    rows = set()
    with contextlib.suppress(Exception):  # a configuration that cannot be read has turned the checks red
        rows.update(*(target.experiments for target in read_targets(composed(f"experiment={EXPERIMENT}").paper)))
    if count["passed"] and (others := rows - {EXPERIMENT}):
        say(f"The checks ran on experiment={EXPERIMENT}. For others: EXPERIMENT={min(others)} pytest tests/checks")


def pytest_configure(config: pytest.Config) -> None:
    runs = ROOT / "runs" if (ROOT / "runs").exists() else ROOT
    try:
        code_digest()
        config.pluginmanager.register(Assertions())
    except identity.UsageError as error:  # a file is not valid Python
        raise pytest.UsageError(str(error)) from None
    row = "" if EXPERIMENT == "paper" else EXPERIMENT
    worker = hasattr(config, "workerinput")
    if not left_out(config) and not worker and runs.is_dir() and os.access(runs, os.W_OK):
        config.pluginmanager.register(Outcomes(row))


@functools.cache  # nearly every test needs it, and Hydra takes longer than most of them
def composed(*overrides: str) -> DictConfig:
    return identity.compose(*overrides, "name=test", "run.dir=???", "results=null")


@pytest.fixture
def compose(tmp_path: Path) -> Callable[..., DictConfig]:
    """The configuration that ``python train.py`` would have with these overrides, with a temporary run folder."""

    def compose(*overrides: str) -> DictConfig:
        cfg = composed(*overrides).copy()
        cfg.run.dir = str(tmp_path)
        return cfg

    return compose


@pytest.fixture
def cfg(compose: Callable[..., DictConfig]) -> DictConfig:
    cfg = compose(f"experiment={EXPERIMENT}")
    build.prepare(cfg)
    return cfg


QUIET = {"enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu", "devices": 1}


@functools.cache  # a trainer takes as long as many a check
def precision_plugin(precision: str) -> Precision:
    return L.Trainer(precision=precision, logger=False, **QUIET).precision_plugin


def build_procedure(cfg: DictConfig) -> Procedure:
    """``PaperProcedure`` in the precision of ``cfg.trainer``."""
    return precision_plugin(cfg.trainer.precision).convert_module(build.build_procedure(cfg))


def copy_of(cfg: DictConfig, trained: Procedure) -> Procedure:
    """A procedure with the weights and statistics of a trained one, as through a checkpoint."""
    procedure, checkpoint = build_procedure(cfg), {"state_dict": trained.state_dict()}
    trained.on_save_checkpoint(checkpoint)
    procedure.on_load_checkpoint(checkpoint)
    procedure.load_state_dict(checkpoint["state_dict"])
    return procedure


def set_up_data(cfg: DictConfig) -> L.LightningDataModule:
    """The data module, ready for training and validation; its trainer has an untrained model, for data that it makes."""
    data = build.build_data(cfg)
    data.trainer = build.build_trainer(cfg, **QUIET)
    data.trainer.strategy.connect(procedure := build_procedure(cfg))
    procedure.trainer, data.trainer.training = data.trainer, True
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture
def data(cfg: DictConfig) -> L.LightningDataModule:
    return set_up_data(cfg)


def first_batch(loaders):
    """The first batch, from one loader or several, as Lightning would pass it on."""
    together = loaders if isinstance(loaders, CombinedLoader) else CombinedLoader(loaders, "max_size_cycle")
    return next(iter(together))[0]


def as_given(data: L.LightningDataModule, batch):
    """The batch as Lightning gives it to a step: in the precision of the trainer, changed by the hooks of its transfer."""
    batch = data.trainer.precision_plugin.convert_input(batch)
    for part in (data, data.trainer.lightning_module):
        batch = part.on_after_batch_transfer(part.on_before_batch_transfer(batch, 0), 0)
    return batch


@pytest.fixture
def batch(data):
    torch.manual_seed(0)
    return as_given(data, first_batch(data.train_dataloader()))


# Not every check applies to every paper: these fixtures skip a check, with the reason, where something is missing.


@pytest.fixture
def needs_validation(data) -> None:
    if not is_overridden("val_dataloader", data):
        pytest.skip("the paper has no validation split")


@pytest.fixture
def needs_evaluation_data(cfg: DictConfig, data) -> None:
    """Without a validation split, the test split takes its place, if both are measured by the same ``step``."""
    if is_overridden("val_dataloader", data):
        return
    procedure = get_object(cfg.procedure._target_)
    own = any(getattr(procedure, name) is not getattr(Procedure, name) for name in ("test_step", "validation_step"))
    if own or procedure.step is Procedure.step:
        pytest.skip("the paper has no validation split")
    data.setup("test")
    data.val_dataloader = data.test_dataloader


@pytest.fixture
def needs_step(cfg: DictConfig) -> None:
    if getattr(get_object(cfg.procedure._target_), "step", None) is Procedure.step:
        pytest.skip("PaperProcedure overrides training_step and has no step, whose loss this check needs")


@pytest.fixture
def untrained(cfg: DictConfig, batch, needs_step) -> Procedure:
    """A procedure in evaluation mode with its initial weights, whose ``step`` takes a training batch."""
    with torch.random.fork_rng(devices=[]), skip_if_refused("a training batch in evaluation mode", Exception):
        evaluate(build_procedure(cfg).eval(), batch)
    return build_procedure(cfg).eval()


@pytest.fixture
def needs_loss(untrained, batch) -> None:
    if "loss" not in evaluate(untrained, batch):
        pytest.skip("PaperProcedure.step returns no loss")


@pytest.fixture
def needs_gradients(trained) -> None:
    trainer, watch = trained
    optimized = any(x.param_groups for x in trainer.optimizers)  # by default, Lightning has an empty optimizer
    if not (optimized and trainer.lightning_module.automatic_optimization) and not watch.finite:
        pytest.skip("PaperProcedure computes no gradients by backward, but updates its parameters by hand")


@contextlib.contextmanager
def skip_if_refused(what: str, errors=(RuntimeError, ValueError, IndexError)) -> Iterator[None]:
    """For what a correct paper may refuse, such as a batch of another size."""
    try:
        yield
    except errors as error:
        pytest.skip(f"{what} is refused: {error}".partition("\n")[0])


def evaluate(procedure: Procedure, batch) -> dict[str, torch.Tensor]:
    """The terms of the loss, and an update of the metrics of validation."""
    return procedure.step(batch, procedure.val_metrics)


def draws_numbers(procedure: Procedure, batch) -> bool:
    with Draws() as draws:
        evaluate(procedure, batch)
    return draws.found


class Draws(TorchDispatchMode):
    """Notices whether PyTorch draws random numbers."""

    found = False

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        attention = "attention" in str(operator)  # has the tag only because it may apply dropout
        self.found |= torch.Tag.nondeterministic_seeded in operator.tags and not attention
        return operator(*args, **(kwargs or {}))


@pytest.fixture
def facts(cfg: DictConfig) -> dict[str, Any]:
    """What ``facts`` in ``configs/paper.yaml`` states; a missing key is None, like null.

    A row inherits the facts of the experiments in its defaults. null takes one back, also one part of it.
    """
    facts = OmegaConf.to_container(cfg.paper.get("facts") or OmegaConf.create(), resolve=True)
    for name, value in facts.items():
        if isinstance(value, dict):
            facts[name] = {key: part for key, part in value.items() if part is not None}
    return defaultdict(lambda: None, facts)


# what a paper without an optimizer, or without a loss, has no need to state
OF_GROUP = {
    "optimizer": {"optimizer", "batch_size", "learning_rate", "weight_decay", "gradient_clip"},
    "loss": {"loss", "over_features", "initial_loss"},
}


@pytest.fixture
def fact(cfg: DictConfig, facts: dict[str, Any]) -> Callable[[str], Any]:
    """One of the facts; the test is skipped if the paper does not state it, or states one of ``without``."""

    def fact(name: str, *without: Any) -> Any:
        if facts[name] in (None, {}):
            needless = [names for group, names in OF_GROUP.items() if cfg.get(group) is None]
            unstated.update({name}.difference(*needless))
            pytest.skip("the paper does not state it: facts in configs/paper.yaml")
        if facts[name] in without:
            pytest.skip(f"facts.{name} is {facts[name]}")
        return facts[name]

    return fact


def with_schedule(cfg: DictConfig, option: str) -> DictConfig:
    """The configuration with a schedule of ``configs/scheduler/`` and none of the paper's settings for its own."""
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.scheduler = OmegaConf.load(ROOT / f"configs/scheduler/{option}.yaml")
    return cfg


def fit(
    cfg: DictConfig, steps: int, *callbacks: L.Callback, data: L.LightningDataModule | None = None, **settings
) -> L.Trainer:
    """Train for some steps on the CPU, as ``cfg`` says but without validation, loggers and checkpoints.

    With manual optimization, ``steps`` counts batches: one batch may make many optimizer steps, or none.
    """
    build.prepare(cfg)
    procedure = build.build_procedure(cfg)
    bounds = {"max_steps": steps, "max_epochs": 10 * steps}
    if not procedure.automatic_optimization and not bounds.keys() & settings.keys():
        bounds["max_steps"], callbacks = -1, [*callbacks, After(steps)]
    settings = QUIET | bounds | {"limit_val_batches": 0, "val_check_interval": None} | settings
    trainer = build.build_trainer(cfg, callbacks, **settings)
    trainer.fit(procedure, data or build.build_data(cfg))
    return trainer


class After(L.Callback):
    """Ends a training after some batches: normally, or by SIGTERM as on a cluster."""

    def __init__(self, batches: int, sigterm: bool = False):
        self.left, self.sigterm = batches, sigterm

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.left -= 1
        if self.left == 0 and self.sigterm:
            signal.raise_signal(signal.SIGTERM)
        elif self.left == 0:
            trainer.should_stop = True


def perturb(model: torch.nn.Module) -> None:
    """Move an untrained model away from its initial weights, with which its output may hardly depend on its input."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)


def rates_of(optimizer) -> list[float]:
    """The learning rates of its groups, each once."""
    return sorted({group["lr"] for group in optimizer.param_groups})


class Watch(L.Callback):
    """Notes the learning rates of each optimizer step, and what gradients the parameters had."""

    def __init__(self):
        self.rates: dict[int, list[float]] = {}  # by step, in which a closure may be called several times
        self.finite: dict[str, bool] = {}  # of each parameter that had a gradient
        self.nonzero: set[str] = set()

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates[trainer.global_step] = rates_of(optimizer)
        for name, parameter in pl_module.named_parameters():
            if (grad := parameter.grad) is not None:
                grad = grad.coalesce().values() if grad.is_sparse else grad
                self.finite[name] = self.finite.get(name, True) and bool(torch.isfinite(grad).all())
                if grad.any():
                    self.nonzero.add(name)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[L.Trainer, Watch]:
    """A training of five steps that many tests look at."""
    cfg, watch = composed(f"experiment={EXPERIMENT}").copy(), Watch()
    cfg.run.dir = str(tmp_path_factory.mktemp("trained"))
    return fit(cfg, 5, watch), watch


def same(one: Any, other: Any) -> bool:
    """Whether two nested structures hold the same numbers, bit for bit; NaN, as of what is not measured yet, equals NaN."""
    one, other = ([x for x in tree_leaves(part) if not isinstance(x, str)] for part in (one, other))
    try:
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    except AssertionError:
        return False
    return True


class Enough(Exception):
    """Ends a training, validation or test that a check needs no longer."""
