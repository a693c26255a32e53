"""Each skeleton as it is baked: it trains, is measured again alike, reaches its figure, and its own suite is green."""

import json
from pathlib import Path

import pytest
from conftest import run
from test_bake import OPTIONS
from test_run import OFFLINE

# The metric of the task, and what the untouched skeleton must reach
FIGURES = {
    "classification": lambda m: m["test/accuracy"] >= 0.97,
    "contrastive": lambda m: min(m["test/knn"], m["test/linear"]) >= 0.94 > m["test/knn_untrained"],
    # a Gaussian with the mean and covariance of the digits has 6e-3, an untrained network 67e-3
    "generative": lambda m: abs(m["test/mmd2_reference"]) < 2e-3 and m["test/mmd2"] < 5.4e-3,
    "physics": lambda m: m["test/relative_l2"] <= 1e-2,
    "sequence": lambda m: m["test/bits_per_character"] < m["test/bits_per_character_5gram"],
}
LEFT_IN_RUNS = {
    "generative": ["samples/epoch_000.png", "samples/epoch_044.png"],
    "physics": ["solution.png"],
    "sequence": ["sample.txt"],
}


def train(repo: Path, experiment: str) -> dict:
    """The record of a run, which ``evaluate.py`` has measured again."""
    run("python", "train.py", f"experiment={experiment}", "callbacks.progress=null", cwd=repo)
    (path,) = (repo / "results").glob(f"{experiment}-*.json")
    record = json.loads(path.read_text())
    assert record["status"] == "finished"
    assert "Equal to the record." in run("python", "evaluate.py", f"run={record['run']}", cwd=repo).stdout
    return record


def suite(repo: Path, *options: str) -> None:
    done = run(*OFFLINE, "pytest", "-q", "-p", "no:cacheprovider", *options, cwd=repo, ok=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("task", FIGURES)
def test_an_untouched_skeleton(bake, task: str):
    repo: Path = bake(task=task)
    network = train(repo, "smoke")["architecture"][0]
    assert network["out"] != "?" and network["flops"] != 0, "of the network that runs: the average in generative"
    # most options are the same files in each task
    suite(
        repo, *["--deselect=tests/checks/test_configs.py::test_option_composes_and_builds"] * (task != "classification")
    )


def test_checks_run_on_another_row(bake):
    """With the row's facts; a run of all checks says that there are other rows."""
    repo = bake()
    row = repo / "configs/experiment/row.yaml"
    row.write_text("# @package _global_\ndefaults:\n  - paper\nmodel: {width: 8}\npaper: {facts: {parameters: 999}}\n")
    paper = repo / "configs/paper.yaml"
    paper.write_text(paper.read_text().replace("experiment: paper ", "experiment: row "))
    checks = "pytest", "-q", "tests/checks/test_model.py", "-k", "size_is or deterministic"
    assert "For others: EXPERIMENT=row pytest tests/checks\n" in run(*checks, cwd=repo).stdout
    done = run(*checks, cwd=repo, ok=False, EXPERIMENT="row")
    assert done.returncode == 1 and "trained parameters, the paper states 999" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "answer"),
    [(question, answer) for question, answers in OPTIONS.items() if question != "task" for answer in answers],
)
def test_every_answer_that_is_offered(bake, question: str, answer: str):
    """For the tasks, see above."""
    suite(bake(**{question: answer}))


@pytest.mark.slow  # at full length
@pytest.mark.parametrize("task", FIGURES)
def test_an_untouched_skeleton_reaches_its_figure(bake, task: str):
    repo: Path = bake(task=task)
    suite(repo)
    record = train(repo, "paper")
    assert FIGURES[task](record["metrics"]), record["metrics"]
    for name in LEFT_IN_RUNS.get(task, []):
        assert (repo / record["run"] / name).is_file()
    assert "status: trained" in run("python", "report.py", cwd=repo).stdout


@pytest.mark.parametrize("task", FIGURES)
def test_todos_say_what_is_a_stand_in(bake, task: str):
    repo: Path = bake(task=task)
    for name in ("model", "loss", "data", "metrics", "procedure"):
        assert "TODO(paper)" in (repo / f"src/my_paper/{name}.py").read_text(), name
    assert "until data.py" in (repo / "src/my_paper/__init__.py").read_text()
