"""Every example: its answers bake, its files fit, its own tests pass, and a shortened run learns and is reported."""

import ast
import json
import re
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import mean, variance

import pytest
import yaml
from conftest import TEMPLATE, cookiecutter, run
from test_bake import tomllib

from examples import run as runner

EXAMPLES = sorted(path.parent.name for path in TEMPLATE.glob("examples/*/answers.yaml"))
TWO_MINUTES = ["trainer.max_steps=100", "++trainer.limit_test_batches=20"]


def reproduce(paper: str, folder: Path, *overrides: str) -> tuple[Path, str]:
    done = run("python", "examples/run.py", paper, "--folder", folder, *overrides, cwd=TEMPLATE)
    return repository_of(paper, folder), done.stdout


def repository_of(paper: str, folder: Path) -> Path:
    answers = yaml.safe_load((TEMPLATE / "examples" / paper / "answers.yaml").read_text())["default_context"]
    return folder / answers["project_slug"]


@pytest.fixture
def reproduce_in_forks(monkeypatch, capsys):
    """The same, where what ``examples/run.py`` starts is started by ``run`` of ``conftest.py``."""

    def reproduce(paper: str, folder: Path, *overrides: str) -> tuple[Path, str]:
        monkeypatch.setattr(runner, "run", lambda folder, *command: run(*command, cwd=folder).stdout)
        monkeypatch.setattr(sys, "argv", ["run.py", paper, "--folder", str(folder), *overrides])
        runner.main()
        return repository_of(paper, folder), capsys.readouterr().out

    return reproduce


@pytest.mark.parametrize("paper", EXAMPLES)
def test_example_fits(tmp_path, paper):
    """Its files fit the template of today: its own tests pass, and each of its targets is measured after a step."""
    repository = runner.bake(paper, tmp_path)
    run(
        "pytest",
        "-q",
        "-k",
        "test_paper or sources or fact or target or each_option or statistics or resumed or same_seed",
        cwd=repository,
    )
    if paper != "hamiltonian_nn":
        return
    # planted: a claim about something that nothing measures
    claims = repository / "configs/paper.yaml"
    claims.write_text(re.sub(r"metric: (test|val)/", r"metric: \1/un", claims.read_text(), count=1))
    assert "logs [" in run("pytest", "-q", "-k", "every_target_is_measured", cwd=repository, ok=False).stdout


@pytest.mark.slow
@pytest.mark.parametrize("paper", [name for name in EXAMPLES if name != "hamiltonian_nn"])  # that is the tutorial's
def test_example_shortened(tmp_path, paper, reproduce_in_forks):
    way = reproduce if paper == "grokking" else reproduce_in_forks  # which has the fewest runs
    repository, told = way(paper, tmp_path, *TWO_MINUTES, "--seeds", "0")  # its suite has passed, too
    assert "Equal to the record." in told and "another configuration" in told, "a shortened run must not count"
    for path in repository.glob("results/*-seed*.json"):
        record = json.loads(path.read_text())
        assert record["git"]["dirty"] is False and record["steps"] == 100
    run("ruff", "check", ".", cwd=repository)
    run("ruff", "format", "--check", ".", cwd=repository)
    assert "TODO(paper)" not in run("python", "report.py", cwd=repository).stdout, "an example is filled in"


@pytest.mark.parametrize("paper", EXAMPLES)
def test_overlay_leaves_the_harness_alone(paper):
    overlaid = [path.relative_to(TEMPLATE) for path in (TEMPLATE / "examples" / paper).rglob("harness")]
    assert not overlaid


def imported(paths: Iterable[Path]) -> set[str]:
    """The packages that these files import, by the names under which they are installed."""
    modules = set()
    for node in (node for path in paths for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module.partition(".")[0])
    names = packages_distributions()
    return {name.lower() for module in modules for name in names.get(module, [])}


