"""Procedures that are not "minimise over batches" fit into ``procedure.py``, and the machinery needs no edit."""

import json
import re
from pathlib import Path

import pytest
from conftest import TEMPLATE, run

PROCEDURES = sorted((TEMPLATE / "tests/procedures").glob("*.py"))
SHORT = ["trainer.max_epochs=4", "callbacks.progress=null"]


FAST = {"adversarial"}


@pytest.mark.parametrize(
    "procedure",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem not in FAST)) for path in PROCEDURES],
)
def test_a_procedure_trains_measures_and_is_verified(repo: Path, procedure: Path):
    (repo / "src/my_paper/procedure.py").write_text(procedure.read_text())
    claims = repo / "configs/paper.yaml"  # whose facts are of another loss
    claims.write_text(re.sub(r"(initial_loss|learns_within_steps): [\d.]+", r"\1: null", claims.read_text()))
    run("git", "commit", "--all", "--quiet", "--message", "Write the procedure", cwd=repo)
    run("python", "train.py", "experiment=paper", *SHORT, cwd=repo)
    (record,) = [json.loads(path.read_text()) for path in (repo / "results").glob("*.json")]
    assert record["status"] == "finished" and record["epochs"] == 4
    assert all(abs(value) < 100 for value in record["metrics"].values())
    if procedure.stem != "adversarial":
        assert record["metrics"]["test/accuracy"] > 0.3  # one in ten by chance
    assert "Equal to the record." in run("python", "evaluate.py", f"run={record['run']}", cwd=repo).stdout
    with (repo / record["run"] / "metrics.csv").open() as file:
        assert "train/loss" in file.readline()

    of_it = [f"tests/checks/test_{name}.py" for name in ("model", "optimization", "training", "resume", "protocol")]
    suite = run("pytest", "-q", "-p", "no:cacheprovider", *of_it, cwd=repo, ok=False)
    assert suite.returncode == 0, suite.stdout
