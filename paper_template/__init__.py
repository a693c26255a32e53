"""The template's extension of Jinja, loaded by cookiecutter and cruft: offers answers, keeps them, and checks them."""

import errno
import json
import os
import re
import shlex
import sys
import tempfile
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TextIO

import click
from cookiecutter import prompt
from cookiecutter.config import get_user_config
from jinja2 import Environment
from jinja2.ext import Extension
from rich.console import Console
from rich.prompt import Prompt
from rich.text import Text

from paper_template.answers import (
    TASKS,
    Paper,
    citation_key,
    folder_name,
    import_name,
    people,
    problems,
    strangers,
    usual,
)


def _get_input(console: Console, prompt: Text, password: bool, stream: TextIO | None = None) -> str:
    """Ask with a prompt that readline knows: otherwise no line break follows an empty answer."""
    with console.capture() as shown:
        console.print(prompt, end="")
    return input(re.sub(r"\x1b\[[\d;]*m", "\x01\\g<0>\x02", shown.get()))  # colours have no width


if sys.stdin.isatty():
    with suppress(ImportError):
        import readline  # noqa: F401  arrow keys, and answers of more than a terminal's own 4,095 bytes

        Prompt.get_input = staticmethod(_get_input)

TEMPLATE = Path(__file__).resolve().parents[1]
FOLDER = "{{cookiecutter.project_slug}}"
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
KEYS = [key for key in QUESTIONS if not key.startswith("_")]
PROMPTS = QUESTIONS["__prompts__"]


def _only_ours(ask):
    """Ask what has a prompt in ``cookiecutter.json``; every other answer has a default, and comes by flag or file.

    Cookiecutter has no question that is skipped but can be answered by flag. It has menus, but a wrong choice by flag
    would end in its traceback, so that a choice is a text with a prompt for each option.
    """

    def read_user_variable(key: str, default: str, prompts: dict | None = None, prefix: str = "") -> str:
        if prompts != PROMPTS:  # of another template
            return ask(key, default, prompts, prefix)
        if key not in PROMPTS:
            return default
        prefix = f"  [dim][{[*PROMPTS].index(key) + 1}/{len(PROMPTS)}][/] "
        if isinstance(PROMPTS[key], str):
            return ask(key, default, PROMPTS, prefix)
        options = [option for option in PROMPTS[key] if option not in ("__prompt__", default)]
        return prompt.read_user_choice(key, [default, *options], PROMPTS, prefix)

    return read_user_variable


prompt.read_user_variable = _only_ours(prompt.read_user_variable)


class Answers(Extension):
    """Filters for the questions in ``cookiecutter.json``, and what cookiecutter itself does not do with the answers.

    - An answer given by flag or file is text: cookiecutter would render it as a template of Jinja.
    - The answers are checked before the folder is made, also those of a replay.
    """

    def __init__(self, environment: Environment):
        super().__init__(environment)
        self.asking = False
        beyond_us = {key: value for key, value in _given().items() if _is_beyond_us(key, value)}
        _refuse([*strangers(beyond_us, KEYS), *_unwritable()])
        environment.filters["look_up"] = _look_up
        environment.filters["stated"] = _stated
        environment.filters["folder_name"] = _folder_name
        environment.filters["import_name"] = import_name
        environment.filters["citation_key"] = citation_key
        environment.filters["people"] = people
        environment.filters["usual"] = usual
        environment.filters["checked"] = _checked
        if "cruft" in sys.modules:  # it bakes two versions in one process: each shall load its own extension
            for name in [name for name in sys.modules if name.split(".")[0] == __name__]:
                del sys.modules[name]

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """See each template before Jinja does; files have a name, while defaults, answers and the folder have none."""
        if source == QUESTIONS["__answers"]:  # the first key: what follows are questions
            self.asking = True
        if name is not None or source in QUESTIONS.values():
            return source
        if self.asking:
            return "{{ " + ascii(source) + " }}"  # escapes as Jinja reads them
        return "{{ cookiecutter | checked }}" if source == FOLDER else source


def _options() -> dict:
    """The options of the command line; none where Python calls."""
    for module in (click, sys.modules.get("typer.main")):  # cruft's typer has a click of its own
        context = module.get_current_context(silent=True) if hasattr(module, "get_current_context") else None
        if context:
            return context.params
    return {}


