"""What a bake writes: which files, all of them valid, every answer at its place, and a history."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest
import yaml
from conftest import TEMPLATE, cookiecutter, run
from jinja2 import Environment
from markdown_it import MarkdownIt
from omegaconf import OmegaConf

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILES = """
.: .gitattributes .gitignore .pre-commit-config.yaml AGENTS.md CITATION.cff LICENSE PAPER.md PROCEDURES.md README.md SCALING.md
.: constraints.txt evaluate.py pyproject.toml read.py report.py reproduce.sh train.py tune.py
.github/workflows: test.yml
configs: evaluate.yaml paper.yaml train.yaml tune.yaml
configs/callbacks: default.yaml early_stopping.yaml
configs/data: paper.yaml
configs/debug: fast.yaml limit.yaml overfit.yaml pilot.yaml profile.yaml
configs/experiment: paper.yaml smoke.yaml
configs/hydra/launcher: slurm.yaml
configs/logger: csv.yaml tensorboard.yaml wandb.yaml
configs/loss: paper.yaml
configs/metrics: paper.yaml
configs/model: paper.yaml
configs/optimizer: adam.yaml adamw.yaml rmsprop.yaml sgd.yaml
configs/scheduler: constant.yaml cosine.yaml from_torch.yaml inverse_sqrt.yaml linear.yaml plateau.yaml step.yaml
configs/sweep: ambiguities.yaml
configs/trainer: cpu.yaml ddp.yaml fsdp.yaml gpu.yaml
src/hydra_plugins: my_paper.py
src/my_paper: __init__.py data.py loss.py metrics.py model.py procedure.py
src/my_paper/harness: __init__.py command.py identity.py procedure.py schedules.py
src/my_paper/harness/evidence: __init__.py assertions.py checks.sha256 citations.py claims.py comments.py
src/my_paper/harness/evidence: paper.py record.py sources.py targets.py tests.py trust.py
src/my_paper/harness/reading: __init__.py document.py fetch.py find.py latex.py latex.yaml main.py
src/my_paper/harness/reading: numbers.py offer.py patterns.yaml plain.py propose.py settings.yaml sheet.md sheet.py
src/my_paper/harness/reporting: __init__.py cells.py completeness.py figures.py files.py html.py main.py markdown.py
src/my_paper/harness/reporting: page.html report.py terminal.py text.py todo.py weights.py
src/my_paper/harness/training: __init__.py architecture.py build.py callbacks.py checkpoints.py evaluate.py
src/my_paper/harness/training: lightning_internals.py loggers.py request.py resume.py run.py tune.py
src/my_paper/harness/verification: __init__.py reference.py weights.py
tests: conftest.py record_reference.py test_paper.py test_reference.py
tests/checks: likeness.py splits.py test_configs.py test_data.py test_loss.py test_measuring.py test_metrics.py test_model.py
tests/checks: test_optimization.py test_options.py test_padding.py test_protocol.py test_resume.py test_training.py
"""
# Left to the user, by file; the second line explains the mark, or looks for it
MARKED = """
PAPER.md CITATION.cff configs/paper.yaml configs/experiment/paper.yaml src/my_paper/__init__.py
src/my_paper/data.py src/my_paper/loss.py src/my_paper/metrics.py src/my_paper/model.py src/my_paper/procedure.py
tests/test_paper.py tests/test_reference.py
"""
OPTIONS = {
    "task": ["classification", "contrastive", "generative", "physics", "sequence"],
    "optimizer": ["adam", "adamw", "rmsprop", "sgd"],
    "lr_schedule": ["constant", "cosine", "inverse_sqrt", "linear", "plateau", "step"],
    "precision": ["32-true", "16-mixed", "bf16-mixed", "64-true"],
    "components": ["used", "all"],
    "logger": ["csv", "tensorboard", "wandb"],
    "license": ["MIT", "Apache-2.0", "BSD-3-Clause", "none"],
}
# Every option in at least one bake, the shorter lists several times
BAKES = [
    dict(zip(OPTIONS, values, strict=True))
    for values in zip(*(islice(cycle(options), 6) for options in OPTIONS.values()), strict=True)
]
LICENSES = {
    "MIT": ["MIT License", "Copyright (c) Ada Lovelace", 'THE SOFTWARE IS PROVIDED "AS IS"'],
    "Apache-2.0": ["Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"],
    "BSD-3-Clause": ["BSD 3-Clause License", "Copyright (c) Ada Lovelace", "Neither the name of the copyright holder"],
}


def parse_markdown(text: str) -> None:
    markdown = MarkdownIt("commonmark").enable("table").parse(text)
    assert markdown[0].tag == "h1"
    assert all(text.splitlines()[token.map[1] - 1].startswith("```") for token in markdown if token.type == "fence")


PARSERS = {
    ".sh": lambda text: subprocess.run(["bash", "-n"], input=text, text=True, check=True),
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".html": Environment().parse,
    ".md": parse_markdown,
    **dict.fromkeys([".yaml", ".yml", ".cff"], yaml.safe_load),
    ".sha256": lambda text: [re.fullmatch(r"[0-9a-f]{64}  \S+", line)[0] for line in text.splitlines()],
}
TEXTS = {".gitattributes", ".gitignore", "LICENSE", "constraints.txt"}


def files(repo: Path) -> dict[str, str]:
    """The text of every file, by its path, without the history and what tools left in the working tree."""
    passed_over = {".git", ".ruff_cache", "__pycache__"}
    paths = {path.relative_to(repo): path for path in repo.rglob("*") if path.is_file()}
    return {
        name.as_posix(): path.read_text(encoding="utf-8")
        for name, path in paths.items()
        if not passed_over & set(name.parts)
    }


def parse_files(repo: Path) -> None:
    for name, text in files(repo).items():
        try:
            name in TEXTS or PARSERS[Path(name).suffix](text)
        except Exception as error:
            raise AssertionError(f"{name}: {error}\n{text}") from error


def check_files(repo: Path) -> None:
    """Every file is valid, rendered, and as ruff would write it."""
    parse_files(repo)
    ours = {name: text for name, text in files(repo).items() if not name.endswith("/page.html")}  # rendered later
    jinja = re.compile(r"(?<!\$)\{\{[-\s]|\{%|\{#|cookiecutter\.")  # ${{ }} is GitHub's
    assert {name: found[0] for name, text in ours.items() if (found := jinja.search(text))} == {}
    run("ruff", "check", "--no-cache", ".", cwd=repo)
    run("ruff", "format", "--no-cache", "--diff", ".", cwd=repo)


def composed(repo: Path) -> dict:
    """What ``python train.py --cfg job`` prints."""
    return yaml.safe_load(run("python", "train.py", "--cfg", "job", cwd=repo).stdout)


def test_the_files(repo: Path):
    folders = [line.split(": ") for line in FILES.strip().splitlines()]
    expected = {Path(folder, name).as_posix() for folder, names in folders for name in names.split()}
    assert set(files(repo)) == expected


def test_the_marks(repo: Path):
    explained = {"README.md", "AGENTS.md"}
    marked = {name for name, text in files(repo).items() if "TODO(paper)" in text and "/harness/" not in name}
    assert marked - explained == set(MARKED.split())


@pytest.mark.parametrize("answers", BAKES, ids=lambda answers: "-".join(answers.values()))
def test_every_option(bake, answers: dict[str, str]):
    repo = bake(**answers, reproducer="Ada Lovelace")
    check_files(repo)

    cfg = composed(repo)
    assert cfg["optimizer"]["_target_"].lower() == f"torch.optim.{answers['optimizer']}"
    assert cfg["scheduler"]["_target_"].endswith(f".harness.schedules.{answers['lr_schedule']}")
    assert cfg["trainer"]["precision"] == answers["precision"]
    assert set(cfg["logger"]) == {"csv", answers["logger"]}

    project = tomllib.loads((repo / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert needed & {"tensorboard", "wandb"} == {answers["logger"]} - {"csv"}
    assert (
        set(project["optional-dependencies"])
        == {"dev", "joblib", "reading", "slurm", "sweep", "tensorboard", "wandb", "weights"} - needed
    )

    assert (repo / "LICENSE").exists() == (answers["license"] != "none")
    assert all(line in (repo / "LICENSE").read_text() for line in LICENSES.get(answers["license"], []))


def test_the_longest_name_that_is_offered(bake):
    check_files(bake(title="A Title That Has Not Less Than Forty Characters"))


def test_values_stand_beside_their_source(bake):
    repo = bake(
        optimizer="AdamW @ Section 5.3",
        learning_rate='3e-4 @ Table 3: "lr = 3e-4" # twice @ the top',
        batch_size="128 @ official code, train.py:41",
        gradient_clip="0",
        weight_decay="0.01",
        paper_value="-94.3 @ Table 2",
        metric="Top-1 Accuracy",
    )
    experiment = (repo / "configs/experiment/paper.yaml").read_text().splitlines()
    assert "  - override /optimizer: adamw  # Section 5.3" in experiment
    assert '  lr: 3e-4  # Table 3: "lr = 3e-4" # twice @ the top' in experiment
    assert "  batch_size: 128  # official code, train.py:41" in experiment
    assert "  gradient_clip_val: null  # TODO(paper): where is it stated?" in experiment
    assert "  weight_decay: 0.01  # TODO(paper): where is it stated?" in experiment
    assert "    value: -94.3  # Table 2" in (repo / "configs/paper.yaml").read_text().splitlines()

    cfg = composed(repo)
    assert (float(cfg["optimizer"]["lr"]), cfg["optimizer"]["weight_decay"]) == (3e-4, 0.01)
    assert (cfg["data"]["batch_size"], cfg["trainer"]["gradient_clip_val"]) == (128, None)
    target = cfg["paper"]["targets"][0]
    assert (target["metric"], target["value"]) == ("test/top_1_accuracy", -94.3)


def target_of(repo: Path) -> dict:
    return OmegaConf.to_container(OmegaConf.load(repo / "configs/paper.yaml"))["targets"][0]  # 1e-3 is a number


@pytest.mark.parametrize(
    ("metric", "answer", "claim", "value", "std", "scale"),
    [
        ("accuracy", "94.3 ± 0.2 % @ Table 2", "equal", 94.3, 0.2, 100),
        ("accuracy", "94.3 @ Table 2", "equal", 94.3, None, 100),
        ("Macro F1", "> 87 @ Table 2", "at least", 87, None, 100),
        ("accuracy", "0.973 @ Table 1", "equal", 0.973, None, 1),  # a share, beside ours as it is
        ("accuracy", "490.04 ± 6.12", "equal", 490.04, 6.12, 1),  # no percentage is above 100
        ("iterate", "< -0.99", "at most", -0.99, None, 1),
        ("return", "> 99%", "at least", 99, None, 100),
        ("bits per character", "1.2 +- 0.01", "equal", 1.2, 0.01, 1),
        ("relative l2", "<= 1e-3+/-2e-4", "at most", 1e-3, 2e-4, 1),
        ("FID", "3.17 @ Table 1", "equal", 3.17, None, 1),
    ],
)
def test_the_value_of_the_paper_with_its_spread_and_unit(bake, metric, answer, claim, value, std, scale):
    target = target_of(bake(metric=metric, paper_value=answer))
    assert [target[key] for key in ("claim", "value", "std", "scale")] == [claim, value, std, scale]
    assert target["unit"] == {1: "", 100: "%"}[scale]
    assert claim == "equal" or target["mode"] == {"at least": "max", "at most": "min"}[claim]


@pytest.mark.parametrize(("task", "answer"), [("classification", ""), ("generative", "-2.414 @ Table 1")])
def test_the_unit_of_the_stand_in_is_not_given_to_another_metric(bake, task: str, answer: str):
    repo = bake(task=task, metric="bound", paper_value=answer)
    target = target_of(repo)
    assert (target["value"], target["scale"], target["unit"]) == (-2.414 if answer else None, 1, "")
    left = re.findall(r"^    (\w+): .*# TODO\(paper\)", (repo / "configs/paper.yaml").read_text(), re.MULTILINE)
    assert left == [*(["value"] if not answer else []), "unit", "mode", "tolerance", "reason"]


@pytest.mark.parametrize(
    ("task", "scale", "unit", "mode"),
    [
        ("classification", 100, "%", "max"),
        ("contrastive", 100, "%", "max"),
        ("generative", 1000, "×10⁻³", "min"),
        ("physics", 1, "", "min"),
        ("sequence", 1, "bits", "min"),
    ],
)
def test_the_unit_of_the_stand_in(bake, task: str, scale: int, unit: str, mode: str):
    repo = bake(task=task)
    target = target_of(repo)
    assert (target["scale"], target["unit"], target["mode"]) == (scale, unit, mode)
    left = re.findall(r"^    (\w+): .*# TODO\(paper\)", (repo / "configs/paper.yaml").read_text(), re.MULTILINE)
    assert left == ["value", "tolerance", "reason"]


@pytest.mark.parametrize("example", sorted(TEMPLATE.glob("examples/*/answers.yaml")), ids=lambda path: path.parent.name)
def test_the_answers_of_an_example(bake, example: Path):
    answers = yaml.safe_load(example.read_text())["default_context"]
    repo = bake("--config-file", str(example))
    check_files(repo)
    package = repo / "src" / answers["package_name"]
    assert repo.name == answers["project_slug"]
    assert ast.get_docstring(ast.parse((package / "__init__.py").read_text())).splitlines()[:5] == [
        f"Implementation of: {answers['title']}",
        "",
        f"Authors: {answers['authors']}",
        f"Paper: {answers['paper_url']}",
        f"Official code: {answers['official_code']}",
    ]
    paper = composed(repo)["paper"]
    assert (paper["title"], paper["venue"], paper["year"]) == (answers["title"], answers["venue"], int(answers["year"]))
    if "paper_value" in answers:  # some claims are no values of a table
        assert paper["targets"][0]["value"] == float(re.search(r"[\d.]+", answers["paper_value"])[0])
    assert "TODO(paper)" not in (repo / "CITATION.cff").read_text()


def test_ruff_is_of_one_version():
    """Another version formats otherwise, and what one accepts the other would refuse."""
    project = TEMPLATE / "{{cookiecutter.project_slug}}"
    pinned = {re.search(r"(?m)^ruff==(.*)$", (root / "constraints.txt").read_text())[1] for root in (TEMPLATE, project)}
    hooks = yaml.safe_load((project / ".pre-commit-config.yaml").read_text())["repos"]
    assert {f"v{version}" for version in pinned} == {hook["rev"] for hook in hooks if "ruff" in hook["repo"]}


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder, with its content and so with the history."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def bake_next_steps(folder: Path, **environment: str) -> list[str]:
    """Bake into a folder, and return the steps that are printed."""
    home = folder / ".home"
    home.mkdir()
    program = Path(sys.executable).with_name("cookiecutter")  # found also where PATH has nothing
    printed = run(program, TEMPLATE, "--no-input", cwd=folder, HOME=str(home), **environment).stdout
    ready, *steps = printed.strip().splitlines()
    assert ready == "my-paper is ready. Next:"
    assert [step.split()[0] for step in steps] == ["cd", "python", "python"]
    return steps


def type_until_installation(step: str, folder: Path) -> None:
    """Type the first step as it was printed, up to the installation of the dependencies."""
    commands, installation = step.strip().rsplit(" && ", 1)
    assert installation == "pip install -e . -c constraints.txt"
    run("bash", "-c", commands, cwd=folder)


def subjects(repo: Path) -> str:
    assert run("git", "status", "--porcelain", cwd=repo).stdout == ""
    return run("git", "log", "--format=%an: %s", cwd=repo).stdout


def test_it_starts_a_history(tmp_path: Path):
    steps = bake_next_steps(tmp_path)
    assert steps[0].strip() == "cd my-paper && pip install -e . -c constraints.txt"
    assert subjects(tmp_path / "my-paper") == "Test: Start from paper-template\n"


@pytest.mark.parametrize("ignored", [False, True], ids=["tracked", "ignored"])
def test_it_leaves_the_history_of_others_alone(tmp_path: Path, ignored: bool):
    run("git", "init", "--quiet", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text(".home\n" + "my-paper\n" * ignored)
    steps = bake_next_steps(tmp_path)
    assert (tmp_path / "my-paper/.git").exists() == ignored
    assert "git" not in steps[0] if ignored else steps[0].startswith("  cd my-paper && git add -A && git commit")
    type_until_installation(steps[0], tmp_path)
    assert subjects(tmp_path / "my-paper") == "Test: Start from paper-template\n"


@pytest.mark.parametrize(
    "environment", [{"GIT_AUTHOR_NAME": "", "GIT_COMMITTER_NAME": ""}, {"PATH": "/nowhere"}], ids=["no-name", "no-git"]
)
def test_it_says_what_is_left_of_the_history(tmp_path: Path, environment: dict[str, str]):
    steps = bake_next_steps(tmp_path, **environment)
    assert "git add -A && git commit" in steps[0]
    type_until_installation(steps[0], tmp_path)
    assert subjects(tmp_path / "my-paper") == "Test: Start from paper-template\n"


def snapshot_of_git(repo: Path) -> str:
    """What is staged and what has changed, as git itself sees it."""
    return run("git", "status", "--porcelain", cwd=repo).stdout + run("git", "ls-files", "--stage", cwd=repo).stdout


def test_a_bake_within_a_hook_of_git(tmp_path: Path):
    """Git names its own repository and index to a hook, and a bake there must not write into them."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir(), ours.mkdir()
    run("git", "init", "--quiet", cwd=theirs)
    (theirs / "file").touch()
    run("git", "add", "file", cwd=theirs)
    before = snapshot_of_git(theirs)
    of_a_hook = {"GIT_DIR": theirs / ".git", "GIT_INDEX_FILE": theirs / ".git/index", "GIT_WORK_TREE": theirs}
    steps = bake_next_steps(ours, **{name: str(path) for name, path in of_a_hook.items()}, GIT_PREFIX="a/")
    assert "git" not in steps[0] and subjects(ours / "my-paper") == "Test: Start from paper-template\n"
    assert snapshot_of_git(theirs) == before