@pytest.mark.parametrize("paper", EXAMPLES)
def test_an_example_declares_what_it_imports_and_no_more(tmp_path, paper):
    overlay = TEMPLATE / "examples" / paper / "overlay"
    cookiecutter(tmp_path, "--config-file", str(overlay.with_name("answers.yaml")))
    (repository,) = tmp_path.glob("*/pyproject.toml")
    baked, repository = repository.read_text(), repository.parent
    shutil.copytree(overlay, repository, dirs_exist_ok=True)
    ours = (repository / "pyproject.toml").read_text()
    dependencies = tomllib.loads(ours)["project"]["dependencies"]
    declared = {re.match(r"[\w.-]+", dependency)[0] for dependency in dependencies}
    assert imported(overlay.rglob("*.py")) <= declared <= imported(repository.rglob("*.py"))
    baked, ours = (re.sub(r"(?ms)^dependencies = .*?^\]", "", text) for text in (baked, ours))
    assert ours == baked, "what else stands in pyproject.toml is the template's"


def test_figures_have_no_raw_formulas():
    """The report parses no mathematics, and matplotlib labels a logarithmic axis with it."""
    assert not [path for path in TEMPLATE.glob("examples/*/figures/*.svg") if "mathdefault" in path.read_text()]


@pytest.mark.slow
def test_every_command_of_the_tutorial(tmp_path):
    """As it stands in ``examples/README.md``, but for the length of the trainings."""
    shutil.copytree(TEMPLATE, tmp_path / "clone", ignore=shutil.ignore_patterns(".venv", "build", ".git", ".*_cache"))
    commands = re.findall(r"```bash\n(.*?)```", (TEMPLATE / "examples/README.md").read_text(), re.DOTALL)
    script = "".join(commands)
    assert script.count("experiment=paper seed=") == script.count("experiment=baseline seed=") == 1
    script = re.sub(r"(experiment=(paper|baseline) seed=0,1,2)", r"\1 trainer.max_steps=200", script)
    script = script.replace(
        "pytest --quiet\n", "pytest --quiet tests/test_paper.py\n"
    )  # test_tasks.py runs a whole suite
    told, folder = "", tmp_path / "clone"
    for command in script.splitlines():
        if command.startswith(("python", "pytest")):  # in a fork, which bash cannot start
            words = run("bash", "-c", f"printf '%s\n' {command}", cwd=folder).stdout.splitlines()
            told += run(*words, cwd=folder).stdout
        else:
            folder = Path(run("bash", "-c", f"{command}\npwd", cwd=folder).stdout.splitlines()[-1])
    run("ruff", "check", ".", cwd=tmp_path / "clone/build/tutorial/hamiltonian-nn")
    run("ruff", "format", "--check", ".", cwd=tmp_path / "clone/build/tutorial/hamiltonian-nn")
    assert "Left to do" in told and "Equal to the record." in told and "Up to date: " in told


def test_the_gallery_is_what_the_records_say(tmp_path):
    copy = shutil.copytree(TEMPLATE, tmp_path / "clone", ignore=shutil.ignore_patterns(".venv", "build", ".git"))
    written = [copy / "README.md", *copy.glob("examples/*/README.md")]
    before = {path: path.read_text() for path in written}
    readme = copy / "examples/grokking/README.md"
    readme.write_text(readme.read_text().replace("| reproduced |", "| not reproduced |"))
    run("python", "examples/gallery.py", cwd=copy)
    assert {path: path.read_text() for path in written} == before


@pytest.mark.slow
@pytest.mark.parametrize("paper", EXAMPLES)
def test_example_at_full_length(tmp_path, paper):
    """Each target again, as far as its seeds let it be known: rounding differs between machines, and training amplifies it."""
    repository, told = reproduce(paper, tmp_path)
    assert "missing" not in told
    for target in yaml.safe_load((repository / "configs/paper.yaml").read_text())["targets"]:
        again = sorted((repository / "results").glob(f"{target['experiment']}-*-seed*.json"))
        committed = [TEMPLATE / "examples" / paper / "results" / path.name for path in again]
        assert len(again) >= 3
        ours, before = (
            [json.loads(path.read_text())["metrics"][target["metric"]] for path in paths]
            for paths in (again, committed)
        )
        error = ((variance(ours) + variance(before)) / len(again)) ** 0.5
        assert mean(ours) == pytest.approx(mean(before), rel=0.01, abs=4 * error), target
