"""Correct repositories as different as papers are: the generated suite is green on each, and each command works."""

import json
import shutil
import signal
from pathlib import Path

import pytest
from conftest import TEMPLATE, run
from test_resume import EXIT, record, rows, stop, train

SHAPES = sorted(path for path in (TEMPLATE / "tests/shapes").iterdir() if (path / "procedure.py").exists())


FAST = {"graph_batch", "optimizer_paper", "padded_sequences", "pinn_lbfgs", "policy_gradient", "several_outputs"}
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
    done = run("pytest", "-q", "--tb=short", "-p", "no:cacheprovider", cwd=shape, ok=False)
    assert done.returncode == 0, done.stdout


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
