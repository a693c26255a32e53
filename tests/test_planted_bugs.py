"""A verification test that cannot fail is a defect: known mistakes, planted one at a time, each turn the suite red.

They stand in ``planted_bugs/``, a file for each repository that they are planted in:

    task, answers   what it is baked with
    shape           the repository of ``shapes/`` whose files are laid over it
    facts           what the paper states, for ``configs/paper.yaml``
    files           what was written into it, correctly, before the bug
    bugs            what the bug is, its file, the text there and the text planted, and the test that must catch it; or,
                    where none does, under ``missed``, why; under ``report``, the address of a public report of it
"""

import ast
import functools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import planting
import pytest
import yaml
from conftest import ENVIRONMENT, TEMPLATE, compiled, cookiecutter, heavy
from warm import HEAVY, Warm

from paper_template.answers import TASKS

FOLDER = Path(__file__).parent / "planted_bugs"
SHAPES = Path(__file__).parent / "shapes"
SCORE = FOLDER / "README.md"
CHECKS = TEMPLATE / "{{cookiecutter.project_slug}}/tests/checks"
REPOSITORIES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
BUGS = {f"{name}: {bug['bug']}": (name, bug) for name, made in REPOSITORIES.items() for bug in made["bugs"]}
CAUGHT = {key: found for key, found in BUGS.items() if "missed" not in found[1]}
OF_THE_PAPER = ("test_paper.py", "components/")
# One for each check; the others, and those of a skeleton and its building blocks, come with make bugs
FAST = {bug["test"]: key for key, (_, bug) in reversed(CAUGHT.items()) if not bug["test"].startswith(OF_THE_PAPER)}
# What a repository keeps when every file of its paper is another
BESIDES = os.environ.get("BUGS_TESTS", "").split()  # run in place of all of them where time is short


