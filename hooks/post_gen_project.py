"""Lay the chosen skeleton, start the history, and say what comes next."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TASK, LICENSE, SLUG = "{{ cookiecutter.task }}", "{{ cookiecutter.license }}", "{{ cookiecutter.project_slug }}"
# cruft also bakes into temporary folders, to compare them file by file; a .git there breaks its update and diff
CRUFT = "{{ '_commit' in cookiecutter }}" == "True"


def lay_skeleton() -> None:
    """Move the files of the task to their places, and drop the other tasks."""
    skeleton = Path("skeletons", TASK)
    for source in [path for path in skeleton.rglob("*") if path.is_file()]:
        target = source.relative_to(skeleton)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
    shutil.rmtree("skeletons")


def lay_license() -> None:
    if LICENSE != "none":
        os.replace(Path("licenses", LICENSE), "LICENSE")
    shutil.rmtree("licenses")


def git(*args: str) -> bool:
    try:
        return subprocess.run(["git", *args], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def start_history() -> list[str]:
    """Commit the files, so that the first run can say from which code it came.

    Not inside somebody's repository, unless that ignores the folder; and never under a made-up name.

    Returns:
        What is left to type until there is a commit.
    """
    commit = ["git add -A", "git commit -m 'Start from paper-template'"]
    if git("rev-parse", "--is-inside-work-tree") and not git("check-ignore", "--quiet", "."):
        return commit
    if CRUFT or not git("init", "--quiet"):
        return ["git init", *commit]
    git("add", "--all")
    return [] if git("commit", "--quiet", "--no-verify", "--message=Start from paper-template") else commit


lay_skeleton()
lay_license()
first = [f"cd {SLUG}", *start_history(), "pip install -e . -c constraints.txt"]
print(
    f"""
{SLUG} is ready. Next:
  {" && ".join(first)}
  python train.py experiment=paper
  python report.py    # the paper beside ours, and what is yours to fill in; AGENTS.md leads through it
""",
    file=sys.stderr if CRUFT else sys.stdout,
)
