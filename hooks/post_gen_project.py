"""Lay the chosen skeleton, start the history, and say what comes next."""

import os
import sys
from hashlib import sha256

TASK, LICENSE, SLUG = "{{ cookiecutter.task }}", "{{ cookiecutter.license }}", "{{ cookiecutter.project_slug }}"
PACKAGE, ALL_COMPONENTS = "{{ cookiecutter.package_name }}", "{{ cookiecutter.components }}" == "all"
SOURCE = f"src/{PACKAGE}"
# The budget of the paper may be days, and what trains first is the stand-in
OWN_BUDGET = "{{ cookiecutter.max_epochs == cookiecutter.task | usual('max_epochs', '20') }}" == "True"
EXPERIMENT = "paper" if OWN_BUDGET else "smoke   # seconds; experiment=paper trains as long as the paper"
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


def name_package() -> None:
    """Write the name of the package where a copied file asks for it. Jinja would need 0.2 s for these files."""
    asked = b"{{ '{{ cookiecutter.package_name }}' }}"
    for folder, _, names in os.walk("."):
        for path in [os.path.join(folder, name) for name in names]:
            with open(path, "rb") as file:
                content = file.read()
            if asked in content:
                with open(path, "wb") as file:
                    file.write(content.replace(asked, PACKAGE.encode()))


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


def note_checks() -> None:
    """Write down which checks there are, so that report.py sees when one is removed or changed."""
    checks = os.path.join("tests", "checks")
    lines = []
    for name in sorted(name for name in os.listdir(checks) if name.endswith(".py")):
        with open(os.path.join(checks, name), "rb") as file:
            content = file.read().replace(b"\r\n", b"\n")  # as git may have written them
        lines.append(f"{sha256(content).hexdigest()}  {name}\n")
    with open(os.path.join(SOURCE, "harness", "evidence", "checks.sha256"), "w", encoding="utf-8", newline="") as file:
        file.writelines(lines)


def git(command: str) -> str:
    """Empty where git did it, otherwise git's reason in one line."""
    if os.system(f"git {command} >{os.devnull} 2>&1") == 0:  # importing subprocess takes longer than git
        return ""
    from subprocess import run

    done = run(f"git {command}", shell=True, capture_output=True, text=True, errors="replace")
    said = " ".join((done.stderr or done.stdout).split())
    cause = min((place for place in map(said.find, ("fatal:", "error:")) if place >= 0), default=0)
    return "" if done.returncode == 0 else said[cause:] or f"status {done.returncode}"


def start_history() -> tuple[list[str], str]:
    """Commit the files, so that the first run can say from which code it came.

    Not inside somebody's repository, unless that ignores the folder; and never under a made-up name.

    Returns:
        What is left to type until there is a commit, and why git has not done it.
    """
    commit = ["git add -A", 'git commit -m "Start from paper-template"']
    above = os.getcwd()
    while not (found := os.path.lexists(os.path.join(above, ".git"))) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    if found and "not a git repository" not in (message := git("rev-parse --git-dir")):
        if message or git("check-ignore --quiet ."):
            return commit, message
    if CRUFT:
        return ["git init", *commit], ""
    if message := git("init --quiet"):
        return ["git init", *commit], message
    unsigned = "--no-verify --no-gpg-sign"  # a signature may wait for a passphrase
    message = git("add --all") or git(f"-c maintenance.auto=false {commit[1][4:]} {unsigned}")
    return commit if message else [], message


# In a hook of git these name the repository whose hook it is, and git would write our files into that
for (
    name
) in """GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_DIR GIT_GRAFT_FILE GIT_IMPLICIT_WORK_TREE GIT_INDEX_FILE
GIT_NAMESPACE GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_QUARANTINE_PATH GIT_SHALLOW_FILE GIT_WORK_TREE""".split():
    os.environ.pop(name, None)
os.environ["LC_ALL"] = "C"  # git gives its reasons in English
for inside, folders, names in os.walk("."):  # cookiecutter copies the modes of a template that may be read-only
    folders[:] = [name for name in folders if name != ".git"]
    for path in [os.path.join(inside, name) for name in (*folders, *names)]:
        if not (mode := os.lstat(path).st_mode) & 0o200:
            os.chmod(path, mode | 0o200)
lay_skeleton()
name_package()
if not ALL_COMPONENTS:
    drop_components()
lay_license()
note_checks()
left, reason = start_history()
first = [f"cd {SLUG}", *left, "pip install -e . -c constraints.txt"]
if reason:
    print(f"git made no commit: {reason}", file=sys.stderr, flush=True)
try:
    print(
        f"""
{SLUG} is ready. Next:
  {" && ".join(first)}
  python train.py experiment={EXPERIMENT}
  python report.py    # the paper beside ours, and what is yours to fill in; AGENTS.md leads through it
""",
        file=sys.stderr if CRUFT else sys.stdout,
        flush=True,
    )
except BrokenPipeError:  # nobody reads on, which is no reason for cookiecutter to take the repository away
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
