"""The questions, answered by a person at a terminal."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, TEMPLATE

from paper_template.answers import TASKS

PROMPTS = json.loads((TEMPLATE / "cookiecutter.json").read_text())["__prompts__"]


def answer(folder: Path, *given: str, **answers: str) -> tuple[int, str]:
    """Type the answers, and Enter for every other question; returns the exit status and all that was shown."""
    assert answers.keys() <= PROMPTS.keys()
    environment = {**ENVIRONMENT, "HOME": str(folder), "TERM": "dumb", "COLUMNS": "400", "LINES": "50"}
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        ["cookiecutter", str(TEMPLATE), *given],
        cwd=folder,
        env=environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    lines = [answers.get(key, "").encode() + b"\n" for key in PROMPTS]
    shown = b""
    try:
        while True:
            ready, _, _ = select.select([keyboard], [], [], 60)
            assert ready, f"nothing more for a minute after\n{shown.decode()}"
            shown += os.read(keyboard, 65536)
            if lines and shown.endswith(b": "):
                os.write(keyboard, lines.pop(0))
    except OSError:  # so Linux ends a terminal that nobody writes to any more
        return process.wait(), shown.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def asked(shown: str) -> dict[str, tuple[str, str]]:
    """The questions by their key, each with its words and with what Enter would answer."""
    numbered = re.split(rf"\[\d+/{len(PROMPTS)}\] ", shown)[1:]
    pattern = re.compile(r"(.*?)(?:\n.*from \[[\d/]+\])?(?: \(([^()]*)\)): ", re.DOTALL)
    return dict(zip(PROMPTS, [pattern.match(line).groups() for line in numbered], strict=True))


def test_enter_for_everything(tmp_path: Path):
    status, shown = answer(tmp_path)
    assert status == 0, shown
    assert (tmp_path / "my-paper/src/my_paper/model.py").exists()
    assert "my-paper is ready. Next:" in shown
    assert len(re.findall(r"^  \[\d+/10\] ", shown, re.MULTILINE)) == 10, f"not each question has a line:\n{shown}"


def test_ten_questions_in_human_words(tmp_path: Path):
    """All others have a default, and come by flag or file."""
    _, shown = answer(tmp_path)
    assert len(PROMPTS) == 10
    words = [prompt if isinstance(prompt, str) else prompt["__prompt__"] for prompt in PROMPTS.values()]
    assert [question for question, _ in asked(shown).values()] == words


def test_the_task_is_chosen_from_a_menu(tmp_path: Path):
    assert set(PROMPTS["task"]) - {"__prompt__"} == set(TASKS)
    (tmp_path / ".cookiecutterrc").write_text("default_context: {task: physics}")
    status, shown = answer(tmp_path, task="3")
    assert status == 0, shown
    menu = re.findall(r"^    (\d) - (\w+): ", shown, re.MULTILINE)
    assert menu == [*zip("12345", ["physics", "classification", "contrastive", "generative", "sequence"], strict=True)]
    assert "contrastive" in (tmp_path / "my-paper/src/my_paper/loss.py").read_text()


@pytest.mark.parametrize("how", ["flag", "file", "home"])
def test_what_is_not_asked_is_answered_beforehand(tmp_path: Path, how: str):
    given = {"learning_rate": "3e-4 @ Section 5.3", "lr_schedule": "cosine", "paper_url": "https://example.org"}
    file = tmp_path / (".cookiecutterrc" if how == "home" else "answers.yaml")
    file.write_text(json.dumps({"default_context": given}))
    flags = [f"{key}={value}" for key, value in given.items()]
    status, shown = answer(tmp_path, *{"flag": flags, "file": ["--config-file", file.name], "home": []}[how])
    assert status == 0, shown
    experiment = (tmp_path / "my-paper/configs/experiment/paper.yaml").read_text()
    assert "  lr: 3e-4  # Section 5.3\n" in experiment and "override /scheduler: cosine" in experiment
    assert "https://example.org" in (tmp_path / "my-paper/README.md").read_text()


def test_names_follow_from_the_title(tmp_path: Path):
    status, shown = answer(tmp_path, title="Attention Is All You Need: Again")
    assert status == 0, shown
    assert asked(shown)["project_slug"][1] == "attention-is-all-you-need"
    assert asked(shown)["package_name"][1] == "attention_is_all_you_need"
    package = tmp_path / "attention-is-all-you-need/src/attention_is_all_you_need"
    docstring = (package / "__init__.py").read_text()
    assert docstring.startswith('"""Implementation of: Attention Is All You Need: Again\n')


def test_a_link_answers_the_question_for_the_link(tmp_path: Path):
    status, shown = answer(tmp_path, paper="1706.03762", title="Attention")
    assert status == 0, shown
    assert "(<https://arxiv.org/abs/1706.03762>)" in (tmp_path / "attention/README.md").read_text()


def test_mistakes_are_told_together_at_the_end(tmp_path: Path):
    status, shown = answer(tmp_path, "optimizer=adma", "task=vision", year="19")
    assert status == 1 and "Traceback" not in shown
    assert re.findall(r"^  - (\w+)=", shown, re.MULTILINE) == ["year", "task", "optimizer"]
    assert not (tmp_path / "my-paper").exists()


def test_braces_are_typed_as_text(tmp_path: Path):
    status, shown = answer(tmp_path, title="{{ 7 * 7 }} {% raw %}", project_slug="braces", package_name="braces")
    assert status == 0, shown
    assert (tmp_path / "braces/src/braces/__init__.py").read_text().splitlines()[0].endswith("{{ 7 * 7 }} {% raw %}")


def test_a_long_answer_is_kept_whole(tmp_path: Path):
    """A terminal takes 4,095 bytes in a line, unless the line is read with readline."""
    title = "Long " * 1000 + "END"
    status, shown = answer(tmp_path, title=title, project_slug="long", package_name="long")
    assert status == 0, shown
    assert (tmp_path / "long/src/long/__init__.py").read_text().splitlines()[0].endswith("Long END")


def test_arrow_keys_move(tmp_path: Path):
    status, shown = answer(tmp_path, title="Lora\x1b[D\x1b[DX")
    assert status == 0, shown
    assert (tmp_path / "loxra").is_dir()


def test_a_terminal_of_few_letters(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "PYTHONIOENCODING", "latin-1")
    assert answer(tmp_path)[0] == 0


def test_another_template_asks_its_own_questions(tmp_path: Path):
    other = tmp_path / "other/{{cookiecutter.slug}}"
    other.mkdir(parents=True)
    (other / "optimizer").write_text("{{ cookiecutter.optimizer }}")
    (tmp_path / "other/cookiecutter.json").write_text('{"slug": "x", "optimizer": "sgd"}')
    code = f"from cookiecutter.main import cookiecutter as c; c({str(TEMPLATE)!r}, no_input=True); c('other')"
    environment = {**ENVIRONMENT, "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, input=b"a\nadam\n", check=True)
    assert (tmp_path / "a/optimizer").read_text() == "adam"
