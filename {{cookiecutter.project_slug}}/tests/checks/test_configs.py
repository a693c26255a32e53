"""Every config composes, what it describes can be built, and ``configs/paper.yaml`` agrees with the code."""

import re
from difflib import get_close_matches
from pathlib import Path

import hydra
import pytest
import torch
from conftest import build_procedure, fit
from hydra.errors import InstantiationException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict

from {{ cookiecutter.package_name }}.harness.evidence.comments import read_values
from {{ cookiecutter.package_name }}.harness.evidence.sources import experiment_values
from {{ cookiecutter.package_name }}.harness.evidence.targets import read_targets
from {{ cookiecutter.package_name }}.harness.identity import CONFIGS, ROOT, digest
from {{ cookiecutter.package_name }}.harness.reporting.report import todos
from {{ cookiecutter.package_name }}.harness.training.build import build_data
from {{ cookiecutter.package_name }}.harness.training.evaluate import measure

OPTIONS = sorted((path.parent.relative_to(CONFIGS).as_posix(), path.stem) for path in CONFIGS.glob("*/*.yaml"))

PRESETS = {"experiment", "debug", "sweep"}  # set options of other groups


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=["=".join(option) for option in OPTIONS])
@pytest.mark.filterwarnings("ignore:.*Defaults list is missing `_self_`")
def test_option_composes_and_builds(compose, group, option):
    try:
        if group in PRESETS:
            build_group(compose(f"{group}={option}"), group, option)
            return
        try:
            build_group(alone(compose(), group, option), group, option)
        except Exception:  # an experiment sets what the option leaves open; that of the option's own is built itself
            if (group, option) not in chosen():
                build_group(compose(f"{group}={option}"), group, option)
    except MissingConfigException as error:
        if not str(error.missing_cfg_file).startswith("hydra/"):  # a launcher is an extra
            raise
        pytest.skip(f"{error.missing_cfg_file} is not installed: pip install -e .[slurm]")


def alone(cfg: DictConfig, group: str, option: str) -> DictConfig:
    """The configuration with an option of a group as its file says: to compose all takes three times as long."""
    text = (CONFIGS / group / f"{option}.yaml").read_text(encoding="utf-8")
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"), open_dict(cfg):
        composed = re.search("^defaults:|@package", text, re.MULTILINE)
        cfg[group] = hydra.compose(f"{group}/{option}")[group] if composed else OmegaConf.create(text)
    return cfg


def build_group(cfg: DictConfig, group: str, option: str) -> None:
    """Build what the group describes, or all that a preset changes."""
    if group in ("trainer", "debug") and cfg.trainer.accelerator == "gpu" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if group in ("logger", "callbacks"):
        for name, part in cfg[group].items():
            try:
                hydra.utils.instantiate(part)
            except (InstantiationException, ModuleNotFoundError) as error:
                missing = next((e for e in (error, error.__cause__) if isinstance(e, ModuleNotFoundError)), None)
                if missing is None:
                    raise
                pytest.skip(f"{name} is not installed: pip install -e .[{option}]")
        return
    if group in ("data", "experiment"):
        build_data(cfg)
    if group == "trainer" and option != "ddp":  # it needs two processes
        hydra.utils.instantiate(cfg.trainer)
    elif group != "data":
        procedure = build_procedure(cfg)
    if group == "scheduler":
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        assert procedure.scheduler(optimizer, total_steps=100)["scheduler"].optimizer is optimizer


def chosen() -> set[tuple[str, str]]:
    """The group and option of each choice of an experiment."""
    paths = [CONFIGS / "train.yaml", *(CONFIGS / "experiment").glob("*.yaml")]
    return {(value.key, value.value) for path in paths for value in read_values(path) if value.group}


def test_sources_are_right():
    """A value is what its source quotes, and the paper says so at the place that the source names."""
    stated = [v for group, option in OPTIONS if group == "experiment" for v in experiment_values(option) if v.kind]
    wrong = [f"{value.file}:{value.line} {value.key}: {problem}" for value in stated for problem in value.problems]
    assert not wrong, "\n".join(dict.fromkeys(wrong))  # rows inherit


def test_every_fact_is_checked(facts):
    """A mistyped fact would be checked by no test."""
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    known = sorted(set(re.findall(r'facts?(?:\.get\(|[.(\[])"?(\w+)', tests)))
    near = {name: get_close_matches(name, known, n=1) or known for name in facts.keys() - set(known)}
    wrong = [f"facts.{name}. Did you mean {' or '.join(names)}?" for name, names in near.items()]
    assert not wrong, f"configs/paper.yaml: no test checks {' '.join(wrong)}"


def test_compared_experiments_differ(cfg, compose):
    """Those of a target with ``minus`` or ``over``; otherwise the option that tells them apart has not arrived."""
    for target in read_targets(cfg.paper):
        digests = {digest(compose(f"experiment={name}")) for name in target.experiments}
        alike = f"{' and '.join(target.experiments)} have the same settings: {target.row} compares nothing"
        assert len(digests) == len(target.experiments), alike


def test_every_target_is_measured(cfg, compose):
    """The metrics that ``configs/paper.yaml`` names are among those that their experiment logs."""
    if "src/{{ cookiecutter.package_name }}/metrics.py" in todos():
        pytest.skip("metrics.py still measures what the template came with")
    targets = read_targets(cfg.paper)
    for experiment in {name for target in targets for name in target.experiments}:
        cfg = compose(f"experiment={experiment}")
        trainer = fit(cfg, 1, limit_test_batches=1, limit_val_batches=1, log_every_n_steps=1)
        trainer.save_checkpoint(checkpoint := Path(cfg.run.dir) / "test.ckpt")
        logged = measure(cfg, trainer, trainer.lightning_module, build_data(cfg), checkpoint)
        missing = {target.metric for target in targets if experiment in target.experiments} - set(logged)
        assert not missing, f"{experiment} logs {sorted(logged)}, but not {sorted(missing)}"
