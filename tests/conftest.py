"""Real bakes and real commands: nothing of cookiecutter, Hydra or Lightning is replaced by a double."""

import functools
import os
import shutil
import signal
import subprocess
import sys
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest
from warm import HEAVY, LIGHT, Warm

TEMPLATE = Path(__file__).resolve().parents[1]
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", ".*cache", ".hypothesis", "__pycache__", "build", "runs")
# Each bake has its package in src/; one thread, one seed of Python's hashes, no account, no colours. Bytecode is
# written: without it, an import of PyTorch and Lightning compiles for twenty seconds in each command.
_LEFT_OUT = ("WANDB_", "PYTEST_", "PYTHONDONTWRITEBYTECODE")
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith(_LEFT_OUT)},
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    # what our own tests compare with is not there in a generated repository: its import takes two seconds
    "PYTHONPATH": f"src:{Path(__file__).parent / 'without'}",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "200",
    # a port that nobody listens to: no test asks the world
    "PAPER_TEMPLATE_ARXIV_URL": "http://127.0.0.1:9/api/query",
    "PAPER_TEMPLATE_CROSSREF_URL": "http://127.0.0.1:9/works",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
}


READ_LATE = {"CUDA_VISIBLE_DEVICES", "EXPERIMENT", "HOME", "PYTHONPATH"}  # than when Python or PyTorch starts

# A network namespace of its own has no network at all; where the system allows none, the tests run with one
_ALONE = ("unshare", "--map-root-user", "--net")
OFFLINE = (
    _ALONE if shutil.which("unshare") and subprocess.run([*_ALONE, "true"], capture_output=True).returncode == 0 else ()
)


@functools.cache  # started when a test first asks for one
def heavy() -> Warm:
    """With PyTorch, and without a network."""
    return Warm(HEAVY, ENVIRONMENT, *OFFLINE)


@functools.cache
def _light() -> Warm:
    return Warm(LIGHT, ENVIRONMENT)


def _warm(command: tuple[str, ...], environment: dict[str, str]) -> Warm | None:
    """The process in whose fork a command can be run, if any: see ``warm.py``; ``REAL_PROCESSES=1 pytest`` has none."""
    several = any(part.startswith(("trainer.accelerator=cpu", "hydra/launcher=", "-n")) for part in command)  # DDP's
    if os.environ.get("REAL_PROCESSES") or several or environment.keys() - READ_LATE:
        return None
    if command[0] == "cookiecutter" or command[:2] == ("python", "-c"):
        return _light()
    script = command[0] == "python" and command[1].endswith(".py")
    return heavy() if script or command[0] == "pytest" else None


def run(*command: object, cwd: Path, ok: bool = True, **environment: str) -> subprocess.CompletedProcess:
    """Run a command as a person would; with ``ok``, it must exit with 0."""
    words = tuple(str(part) for part in command)
    variables = {**ENVIRONMENT, **environment}
    bare = words[len(OFFLINE) :] if words[: len(OFFLINE)] == OFFLINE else words
    if warm := _warm(bare, environment):
        done = warm(bare, cwd, {**variables, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})  # of ours: half of a short pytest
    else:
        quiet = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        done = subprocess.run(words, cwd=cwd, env=variables, **quiet)
    assert not ok or done.returncode == 0, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def start(*words: str, cwd: Path):
    """The same in the background: a ``subprocess.Popen``, or what is like one; nobody sees what it prints."""
    if warm := _warm(words, {}):
        return warm.start(words, cwd, ENVIRONMENT)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # where the suite runs in the background, Ctrl-C is ignored, and a child inherits that
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return subprocess.Popen(words, cwd=cwd, env=ENVIRONMENT, **quiet, **heard)


def cookiecutter(folder: Path, *options: str, ok: bool = True, **answers: str) -> subprocess.CompletedProcess:
    """``cookiecutter --no-input`` with its own home, so that nobody's configuration or replay is touched."""
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    given = [f"{key}={value}" for key, value in answers.items()]
    return run("cookiecutter", TEMPLATE, "--no-input", *options, *given, cwd=folder, ok=ok, HOME=str(home))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: at the end, no process waits for another one's half minute."""
    items.sort(key=lambda item: item.path.name not in ("test_tasks.py", "test_examples.py", "test_scale.py"))


COLLECT = (
    "import sys, pytest; sys.dont_write_bytecode = False; pytest.main(['--collect-only', '-p', 'no:cacheprovider'])"
)


def compiled(repo: Path) -> Path:
    """With bytecode of its sources and tests, which pytest takes longer to compile than to run one of them."""
    # which knows its source by a digest, and not by an age in seconds: a test may edit a file twice in one
    compile_dir(repo / "src", quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    heavy()(("python", "-c", COLLECT), repo, {**ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    return repo


@pytest.fixture(scope="session")
def _default_bake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bake")
    cookiecutter(folder)
    return compiled(folder / "my-paper")


@pytest.fixture
def repo(_default_bake: Path, tmp_path: Path) -> Path:
    """A fresh copy of the default bake, with its history."""
    return shutil.copytree(_default_bake, tmp_path / "my-paper", symlinks=True)


@pytest.fixture
def bake(tmp_path: Path):
    """Bake with some answers; returns the folder of the repository."""

    def bake(*options: str, **answers: str) -> Path:
        before = set(tmp_path.iterdir())
        cookiecutter(tmp_path, *options, **answers)
        (folder,) = {path for path in tmp_path.iterdir() if path.is_dir()} - before - {tmp_path / ".home"}
        return folder

    return bake


def commit(folder: Path, message: str) -> None:
    run("git", "add", "--all", cwd=folder)
    run("git", "commit", "--quiet", f"--message={message}", cwd=folder)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template as it stands in the working tree, committed."""
    folder = shutil.copytree(TEMPLATE, tmp_path / "template", ignore=NOT_SOURCE)
    run("git", "init", "--quiet", cwd=folder)
    commit(folder, "As it stands")
    return folder
