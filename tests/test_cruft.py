"""A repository follows its template with cruft, and keeps what was written in it."""

import json
import re
import shutil
from pathlib import Path

from conftest import NOT_SOURCE, commit, run

SKELETON = "{{cookiecutter.project_slug}}/skeletons/classification"
PACKAGE = "src/{{cookiecutter.package_name}}"


def append(path: Path, text: str) -> None:
    assert path.is_file()
    path.write_text(path.read_text() + text)


def cruft(folder: Path, *options: object, ok: bool = True):
    home = folder / ".git/home"  # where a working tree may have files that nobody tracks
    home.mkdir(parents=True, exist_ok=True)
    return run("cruft", *options, cwd=folder, ok=ok, HOME=str(home))


def test_an_update_brings_the_template_and_keeps_the_paper(template: Path, tmp_path: Path):
    answers = {"title": "Attention: & All", "project_slug": "followed", "package_name": "followed", "optimizer": "sgd"}
    created = cruft(tmp_path, "create", template, "--no-input", "--extra-context", json.dumps(answers))
    repo = tmp_path / "followed"
    assert not (repo / "skeletons").exists() and not (repo / "licenses").exists()
    assert not (repo / ".git").exists()  # cruft compares whole folders, and would compare histories too
    history = (created.stdout + created.stderr).split(" && pip install")[0].splitlines()[-1].strip()
    assert history.startswith("cd followed && git init && git add -A && git commit")
    run("bash", "-c", history, cwd=tmp_path)
    assert cruft(repo, "check").returncode == 0
    assert "diff --git" not in cruft(repo, "diff", "--exit-code").stdout

    append(repo / "src/followed/model.py", "\n\nMINE = True\n")
    commit(repo, "Write the model")
    difference = cruft(repo, "diff", "--exit-code", ok=False)
    assert difference.returncode == 1 and "-MINE = True" in difference.stdout
    assert {line for line in difference.stdout.splitlines() if line.startswith("--- ")} == {
        "--- upstream-template-old/src/followed/model.py"
    }

    append(template / SKELETON / PACKAGE / "loss.py", "\n\nIN_THE_SKELETON = True\n")
    append(
        template / "{{cookiecutter.project_slug}}" / PACKAGE / "harness/evidence/record.py",
        "\n\nIN_THE_HARNESS = True\n",
    )
    append(template / "{{cookiecutter.project_slug}}" / "CITATION.cff", "# Of {{ cookiecutter.title }}\n")
    (template / "{{cookiecutter.project_slug}}" / "NEW.md").write_text("# {{ 'New' | shouted }}\n")
    extension = template / "paper_template/__init__.py"
    line = 'environment.filters["checked"] = _checked'
    assert line in extension.read_text()
    extension.write_text(extension.read_text().replace(line, f'{line}; environment.filters["shouted"] = str.upper'))
    commit(template, "Go on")
    assert cruft(repo, "check", ok=False).returncode == 1

    cruft(repo, "update", "--skip-apply-ask")
    assert (repo / "src/followed/model.py").read_text().endswith("MINE = True\n")
    assert (repo / "src/followed/loss.py").read_text().endswith("IN_THE_SKELETON = True\n")
    assert (repo / "src/followed/harness/evidence/record.py").read_text().endswith("IN_THE_HARNESS = True\n")
    assert (repo / "CITATION.cff").read_text().endswith("# Of Attention: & All\n")
    assert (repo / "NEW.md").read_text() == "# NEW\n"
    changed = run("git", "status", "--porcelain", cwd=repo).stdout.split()[1::2]
    brought = ["NEW.md", "src/followed/loss.py", "src/followed/harness/evidence/record.py"]
    assert set(changed) == {".cruft.json", "CITATION.cff", *brought}
    assert cruft(repo, "check").returncode == 0
    commit(repo, "Follow the template")

    # a changed answer passes the same check as a first one
    wrong = ["update", "--skip-apply-ask", "--variables-to-update", json.dumps({"optimizer": "adma"})]
    refused = cruft(repo, *wrong, ok=False)
    assert refused.returncode == 1 and "  - optimizer='adma': must be one of" in refused.stderr
    assert run("git", "status", "--porcelain", cwd=repo).stdout == ""
    cruft(repo, *wrong[:-1], json.dumps({"learning_rate": "0.3 @ Table 1"}))
    assert "lr: 0.3  # Table 1" in (repo / "configs/experiment/paper.yaml").read_text()


def test_a_diff_is_a_patch_and_nothing_else(template: Path, tmp_path: Path):
    cruft(tmp_path, "create", template, "--no-input")
    append(tmp_path / "my-paper/train.py", "# mine\n")
    assert cruft(tmp_path / "my-paper", "diff").stdout.startswith("diff --git")


def test_wrong_answers_are_refused(template: Path, tmp_path: Path):
    answers = json.dumps({"optimizer": "adma", "project_slug": "../out", "package_name": "out"})
    folder = tmp_path / "in"
    folder.mkdir()
    before = {str(path) for path in tmp_path.rglob("*") if ".git" not in path.parts}
    refused = cruft(folder, "create", template, "--no-input", "--extra-context", answers, ok=False)
    assert refused.returncode == 1
    assert re.findall(r"^  - (\w+)=", refused.stderr, re.MULTILINE) == ["project_slug", "optimizer"]
    assert "Traceback" not in refused.stderr + refused.stdout
    assert {str(path) for path in tmp_path.rglob("*") if ".git" not in path.parts} == before


def test_the_answers_are_kept(template: Path, tmp_path: Path):
    outer = tmp_path / "outer"
    shutil.copytree(template, outer / "inner", ignore=NOT_SOURCE)
    run("git", "init", "--quiet", cwd=outer)
    commit(outer, "Ready")
    run("git", "branch", "released", cwd=outer)
    shutil.rmtree(outer / "inner")
    commit(outer, "Gone")

    answers = json.dumps({"optimizer": "adma", "title": "Kept", "titel": "x"})
    where = ["--directory", "inner", "--checkout", "released", "--overwrite-if-exists"]
    refused = cruft(tmp_path, "create", outer, *where, "--no-input", "--extra-context", answers, ok=False)
    assert "titel: is no answer, did you mean title?" in refused.stderr
    command = refused.stderr.splitlines()[-1]
    assert "--overwrite-if-exists" in command
    kept = Path(command.split()[-1])
    kept.write_text(kept.read_text().replace("adma", "adamw"))
    run("bash", "-c", command, cwd=tmp_path, HOME=str(tmp_path))
    assert "optimizer: adamw" in (tmp_path / "kept/configs/experiment/paper.yaml").read_text()
