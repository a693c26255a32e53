"""Lay the chosen skeleton, start the history, and say what comes next."""

import os
import re
import shutil
import sys

TASK, LICENSE, SLUG = "{{ cookiecutter.task }}", "{{ cookiecutter.license }}", "{{ cookiecutter.project_slug }}"
SOURCE, ALL_COMPONENTS = "src/{{ cookiecutter.package_name }}", "{{ cookiecutter.components }}" == "all"
# cruft also bakes into temporary folders, to compare them file by file; a .git there breaks its update and diff
CRUFT = "{{ '_commit' in cookiecutter }}" == "True"


def lay_skeleton() -> None:
    """Move the files of the task to their places, and drop the other tasks."""
    skeleton = os.path.join("skeletons", TASK)
    for folder, _, names in os.walk(skeleton):
        target = os.path.relpath(folder, skeleton)
        os.makedirs(target, exist_ok=True)
        for name in names:
            os.replace(os.path.join(folder, name), os.path.join(target, name))
    shutil.rmtree("skeletons")


def drop_components() -> None:
    """Leave no trace of the building blocks that the task does not import."""
    texts = [
        open(os.path.join(SOURCE, name), encoding="utf-8").read() for name in os.listdir(SOURCE) if name[-3:] == ".py"
    ]
    used = re.findall(r"^from \.components\.(\w+) import", "\n".join(texts), re.MULTILINE)
    blocks = os.path.join(SOURCE, "components")
    for name in os.listdir(blocks):
        if name != "__init__.py" and name[:-3] not in used:
            os.remove(os.path.join(blocks, name))
            os.remove(os.path.join("tests", f"test_{name}"))
    if not used:
        shutil.rmtree(blocks)


def lay_license() -> None:
    if LICENSE != "none":
        os.replace(os.path.join("licenses", LICENSE), "LICENSE")
    shutil.rmtree("licenses")


def git(command: str) -> bool:
    return os.system(f"git {command} >{os.devnull} 2>&1") == 0  # importing subprocess takes longer than git


def start_history() -> list[str]:
    """Commit the files, so that the first run can say from which code it came.

    Not inside somebody's repository, unless that ignores the folder; and never under a made-up name.

    Returns:
        What is left to type until there is a commit.
    """
    commit = ["git add -A", 'git commit -m "Start from paper-template"']
    if git("rev-parse --is-inside-work-tree") and not git("check-ignore --quiet ."):
        return commit
    if CRUFT or not git("init --quiet"):
        return ["git init", *commit]
    return [] if git("add --all") and git(f"{commit[1][4:]} --no-verify") else commit


lay_skeleton()
if not ALL_COMPONENTS:
    drop_components()
lay_license()
first = [f"cd {SLUG}", *start_history(), "pip install -e . -c constraints.txt"]
try:
    print(
        f"""
{SLUG} is ready. Next:
  {" && ".join(first)}
  python train.py experiment=paper
  python report.py    # the paper beside ours, and what is yours to fill in; AGENTS.md leads through it
""",
        file=sys.stderr if CRUFT else sys.stdout,
        flush=True,
    )
except BrokenPipeError:  # nobody reads on, which is no reason for cookiecutter to take the repository away
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
