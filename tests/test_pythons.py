"""What needs no torch, under the oldest Python that is declared and a new one, which the suite itself may not run on."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import run
from test_report import CLAIM, edit

NEEDED = ["hydra-core", "jinja2", "pyyaml"]
VERSION = "import sys; print(*sys.version_info[:2], sep='.')"


def interpreter(version: str) -> Path:
    """A Python of this version; the test is skipped where there is none."""
    places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for place in filter(None, places):  # the first may be pyenv's, which only says that the version is not active
        if subprocess.run([place, "-c", VERSION], capture_output=True, text=True).stdout.strip() == version:
            return Path(place)
    pytest.skip(f"There is no Python {version} here.")


@pytest.fixture(scope="module")
def finished(_default_bake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that claims what its smoke run reaches; the run has left its folder, its record and a sample."""
    repo = shutil.copytree(_default_bake, tmp_path_factory.mktemp("finished") / "my-paper", symlinks=True)
    path = repo / "configs/paper.yaml"
    text = path.read_text()
    for before, after in CLAIM.items():
        text = text.replace(before, after)
    path.write_text(text)
    edit(path, experiment="smoke", seeds="[0]", tolerance="100")
    run("git", "commit", "--quiet", "--all", "--message=Claim", cwd=repo)
    run("python", "train.py", "experiment=smoke", cwd=repo)
    samples = next(repo.glob("runs/smoke-*")) / "samples"
    samples.mkdir()
    (samples / "step-20.txt").write_text("To be or")
    return repo


@pytest.mark.parametrize(
    ("version", "draws"),
    [("3.10", False), *(pytest.param(version, True, marks=pytest.mark.slow) for version in ("3.10", "3.13"))],
)
def test_report_and_answers_at_once(finished, tmp_path, version, draws):
    """Where it draws nothing, without matplotlib, which takes longest to install."""
    found = interpreter(version)
    repo, python = shutil.copytree(finished, tmp_path / "my-paper"), tmp_path / "venv/bin/python"
    run(found, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    pip = [found, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    run(*pip, "--constraint", "constraints.txt", *NEEDED, *["matplotlib"] * draws, cwd=repo)

    def ask(*command: str, ok: bool = True) -> subprocess.CompletedProcess:
        return run(python, *command, cwd=repo, ok=ok, PYTHONDONTWRITEBYTECODE="")  # compiled once, not each time

    assert "No module named 'torch'" in ask("-c", "import torch", ok=False).stderr
    if draws:
        for _ in range(2):
            assert "(n = 1)" in ask("report.py").stdout
    else:
        run("python", "report.py", cwd=repo)
    assert (repo / "docs/figures/smoke-seed0-samples-step-20.txt").read_text() == "To be or"
    assert ask("report.py", "--check").stdout == run("python", "report.py", "--check", cwd=repo).stdout
    assert "\noptimizer:\n" in ask("train.py", "--cfg", "job").stdout
    assert "experiment: paper, smoke" in ask("train.py", "--help").stdout
    assert ask("train.py", "optimiser.lr=1", ok=False).stderr.endswith("Did you mean optimizer.lr?\n")
