"""The template's extension of Jinja, loaded by cookiecutter and cruft: offers answers, keeps them, and checks them."""

import json
import shlex
import sys
from pathlib import Path

import click
from cookiecutter.config import get_user_config
from jinja2 import Environment
from jinja2.ext import Extension

from local_extensions.answers import citation_key, folder_name, import_name, problems, strangers
from local_extensions.lookup import look_up

TEMPLATE = Path(__file__).resolve().parents[1]
FOLDER = "{{cookiecutter.project_slug}}"
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))


class Answers(Extension):
    """Filters for the questions in ``cookiecutter.json``, and what cookiecutter itself does not do with the answers.

    - An answer given by flag or file is text: cookiecutter would render it as a template of Jinja.
    - The answers are checked before the folder is made, also those of a replay.
    """

    def __init__(self, environment: Environment):
        super().__init__(environment)
        self.asking = False
        environment.filters["look_up"] = look_up
        environment.filters["folder_name"] = _folder_name
        environment.filters["import_name"] = import_name
        environment.filters["citation_key"] = lambda answers: citation_key(
            *map(str, map(answers.get, ("authors", "year", "title")))
        )
        environment.filters["checked"] = _checked
        # cruft bakes two versions of the template in one process: each shall load its own extension
        for name in [name for name in sys.modules if name.split(".")[0] == __name__]:
            del sys.modules[name]

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """See each template before Jinja does; files have a name, while defaults, answers and the folder have none."""
        if name is not None:
            return source
        if source == FOLDER:
            return "{{ cookiecutter | checked }}"
        if source == QUESTIONS["__answers"]:  # the first key: what follows are questions
            self.asking = True
        if not self.asking or source in QUESTIONS.values():
            return source
        return "{{ " + ascii(source) + " }}"  # escapes as Jinja reads them


def _options() -> dict:
    """The options of the command line; none where Python calls."""
    context = click.get_current_context(silent=True)
    return context.params if context else {}


def _folder_name(title: str) -> str:
    options = _options()
    overwrites = options.get("overwrite_if_exists") or options.get("skip_if_file_exists")
    return folder_name(title, None if overwrites else Path(options.get("output_dir") or "."))


def _given(options: dict) -> dict:
    """What cookiecutter was told by flag, or by a file named in the command."""
    named = get_user_config(options["config_file"])["default_context"] if options.get("config_file") else {}
    flags = options.get("extra_context")
    return {**named, **(flags if isinstance(flags, dict) else {})}


def _checked(answers: dict) -> str:
    """The folder's name; ends the program where an answer cannot be used, and says how to go on."""
    options = _options()
    found = problems({key: str(value) for key, value in answers.items() if not key.startswith("_")})
    found = strangers(_given(options), [key for key in QUESTIONS if not key.startswith("_")]) + found
    if not found:
        return answers["project_slug"]
    lines = ["", "Nothing was written. Please correct:", "", *(f"  - {line}" for line in found)]
    if "replay_file" in options:  # cookiecutter has written one; cruft does not
        config = get_user_config(options.get("config_file"), options.get("default_config"))
        kept = options["replay_file"] or Path(config["replay_dir"], f"{TEMPLATE.name}.json")
        command = ["cookiecutter", str(TEMPLATE), "--replay-file", str(kept)]
        if options["output_dir"] != ".":
            command += ["--output-dir", options["output_dir"]]
        lines += ["", f"Your answers are kept in {kept}. Correct them there, then:", f"  {shlex.join(command)}"]
    raise SystemExit("\n".join(lines))
