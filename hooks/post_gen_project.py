"""Lay the chosen skeleton, start the history, and say what comes next."""

import os
import sys

TASK, LICENSE, SLUG = "{{ cookiecutter.task }}", "{{ cookiecutter.license }}", "{{ cookiecutter.project_slug }}"
SOURCE, ALL_COMPONENTS = "src/{{ cookiecutter.package_name }}", "{{ cookiecutter.components }}" == "all"
# cruft also bakes into temporary folders, to compare them file by file; a .git there breaks its update and diff
CRUFT = "{{ '_commit' in cookiecutter }}" == "True"


def remove(folder: str) -> None:
    """As ``shutil.rmtree``, whose import would nearly double the time in which Python starts."""
    for inside, folders, names in os.walk(folder, topdown=False):
        for name in names:
            os.remove(os.path.join(inside, name))
        for name in folders:
            os.rmdir(os.path.join(inside, name))
    os.rmdir(folder)


def lay_skeleton() -> None:
    """Move the files of the task to their places, and drop the other tasks."""
    skeleton = os.path.join("skeletons", TASK)
    for folder, _, names in os.walk(skeleton):
        target = os.path.relpath(folder, skeleton)
        os.makedirs(target, exist_ok=True)
        for name in names:
            os.replace(os.path.join(folder, name), os.path.join(target, name))
    remove("skeletons")


def drop_components() -> None:
    """Leave no trace of the building blocks that the task does not import."""
    paths = [os.path.join(SOURCE, name) for name in os.listdir(SOURCE) if name.endswith(".py")]
    text = "".join(open(path, encoding="utf-8").read() for path in paths)
    blocks = os.path.join(SOURCE, "components")
    names = [name[:-3] for name in os.listdir(blocks) if name != "__init__.py"]
    used = [name for name in names if f"\nfrom .components.{name} import" in text]
    for name in set(names) - set(used):
        os.remove(os.path.join(blocks, f"{name}.py"))
        os.remove(os.path.join("tests", "components", f"test_{name}.py"))
    if not used:
        remove(blocks)
        remove(os.path.join("tests", "components"))


def lay_license() -> None:
    if LICENSE != "none":
        os.replace(os.path.join("licenses", LICENSE), "LICENSE")
    remove("licenses")


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
    one_pack = "-c core.bigFileThreshold=1"  # instead of a file for each of ours, which takes three times as long
    return [] if git(f"{one_pack} add --all") and git(f"{commit[1][4:]} --no-verify") else commit


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
