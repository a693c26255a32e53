"""Correct repositories as different as papers are: the generated suite is green on each, and each command works."""

import json
import shutil
import signal
from pathlib import Path

import pytest
from conftest import TEMPLATE, run
from test_resume import EXIT, differences, record, results_of, rows, stop, train

SHAPES = sorted(path for path in (TEMPLATE / "tests/shapes").iterdir() if (path / "procedure.py").exists())


FAST = {"tabular_td"}  # a sequence with padding is among the planted bugs
ALL = [pytest.param(path, id=path.name, marks=[pytest.mark.slow] * (path.name not in FAST)) for path in SHAPES]


@pytest.fixture
def shape(path: Path, repo: Path) -> Path:
    """A bake with the files of the paper, and without the stand-in's tests."""
    for file in path.glob("*.py"):
        shutil.copy(file, repo / "src/my_paper")
    shutil.copytree(path / "configs", repo / "configs", dirs_exist_ok=True)
    (repo / "tests/test_paper.py").write_text('"""The claims of the paper."""\n')
    run("git", "add", "--all", cwd=repo)
    run("git", "commit", "--quiet", "--message", "Fill in the paper", cwd=repo)
    return repo


@pytest.mark.parametrize("path", ALL)
def test_no_false_alarm(shape: Path):
    done = run("pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "tests/checks", cwd=shape, ok=False)
    assert done.returncode == 0, done.stdout
    unstated = done.stdout.partition("so not checked: ")[2].partition("\n")[0].split(", ")
    optimizer = "override /optimizer: null" not in (shape / "configs/experiment/paper.yaml").read_text()
    assert optimizer or not {"optimizer", "batch_size", "learning_rate", "gradient_clip"} & {*unstated}, (
        "nobody states them"
    )


def test_a_model_may_be_called_by_a_method_of_its_own(repo: Path):
    """Such as ``log_prob`` of a flow; the checks of the model hold for it, and see a mistake in it."""
    model, procedure = repo / "src/my_paper/model.py", repo / "src/my_paper/procedure.py"
    model.write_text(model.read_text().replace("def forward(", "def logits("))
    procedure.write_text(procedure.read_text().replace("self.model(images)", "self.model.logits(images)"))
    of_it = "pytest", "-q", "-rsf", "tests/checks/test_model.py", "-k", "no_other or deterministic or drops"
    assert "3 passed, 1 skipped" in (told := run(*of_it, cwd=repo).stdout), told  # batch norm lets samples interact
    model.write_text(model.read_text().replace("nn.Dropout(dropout)", "AlwaysOn(dropout)") + ALWAYS_ON)
    told = run(*of_it, cwd=repo, ok=False).stdout
    assert "FAILED tests/checks/test_model.py::test_evaluation_is_deterministic" in told


def test_validation_may_have_a_single_sample(repo: Path):
    """As where a paper fits one image, or a simulation stands in for data."""
    data = repo / "src/my_paper/data.py"
    data.write_text(data.read_text().replace("dataset(x_val, y_val)", "dataset(x_val[:1], y_val[:1])"))
    told = run("pytest", "-q", "-rs", "tests/checks/test_metrics.py", cwd=repo).stdout
    assert "5 skipped" in told and "cannot be put into other batches" in told and "arning" not in told, told


def test_each_seed_may_begin_with_weights_of_its_own(repo: Path):
    """Such as those of the teacher that was trained with the same seed."""
    model = repo / "src/my_paper/model.py"
    path = repo / "configs/paper.yaml"
    path.write_text(path.read_text().replace("pretrained: null", "pretrained: [model]"))
    with (repo / "configs/model/paper.yaml").open("a") as file:
        file.write("teacher: ${seed}\n")
    of_it = "pytest", "-q", "tests/checks/test_training.py", "-k", "pretrained"
    code = model.read_text().replace("dropout: float", "teacher: int, dropout: float")
    model.write_text(code)
    assert "weights of model are drawn at random" in run(*of_it, cwd=repo, ok=False).stdout
    model.write_text(
        code.replace(
            "super().__init__()", "super().__init__()\n        import torch\n        torch.manual_seed(teacher)"
        )
    )
    assert "1 passed" in run(*of_it, cwd=repo).stdout


def test_a_term_may_be_of_training_alone(repo: Path):
    """Such as the loss of adversarial examples."""
    procedure, path = repo / "src/my_paper/procedure.py", repo / "configs/paper.yaml"
    path.write_text(path.read_text().replace("  loss: {} ", "  loss: {clean: 1, twice: 2} "))
    code, plain = procedure.read_text(), "        return self.loss(logits, labels)\n"
    of_it = "pytest", "-q", "tests/checks/test_loss.py", "-k", "sum_of_its_terms"
    for weight, ends in {2: "1 passed", 3: "1 failed"}.items():
        terms = f'{{"loss": clean * (1 + {weight}), "clean": clean, "twice": clean}}'
        both = f"        clean = self.loss(logits, labels)['loss']\n        return {terms} if self.training else {{'loss': clean}}\n"
        procedure.write_text(code.replace(plain, both))
        assert ends in run(*of_it, cwd=repo, ok=False).stdout


def test_a_metric_may_be_the_width_of_an_interval(repo: Path):
    """Which is 0 where all outputs are equal, as no tie is."""
    metrics, path = repo / "src/my_paper/metrics.py", repo / "configs/paper.yaml"
    metrics.write_text(
        metrics.read_text().replace('average="micro")})', 'average="micro"), "width": Width()})') + WIDTH
    )
    path.write_text(path.read_text().replace("\ntargets:\n", "\ntargets:\n  - {metric: test/width, mode: min}\n"))
    assert "1 passed" in run("pytest", "-q", "tests/checks/test_metrics.py", "-k", "as_chance", cwd=repo).stdout


WIDTH = """

from torchmetrics import MeanMetric


class Width(MeanMetric):
    def update(self, logits, labels):
        super().update(logits.max(1).values - logits.min(1).values)
"""
ALWAYS_ON = """

class AlwaysOn(nn.Dropout):
    def forward(self, given: Tensor) -> Tensor:
        return nn.functional.dropout(given, self.p)
"""


@pytest.mark.parametrize("path", [TEMPLATE / "tests/shapes/tabular_td"])
@pytest.mark.parametrize("automatic", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_thousand_steps_in_a_batch(shape: Path, automatic: bool):
    """Budget, curves and a resumed run count single steps, whichever optimization Lightning takes it for."""
    if automatic:
        path = shape / "src/my_paper/procedure.py"
        path.write_text(path.read_text().replace("        self.automatic_optimization = False\n", ""))
        run("git", "commit", "--quiet", "--all", "--message", "Leave it to Lightning", cwd=shape)
    budget = "experiment=paper", "trainer.max_steps=200_000", "resume=auto"
    train(shape, *budget)
    whole = results_of(shape)
    assert [facts["record.json"]["steps"] for facts in whole.values()] == [200_000]
    logged = next(iter(whole.values()))["metrics.csv"].splitlines()
    steps = [int(line.split(",")[1]) for line in logged[1:]]
    assert steps == [*range(999, 200_000, 1000), 200_000]
    stop(shape, signal.SIGTERM, rows(2), *budget)
    train(shape, *budget)
    assert not differences(results_of(shape), whole)


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL)
def test_every_command(shape: Path):
    assert stop(shape, signal.SIGINT, rows(2), "experiment=paper", "resume=auto") == EXIT[signal.SIGINT]
    told = train(shape, "experiment=paper", "resume=auto")
    assert "Warning" not in told.stderr, told.stderr
    assert record(shape)["resumed"] is True and record(shape)["status"] == "finished"
    assert "Equal to the record." in run("python", "evaluate.py", f"run={record(shape)['run']}", cwd=shape).stdout
    assert json.loads(next(shape.glob("results/*.json")).read_text())["metrics"]
    run("python", "report.py", cwd=shape)
