"""Reproduce an example: bake it, lay its files on top, train every experiment and seed, evaluate, test, report.

``python examples/run.py hamiltonian_nn`` works in ``build/`` and prints each command it runs.
"""

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

TEMPLATE = Path(__file__).resolve().parents[1]
IDENTITY = {"GIT_AUTHOR_NAME": "example", "GIT_AUTHOR_EMAIL": "example@example.org"}
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": "src",
    **IDENTITY,
    **{name.replace("AUTHOR", "COMMITTER"): value for name, value in IDENTITY.items()},
}


def bake(paper: str, folder: Path) -> Path:
    """The repository of the example, committed, in ``folder``."""
    example = TEMPLATE / "examples" / paper
    if not (example / "answers.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in TEMPLATE.glob("examples/*/answers.yaml")))
        sys.exit(f"examples/{paper}: no such example. There is: {known}.")
    slug = yaml.safe_load((example / "answers.yaml").read_text(encoding="utf-8"))["default_context"]["project_slug"]
    repository = folder / slug
    shutil.rmtree(repository, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    run(
        folder,
        "cookiecutter",
        os.path.relpath(TEMPLATE, folder),
        "--no-input",
        "--config-file",
        str(example / "answers.yaml"),
    )
    shutil.copytree(example / "overlay", repository, dirs_exist_ok=True)
    run(repository, "git", "add", "--all")
    run(repository, "git", "commit", "--quiet", "--message", "Fill in the paper")
    return repository


def run(folder: Path, *command: str) -> str:
    """Run a command and return what it prints; end with its exit code when it fails, after its last lines."""
    print(f"$ {' '.join(command)}\n", end="", flush=True)  # in one piece, for two may speak at once
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        print(done.stdout[-4000:])
        sys.exit(done.returncode)
    return done.stdout


def keep(repository: Path, example: Path) -> None:
    """Take over the records of the runs that count, and such figures as the example shows."""
    (example / "results").mkdir(exist_ok=True)
    for path in (repository / "results").glob("*-seed*.json"):
        shutil.copy(path, example / "results")
    for path in example.glob("figures/*.svg"):
        shutil.copy(repository / "docs" / "figures" / path.name, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paper", help="a folder of examples/")
    parser.add_argument("--seeds", help="those of configs/paper.yaml, if none are given")
    parser.add_argument("--folder", type=Path, default=TEMPLATE / "build")
    parser.add_argument("--keep", action="store_true", help="let records and figures replace those of the example")
    parser.add_argument("overrides", nargs="*", help="further overrides of train.py")
    arguments = parser.parse_intermixed_args()
    repository = bake(arguments.paper, arguments.folder)
    paper = yaml.safe_load((repository / "configs" / "paper.yaml").read_text(encoding="utf-8"))
    seeds = arguments.seeds.split(",") if arguments.seeds else paper["seeds"]
    experiments = dict.fromkeys(target["experiment"] for target in paper["targets"])
    wanted = [[f"experiment={name}", f"seed={seed}", *arguments.overrides] for name in experiments for seed in seeds]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each run has one thread
        list(pool.map(lambda overrides: run(repository, "python", "train.py", *overrides), wanted))
    for name in experiments:
        first = next((repository / "results").glob(f"{name}-*-seed{seeds[0]}.json"))
        print(run(repository, "python", "evaluate.py", f"run=runs/{first.stem}"))
    run(repository, "pytest", "--quiet")
    print(run(repository, "python", "report.py"))
    if arguments.keep:
        keep(repository, TEMPLATE / "examples" / arguments.paper)
    print(f"In {os.path.relpath(repository)}: README.md, docs/figures/, results/")


if __name__ == "__main__":
    main()
