"""Reproduce an example: bake it, lay its files on top, train every experiment and seed, evaluate, report.

``python examples/run.py hamiltonian_nn`` works in ``build/`` and prints each command it runs.
"""

import argparse
import os
import shutil
import subprocess
import sys
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
    run(folder, "cookiecutter", str(TEMPLATE), "--no-input", "--config-file", str(example / "answers.yaml"))
    shutil.copytree(example / "overlay", repository, dirs_exist_ok=True)
    run(repository, "git", "add", "--all")
    run(repository, "git", "commit", "--quiet", "--message", "Fill in the paper")
    return repository


def run(folder: Path, *command: str) -> None:
    """Run a command, showing it; end with its exit code when it fails."""
    print("$", *command, flush=True)
    if code := subprocess.run(command, cwd=folder, env=ENVIRONMENT).returncode:
        sys.exit(code)


def train(repository: Path, seeds: str, overrides: list[str]) -> None:
    """Train every experiment that a target of the paper names, two at a time."""
    targets = yaml.safe_load((repository / "configs" / "paper.yaml").read_text(encoding="utf-8"))["targets"]
    commands = [
        ["python", "train.py", "-m", f"experiment={experiment}", f"seed={seeds}", *overrides]
        for experiment in dict.fromkeys(target["experiment"] for target in targets)
    ]
    for pair in (commands[i : i + 2] for i in range(0, len(commands), 2)):
        running = []
        for command in pair:
            print("$", *command, flush=True)
            log = (repository / f"{command[3].removeprefix('experiment=')}.log").open("w")
            running.append(
                (subprocess.Popen(command, cwd=repository, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT), log)
            )
        for process, log in running:
            if process.wait():
                sys.exit(f"Failed; the last lines of {log.name}:\n{Path(log.name).read_text()[-2000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paper", help="a folder of examples/")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--folder", type=Path, default=TEMPLATE / "build")
    parser.add_argument("overrides", nargs="*", help="further overrides of train.py")
    arguments = parser.parse_args()
    repository = bake(arguments.paper, arguments.folder)
    train(repository, arguments.seeds, arguments.overrides)
    for record in sorted((repository / "results").glob(f"*-seed{arguments.seeds.split(',')[0]}.json")):
        run(repository, "python", "evaluate.py", f"run=runs/{record.stem}")
    run(repository, "python", "report.py")
    print(f"\nIn {os.path.relpath(repository)}: README.md, docs/figures/, results/")


if __name__ == "__main__":
    main()