def test_nobody_is_asked_for_the_passphrase_of_a_signature(tmp_path: Path):
    config = tmp_path / ".home/.gitconfig"
    config.parent.mkdir()
    config.write_text("[commit]\n gpgSign = true\n[gpg]\n program = false\n")
    cookiecutter(tmp_path)
    assert subjects(tmp_path / "my-paper") == "Test: Start from paper-template\n"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"GIT_AUTHOR_NAME": "", "GIT_COMMITTER_NAME": ""}, "fatal: empty ident name"),
        ({"PATH": "/nowhere"}, "git: not found"),
        ({"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}, "call: git config --global --add safe.directory"),
    ],
    ids=["no-name", "no-git", "another-owner"],
)
def test_a_failure_of_git_is_told_with_its_reason(tmp_path: Path, environment: dict[str, str], reason: str):
    program = Path(sys.executable).with_name("cookiecutter")
    done = run(program, TEMPLATE, "--no-input", cwd=tmp_path, HOME=str(tmp_path), LC_ALL="", **environment)
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("git made no commit: ")]
    assert reason in said and "git add -A && git commit" in done.stdout


def test_a_repository_that_git_does_not_trust_is_still_one(tmp_path: Path):
    run("git", "init", "--quiet", cwd=tmp_path)
    steps = bake_next_steps(tmp_path, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert not (tmp_path / "my-paper/.git").exists() and "git init" not in steps[0]


def test_lines_end_with_one_character_whatever_git_makes_of_them(template: Path, tmp_path: Path):
    """Bash and digests read the files; with autocrlf, git would write CRLF, also into what is baked from a clone."""
    crlf = ["git", "clone", "--quiet", "--config", "core.autocrlf=true", "--no-local"]
    run(*crlf, template, "clone", cwd=tmp_path)
    run("cookiecutter", "clone", "--no-input", cwd=tmp_path, HOME=str(tmp_path))
    run(*crlf, "my-paper", "again", cwd=tmp_path)
    for repo in (tmp_path / "my-paper", tmp_path / "again"):
        assert [name for name, text in bytes_of(repo).items() if b"\r" in text] == []
        run("git", "diff", "--exit-code", cwd=repo)


def bytes_of(repo: Path) -> dict[str, bytes]:
    names = run("git", "ls-files", cwd=repo).stdout.splitlines()
    return {name: (repo / name).read_bytes() for name in names}


@pytest.fixture
def modes_hold() -> list[str]:
    """How to begin a command, so that it may not write where modes forbid it, not even as root."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv")
    return ["setpriv", "--bounding-set=-dac_override"]


def test_a_template_that_nobody_may_write_to(template: Path, tmp_path: Path, modes_hold: list[str]):
    """As a package store has it; the modes must not come along."""
    inner, home = tmp_path / "in", tmp_path / "home"
    inner.mkdir(), home.mkdir()
    for path in [template, *template.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        run(*modes_hold, "cookiecutter", template, "--no-input", cwd=inner, HOME=str(home), TMPDIR=str(home))
    finally:
        for path in [template, *(path for path in template.rglob("*") if path.is_dir())]:
            path.chmod(0o755)
    assert subjects(inner / "my-paper") == "Test: Start from paper-template\n"
    ours = [path for path in (inner / "my-paper").rglob("*") if ".git" not in path.parts]
    assert [path for path in ours if not path.stat().st_mode & 0o200] == []


def test_a_push_to_any_branch_is_tested(repo: Path):
    """Git's default is master, GitHub's is main, and a user's may be any."""
    on = yaml.safe_load((repo / ".github/workflows/test.yml").read_text())[True]  # YAML 1.1 reads on as true
    assert on["push"] is None and on["pull_request"] is None


def test_the_last_step_finds_the_marks(tmp_path: Path):
    *_, report = bake_next_steps(tmp_path)
    found = run("bash", "-c", report, cwd=tmp_path / "my-paper").stdout
    assert set(re.findall(r"  (\S+):[\d,]+ +\d+ × TODO", found)) == set(MARKED.split())


def test_the_budget_of_a_paper_is_not_spent_on_the_stand_in(tmp_path: Path):
    assert "train.py experiment=paper\n" in cookiecutter(tmp_path).stdout
    printed = cookiecutter(tmp_path, max_epochs="3000000 steps @ Section 5").stdout
    assert "  python train.py experiment=smoke  " in printed and "  python train.py experiment=paper" not in printed


@pytest.mark.parametrize("slug", ["2048", "1e5", "Null", "0x1f", "off"])
def test_a_name_stays_text_in_yaml(bake, slug: str):
    repo = bake(project_slug=slug, package_name="named")
    assert OmegaConf.load(repo / "configs/logger/wandb.yaml").wandb.project == slug


def test_nobody_has_to_read_what_is_next(tmp_path: Path):
    command = f"set -o pipefail; HOME={tmp_path} cookiecutter '{TEMPLATE}' --no-input | true"
    run("bash", "-c", command, cwd=tmp_path)
    assert (tmp_path / "my-paper/src/my_paper/model.py").is_file()


USES = {"contrastive": ["contrastive"], "sequence": ["attention", "positional"]}


@pytest.mark.parametrize("task", OPTIONS["task"])
def test_only_used_components(bake, task: str):
    """What a task does not use leaves no trace; ``all`` adds the building blocks and their tests, and nothing else."""
    blocks = {path.stem for path in TEMPLATE.glob("*/src/*/components/*.py")} - {"__init__"}
    used = set(USES.get(task, []))
    few, every = (files(bake(task=task, components=answer, project_slug=answer)) for answer in ("used", "all"))
    here = {name for name in few if "/components/" in name and name.startswith("src/")}
    assert here == ({f"src/used/components/{name}.py" for name in used | {"__init__"}} if used else set())
    for name in blocks:
        assert (f"tests/components/test_{name}.py" in few) == (
            name in used
        ) and f"tests/components/test_{name}.py" in every
    assert ("components/" in few["README.md"]) == bool(used) and "components/" in every["README.md"]
    renamed = {name.replace("src/all/", "src/used/").replace("plugins/all", "plugins/used") for name in every}
    assert renamed - set(few) == {
        *(f"tests/components/test_{name}.py" for name in blocks - used),
        *(f"src/used/components/{name}.py" for name in blocks - used),
        *([] if used else ["src/used/components/__init__.py"]),
    }


def test_a_second_bake_touches_nothing(tmp_path: Path):
    cookiecutter(tmp_path)
    (tmp_path / "my-paper/src/my_paper/model.py").write_text("# mine\n")
    before = snapshot(tmp_path / "my-paper")
    again = cookiecutter(tmp_path, ok=False, optimizer="sgd", project_slug="my-paper")
    assert (again.returncode, "already exists" in again.stderr + again.stdout) == (1, True)
    assert snapshot(tmp_path / "my-paper") == before
