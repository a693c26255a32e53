"""Where a run lies, what it is called, and which changes leave its record valid."""

import shutil
import signal

import pytest
from conftest import cookiecutter, run, start
from test_resume import rows, stop
from test_run import edit, record, train

LONG = "trainer.max_epochs=10000"


@pytest.mark.slow
def test_two_repositories_in_one_environment(tmp_path):
    """Both are installed, and Hydra imports the plugins of both: each command still works in its own repository."""
    names = ["first", "second"]
    for name in names:
        cookiecutter(tmp_path, project_slug=name, package_name=name)
    both = {"PYTHONPATH": ":".join(str(tmp_path / name / "src") for name in names)}
    for name in names:
        repo, other = tmp_path / name, tmp_path / (set(names) - {name}).pop()
        before = sorted(other.rglob("*"))
        run("python", "train.py", "experiment=smoke", cwd=repo, **both)
        (result,) = repo.glob("results/smoke-*.json")
        assert "Equal to the record." in run("python", "evaluate.py", f"run={result.stem}", cwd=repo, **both).stdout
        assert result.stem in run("python", "report.py", cwd=repo, **both).stdout
        edit(
            repo / "configs/experiment/paper.yaml",
            "32-true  # TODO(paper): where is it stated?",
            "32-true  # assumed: not stated; {bf16-mixed}",
        )
        run("python", "train.py", "-m", "sweep=ambiguities", "trainer.max_steps=2", "ckpt=last", cwd=repo, **both)
        assert len(list(repo.glob("runs/paper-*-seed0/record.json"))) == 2
        assert (repo / "runs/.multirun/multirun.yaml").is_file()
        assert [path for path in sorted(other.rglob("*")) if path not in before and path.suffix != ".pyc"] == [
            path for path in sorted(other.rglob("__pycache__")) if path not in before
        ]


def saved(repo) -> bool:
    return any(repo.glob("runs/*/checkpoints/last.ckpt"))


@pytest.mark.parametrize("resume", [[], ["resume=auto"]])
def test_equal_commands_at_once_do_not_share_a_folder(repo, resume):
    command = ["python", "train.py", LONG, "callbacks.progress=null", *resume]
    first = start(*command, cwd=repo)
    try:
        while not rows(2)(repo):
            assert first.poll() is None
        second = run(*command, "trainer.max_steps=-1", cwd=repo, ok=False) if resume else None
        if second:
            assert second.returncode == 1 and "is being trained by another process" in second.stderr
            assert len(second.stderr.strip().splitlines()) == 1
        else:
            other = start(*command, cwd=repo)
            while len(list(repo.glob("runs/*/record.json"))) < 2:
                assert other.poll() is None
            other.send_signal(signal.SIGKILL)
            other.wait()
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    folders = sorted(path.name for path in repo.glob("runs/paper-*"))
    assert len(folders) == (1 if resume else 2) and folders[-1] == folders[0] + ("" if resume else "-2")


def test_a_refused_run_leaves_no_folder(repo):
    train(repo, "+data.unknown=1", ok=False)
    assert not list(repo.glob("runs/paper-*"))


def test_a_run_that_starts_again_before_its_first_checkpoint_counts(repo):
    """Nothing of the first attempt was loaded, so that the weights are of the present code alone."""
    overrides = ["trainer.max_epochs=3", "resume=auto"]
    assert stop(repo, signal.SIGKILL, rows(1), *overrides, "callbacks.last.interval=1000") == -signal.SIGKILL
    assert not list(repo.glob("runs/*/checkpoints/last.ckpt"))
    edit(repo / "src/my_paper/model.py", "nn.ReLU()", "nn.GELU()")
    run("git", "commit", "--quiet", "--all", "--message", "Another activation", cwd=repo)
    train(repo, *overrides)
    result = record(repo)
    assert result["resumed"] is False and result["code"] != "mixed" and result["git"]["dirty"] is False


def test_a_run_of_two_versions_of_the_code_does_not_count(repo):
    overrides = ["trainer.max_epochs=3", "resume=auto"]
    assert stop(repo, signal.SIGKILL, saved, *overrides) == -signal.SIGKILL
    edit(repo / "src/my_paper/procedure.py", "images, labels = batch", "images, labels = tuple(batch)")
    run("git", "commit", "--quiet", "--all", "--message", "Change the procedure", cwd=repo)
    train(repo, *overrides)
    assert record(repo)["resumed"] is True and record(repo)["code"] == "mixed"


DIGESTS = """
from my_paper.harness.identity import compose
from my_paper.harness.evidence.record import code_digest
from my_paper.harness.identity import digest
print(code_digest(), digest(compose("experiment=paper")), digest(compose("experiment=paper", "scheduler=cosine")))
"""


def test_a_later_version_of_the_template_leaves_digests_as_they_are(repo):
    """Files of ``harness/`` move; but a new key of a hashed group is another configuration."""

    def digests() -> list[str]:
        return run("python", "-c", DIGESTS, cwd=repo).stdout.split()

    before, harness = digests(), repo / "src/my_paper/harness"
    (harness / "room/deeper").mkdir(parents=True)
    shutil.move(harness / "reporting/figures.py", harness / "room/deeper/figures.py")
    assert digests() == before
    with (repo / "configs/scheduler/cosine.yaml").open("a") as file:
        file.write("restarts: 1\n")
    assert digests()[:2] == before[:2] and digests()[2] != before[2]