def run_pytest(repo: Path, *tests: str, warm: Warm | None = None) -> dict:
    """How each test ended, as ``planting.py`` says it, and under ``ended`` what ended pytest if it did not end itself."""
    command = ("python", planting.__file__, *tests)
    done = (warm or heavy())(command, repo, {**ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    nothing = {"passed": [], "failed": {}, "errors": {}, "ended": f"exit code {done.returncode}"}
    return {"ended": None, **json.loads(done.stdout)} if done.returncode == 0 else nothing


@pytest.fixture(scope="session")
def correct(tmp_path_factory):
    """The repository of that name without any bug, baked when it is first asked for."""
    made: dict[str, Path] = {}

    def correct(name: str) -> Path:
        if name not in made:
            made[name] = compiled(bake(name, tmp_path_factory.mktemp(name)))
        return made[name]

    return correct


def bake(name: str, folder: Path) -> Path:
    made = REPOSITORIES[name]
    cookiecutter(folder, task=made["task"], **made.get("answers", {}))
    repo = folder / "my-paper"
    if shape := made.get("shape"):
        shutil.copytree(SHAPES / shape / "configs", repo / "configs", dirs_exist_ok=True)
        for file in (SHAPES / shape).glob("*.py"):
            shutil.copy(file, repo / "src/my_paper")
    if shape or "data.py" in made.get("files", {}):  # no longer the skeleton that its tests are of
        (repo / "tests/test_paper.py").write_text('"""The claims of the paper."""\n', encoding="utf-8")
    for file, text in made.get("files", {}).items():
        place(repo, file).write_text(text, encoding="utf-8")
    paper = repo / "configs/paper.yaml"
    claims = yaml.safe_load(paper.read_text(encoding="utf-8"))
    claims["facts"] = claims.get("facts", {}) | made.get("facts", {})
    paper.write_text("# @package paper\n" + yaml.safe_dump(claims), encoding="utf-8")
    return repo


def place(repo: Path, file: str) -> Path:
    return repo / file if file.startswith("configs/") else repo / "src/my_paper" / file


def plant(bug: dict, correct: Path, folder: Path) -> Path:
    """A copy of the repository with the bug."""
    repo = shutil.copytree(correct, folder / "my-paper", symlinks=True)
    path = place(repo, bug["file"])
    text = path.read_text(encoding="utf-8")
    assert text.count(bug["before"]) == 1 and bug["before"] != bug["after"], "the bug has no place to be planted in"
    path.write_text(text.replace(bug["before"], bug["after"]), encoding="utf-8")
    return repo


def red(found: dict) -> dict[str, str]:
    """The tests that failed, without their parameters and folder, and the first line of what each said."""
    assert not found["errors"] and not found["ended"], found
    said: dict[str, str] = {}
    for test, line in found["failed"].items():
        said.setdefault(test.split("[")[0].removeprefix("tests/"), line)
    return said


@pytest.mark.parametrize(
    "key", [key if key in FAST.values() else pytest.param(key, marks=pytest.mark.slow) for key in CAUGHT]
)
def test_generated_suite_catches(key, correct, tmp_path):
    name, bug = BUGS[key]
    found = run_pytest(plant(bug, correct(name), tmp_path), "-x", f"tests/{bug['test']}")
    assert bug["test"] in red(found), f"not caught: {found}"


# The suite of an untouched skeleton is green in test_tasks.py, that of a shape in test_shapes.py
QUICK = {BUGS[key][0] for key in FAST.values()} - set(TASKS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in REPOSITORIES]
)
def test_no_wrong_alarm(name, correct):
    """What catches the bugs is green where there is none; ``make bugs`` asks the whole suite of each."""
    tests = {f"tests/{bug['test']}" for repository, bug in CAUGHT.values() if repository == name}
    found = run_pytest(correct(name), *sorted(tests))
    assert found["passed"] and not red(found)


def test_score_is_of_these_bugs():
    """And the README has its figures; ``make bugs`` measures it anew."""
    text = SCORE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!planted |---)(.+?) \| `.*?\| (.*) \|$", text, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(bug["bug"] for _, bug in BUGS.values()), (
        "other bugs than those measured: make bugs"
    )
    seen = [re.findall(r"`([\w/]+\.py::\w+)`", tests) for _, tests in rows]
    for figure in figures(seen):
        assert figure in text and figure in (TEMPLATE / "README.md").read_text(encoding="utf-8"), figure


@pytest.mark.slow
def test_whole_suite_on_every_bug(correct, tmp_path):
    """Which tests see which bug: all of them on each; ``planted_bugs/README.md`` is written by this.

    With ``make bugs TESTS="tests/checks/test_model.py …"``, only the named test and, where that is of the paper, these; with
    ``TESTS=named``, none but those named.
    """
    repositories = {name: correct(name) for name in REPOSITORIES}
    worker = local()

    def suite(repo: Path, *tests: str) -> dict[str, str]:
        if not hasattr(worker, "warm"):
            worker.warm = Warm(HEAVY, ENVIRONMENT)
        found = run_pytest(repo, *tests, warm=worker.warm)
        return {f"no end, {found['ended']}": ""} if found["ended"] else red(found)

    def planted(found: tuple[str, dict]) -> dict[str, str]:
        name, bug = found
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            tests = run_on(bug)
            return suite(plant(bug, repositories[name], Path(folder)), *tests) if tests or not BESIDES else {}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        alarms = dict(zip(repositories, pool.map(suite, repositories.values()), strict=True))
        seen = dict(zip(BUGS, pool.map(planted, BUGS.values()), strict=True))
    SCORE.write_text(score(seen), encoding="utf-8")
    assert not any(alarms.values()), f"wrong alarms: {alarms}"
    assert not [key for key in CAUGHT if BUGS[key][1]["test"] not in seen[key]], "not caught by the test that is named"
    assert not {key: list(seen[key]) for key in BUGS.keys() - CAUGHT if seen[key]}, "said to be missed, and caught"


def run_on(bug: dict) -> list[str]:
    """What is run on a bug: nothing said is everything."""
    if not BESIDES:
        return []
    named = [f"tests/{bug['test']}"] if "test" in bug else []
    others = [test for test in BESIDES if test != "named"]
    return [*named, *(others if not named or bug["test"].startswith(OF_THE_PAPER) else [])]


@functools.cache
def kind(test: str) -> int:
    """0: it holds for any paper; 1: it asks for a fact that the user states; 2: it is of a building block; 3: of the skeleton."""
    if test.startswith(OF_THE_PAPER):
        return 3 - test.startswith("components/")
    file, _, name = test.partition("::")
    tree = ast.parse(
        (CHECKS / file.removeprefix("checks/")).read_text().replace("{{ cookiecutter.package_name }}", "a")
    )
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return int("fact" in [argument.arg for argument in function.args.args])


def figures(seen: Collection[Iterable[str]]) -> list[str]:
    """What the score and the README say, from the tests that failed on each bug."""
    first = [min(map(kind, tests)) for tests in seen if tests]
    return [
        f"{len(first)} of {len(seen)}",
        f"{first.count(0)} by checks that hold for any paper",
        f"{first.count(1)} by checks of facts",
        f"{first.count(2)} by tests of a building block",
        f"{first.count(3)} by tests of the skeleton",
        f"{sum('report' in bug for _, bug in BUGS.values())} come from public reports",
    ]


def score(seen: dict[str, dict[str, str]]) -> str:
    """The text of ``planted_bugs/README.md``, from the tests that failed on each bug."""
    caught = [key for key in BUGS if seen[key]]
    besides = ", ".join(f"`{test.removeprefix('tests/')}`" for test in BESIDES if test != "named")
    also = f"; where that is of the skeleton, or there is none, also {besides}" if besides else ""
    short = f"This time only the named test was run on each{also}. A bug may be caught by more general tests, too."
    all_of_them, any_paper, facts, blocks, skeleton, reports = figures(seen.values())
    lines = [
        "# Planted bugs",
        "",
        f"{all_of_them} known mistakes turn the generated suite red when planted, one at a time, into an untouched",
        f"repository: {any_paper}, {facts} that the user states,",
        f"{blocks}, which stays with the block, and {skeleton}, which a real paper replaces. {reports}.",
        "Without a bug, all is green.",
        "Measured and written by `make bugs`; the mistakes stand in the YAML files beside this one.",
        *(["", short] if BESIDES else []),
    ]
    for name in REPOSITORIES:
        keys = [key for key in caught if BUGS[key][0] == name]
        lines += ["", f"## {name}", "", "| planted | in | red |", "|---|---|---|"]
        for key in keys:
            bug = BUGS[key][1]
            tests = sorted(seen[key], key=lambda test: (kind(test), test))
            if len(tests) > 3:
                tests = [*tests[:3], f"{len(tests) - 3} more"]
            shown = ", ".join(f"`{test}`" if ".py" in test else f"and {test}" for test in tests)
            lines.append(f"| {bug['bug']} | `{bug['file']}` | {shown}{link(bug)} |")
    missed = [key for key in BUGS if not seen[key]]
    if missed:
        lines += ["", "## Not caught", "", "| planted | in | why |", "|---|---|---|"]
        for key in missed:
            name, bug = BUGS[key]
            why = bug.get("missed", "no test sees it")
            lines.append(f"| {bug['bug']} | `{bug['file']}`, {name} | {why}{link(bug)} |")
    return "\n".join(lines) + "\n"


def link(bug: dict) -> str:
    return f" ([report]({bug['report']}))" if "report" in bug else ""
