"""The questions, answered by a person at a terminal."""

import json
import os
import pty
import re
import select
import subprocess
from pathlib import Path

from conftest import ENVIRONMENT, TEMPLATE

QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text())
PROMPTS = QUESTIONS.pop("__prompts__")
KEYS = [key for key in QUESTIONS if not key.startswith("_")]


def answer(folder: Path, **answers: str) -> tuple[int, str]:
    """Type the answers, and Enter for every other question; returns the exit status and all that was shown."""
    environment = {**ENVIRONMENT, "HOME": str(folder), "TERM": "dumb", "COLUMNS": "400", "LINES": "50"}
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        ["cookiecutter", str(TEMPLATE)],
        cwd=folder,
        env=environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    os.write(keyboard, "".join(answers.get(key, "") + "\n" for key in KEYS).encode())
    shown = b""
    try:
        while True:
            ready, _, _ = select.select([keyboard], [], [], 60)
            assert ready, f"nothing more for a minute after\n{shown.decode()}"
            shown += os.read(keyboard, 65536)
    except OSError:  # so Linux ends a terminal that nobody writes to any more
        return process.wait(), shown.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def asked(shown: str) -> list[tuple[str, str]]:
    """The questions, each with what Enter would answer."""
    numbered = [line for line in re.split(rf"\[\d+/{len(KEYS)}\] ", shown)[1:]]
    pattern = re.compile(r"(.*?)(?: \(([^()]*)\))?: ", re.DOTALL)
    return [pattern.match(line).groups(default="") for line in numbered]


def test_enter_for_everything(tmp_path: Path):
    status, shown = answer(tmp_path)
    assert status == 0, shown
    assert (tmp_path / "my-paper/src/my_paper/model.py").exists()
    assert "my-paper is ready. Next:" in shown


def test_the_questions_are_in_human_words(tmp_path: Path):
    assert set(PROMPTS) == set(KEYS)
    _, shown = answer(tmp_path)
    assert [question for question, _ in asked(shown)] == [PROMPTS[key] for key in KEYS]


def test_names_follow_from_the_title(tmp_path: Path):
    status, shown = answer(tmp_path, title="Attention Is All You Need: Again", learning_rate="3e-4 @ Section 5.3")
    assert status == 0, shown
    offered = dict(zip(KEYS, [default for _, default in asked(shown)], strict=True))
    assert offered["project_slug"] == "attention-is-all-you-need-again"
    assert offered["package_name"] == "attention_is_all_you_need_again"
    repo = tmp_path / "attention-is-all-you-need-again"
    assert (
        (repo / "src/attention_is_all_you_need_again/__init__.py")
        .read_text()
        .startswith('"""Implementation of: Attention Is All You Need: Again\n')
    )
    assert "  lr: 3e-4  # Section 5.3\n" in (repo / "configs/experiment/paper.yaml").read_text()


def test_a_link_answers_the_question_for_the_link(tmp_path: Path):
    _, shown = answer(tmp_path, paper="1706.03762", title="Attention")
    assert dict(zip(KEYS, [default for _, default in asked(shown)], strict=True))["paper_url"] == (
        "https://arxiv.org/abs/1706.03762"
    )


def test_mistakes_are_told_together_at_the_end(tmp_path: Path):
    status, shown = answer(tmp_path, optimizer="adma", batch_size="0")
    assert status == 1 and "Traceback" not in shown
    assert re.findall(r"^  - (\w+)=", shown, re.MULTILINE) == ["optimizer", "batch_size"]
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
