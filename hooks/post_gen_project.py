"""Lay the chosen skeleton, start the history, and say what comes next."""

import os
import shutil
import subprocess
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


def start_history() -> bool:
    """A first commit, so that the first run can say from which code it came.

    Not inside somebody's repository, unless that ignores the folder; and never under a made-up name.
    """
    if CRUFT or (git("rev-parse", "--is-inside-work-tree") and not git("check-ignore", "--quiet", ".")):
        return False
    message = "--message=Start from paper-template"
    return git("init", "--quiet") and git("add", "--all") and git("commit", "--quiet", "--no-verify", message)


lay_skeleton()
lay_license()
committed = start_history()
to_commit = "" if committed else "git init && git add -A && git commit -m Start && "
print(f"""
{SLUG} is ready. Next:
  cd {SLUG} && {to_commit}pip install -e . -c constraints.txt
  python train.py experiment=paper && python report.py
  grep -rn "TODO(paper)" .    # what is yours to fill in; AGENTS.md leads through it
""")