def _replay_file() -> Path | None:
    """Where cookiecutter will keep the answers; None for cruft and for Python, whose options we do not see."""
    options = _options()
    file = options.get("config_file")
    if "replay_file" not in options or (file and not Path(file).is_file()):  # in the folder of a hook
        return None
    config = get_user_config(file, options.get("default_config"))
    return Path(config["replay_dir"], f"{TEMPLATE.name}.json")


def _unwritable() -> list[str]:
    """Why cookiecutter cannot keep the answers, before anybody is asked; it would end in a traceback after all."""
    try:
        if file := _replay_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(file if file.exists() else file.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        again = shlex.join(["cookiecutter", *sys.argv[1:]])
        return [f"{file}: cookiecutter keeps your answers there ({error.strerror}); try HOME=/tmp {again}"]
    return []


def _look_up(paper: str) -> Paper:
    if not paper.strip():
        return Paper()
    from paper_template.lookup import look_up  # only now: most of what the extension would import

    return look_up(paper)


def _stated(paper: str, key: str) -> str | None:
    """The answer that a PDF states for a setting, if it states one."""
    if not paper.strip():
        return None
    from paper_template.lookup import stated

    return stated(paper).get(key)


def _folder_name(title: str) -> str:
    options = _options()
    overwrites = options.get("overwrite_if_exists") or options.get("skip_if_file_exists")
    return folder_name(title, None if overwrites else Path(options.get("output_dir") or "."))


def _given() -> dict:
    """What was told by flag, or by a file named in the command."""
    options = _options()
    file = options.get("config_file")  # a hook is rendered in another folder, where a relative path leads nowhere
    named = get_user_config(file)["default_context"] if file and Path(file).is_file() else {}
    flags = options.get("extra_context") or {}
    flags = json.loads(flags) if isinstance(flags, str) else flags  # cruft takes them as JSON
    return {**named, **(flags if isinstance(flags, dict) else {})}


def _is_beyond_us(key: object, value: object) -> bool:
    """What cookiecutter itself would stumble over, or use to leave us out."""
    return not isinstance(key, str) or key.startswith("_") or isinstance(value, date)


def _checked(answers: dict) -> str:
    """The folder's name; ends the program where an answer cannot be used, and says how to go on."""
    given = {key: value for key, value in answers.items() if not key.startswith("_")}
    found = strangers({**given, **_given()}, KEYS)  # a replay was given nothing by flag
    answers.update({key: str(value) for key, value in given.items()})  # and may hold numbers
    told = {line.split("=")[0] for line in found}
    found += [line for line in problems({key: answers[key] for key in KEYS}) if line.split("=")[0] not in told]
    if _options().get("accept_hooks") == "no":
        found.append(
            "--accept-hooks=no: the hook of this template lays the files of the task, and runs nothing else but git"
        )
    _refuse(found, answers)
    # The hook drops the files of the other tasks, so that they need not be rendered
    answers["_copy_without_render"] += [f"skeletons/{task}" for task in TASKS if task != answers["task"]]
    return answers["project_slug"]


def _refuse(found: list[str], answers: dict | None = None) -> None:
    """End the program where something was found, with the command to go on from the answers."""
    if not found:
        return
    lines = ["", "Nothing was written. Please correct:", "", *(f"  - {line}" for line in found)]
    if answers and (kept := _keep(answers)):
        lines += ["", f"Your answers are kept in {kept[-1]}. Correct them there, then:", f"  {shlex.join(kept)}"]
    raise SystemExit("\n".join(lines))


def _keep(answers: dict) -> list[str] | None:
    """The command that takes the answers from a file, which it names last; None where there is no such command."""
    options = _options()

    def again(*names: str) -> list[str]:
        chosen = [(f"--{name.replace('_', '-')}", options.get(name)) for name in names]
        given = [[name] if value is True else [name, str(value)] for name, value in chosen if value and value != "."]
        return [word for words in given for word in words]

    written = again("output_dir", "overwrite_if_exists", "skip_if_file_exists", "keep_project_on_failure")
    if "replay_file" in options:  # of cookiecutter, which has written the file, and has cloned what it was told to
        file = options["replay_file"] or _replay_file()
        return ["cookiecutter", str(TEMPLATE), *written, "--replay-file", str(file)]
    if {"template_git_url", "extra_context_file"} <= options.keys():  # of cruft create
        file = Path(tempfile.mkdtemp(prefix="paper-template-"), "answers.json")
        file.write_text(json.dumps({key: answers[key] for key in KEYS}, indent=2))
        source = [options["template_git_url"], *again("directory", "checkout")]
        return ["cruft", "create", *source, *written, "--no-input", "--extra-context-file", str(file)]
    return None
