"""The check of all answers, before anything is written. Loaded by cookiecutter and cruft as a Jinja extension."""

import keyword
import math
import re
import shlex
import sys
from pathlib import Path

from cookiecutter.config import get_user_config
from cookiecutter.replay import dump
from jinja2 import Environment
from jinja2.ext import Extension

TASKS = ["classification"]
OPTIMIZERS = ["adam", "adamw", "rmsprop", "sgd"]
SCHEDULES = ["constant", "cosine", "inverse_sqrt", "linear", "plateau", "step"]
PRECISIONS = ["32-true", "16-mixed", "bf16-mixed", "64-true"]
LOGGERS = ["csv", "tensorboard", "wandb"]
LICENSES = ["MIT", "Apache-2.0", "BSD-3-Clause", "none"]
# A package of one of these names would hide, or be hidden by, something that the repository imports
DEPENDENCIES = set(
    """
    absl aiohttp antlr4 anyio attr attrs certifi charset_normalizer click cloudpickle configs contourpy cycler dateutil
    evaluate filelock fonttools fsspec functorch google grpc h11 httpcore httpx hydra hydra_core idna iniconfig jinja2
    joblib kiwisolver lightning lightning_fabric lightning_utilities markdown markdown_it markupsafe matplotlib mdurl
    mpl_toolkits mpmath narwhals networkx numpy omegaconf optuna packaging pandas pil pip pkg_resources platformdirs
    pluggy pydantic pygments pylab pyparsing pypdf pytest pytorch_lightning pyyaml report requests rich ruff scikit_learn
    scipy setuptools six sklearn sniffio src submitit sympy tensorboard tests threadpoolctl torch torchaudio torchgen
    torchmetrics torchvision tqdm train transformers triton typing_extensions urllib3 wandb werkzeug yaml yarl
    """.split()
)

INTEGER = re.compile(r"0|[1-9][0-9]*")
NUMBER = re.compile(r"((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
CLAIM = re.compile(rf"([<>]=? *)?[+-]?({NUMBER.pattern})")  # 94.3, > 99, <= 0.5
BUDGET = re.compile(rf"({INTEGER.pattern})( +steps)?")


def problems(answers: dict[str, str]) -> list[str]:
    """What is wrong with the answers, a line for each, with an answer that would be accepted."""
    found = []

    def value(key: str) -> str:
        return answers[key].split("@")[0].strip()

    def refuse(key: str, expected: str, example: str) -> None:
        shown = answers[key] if len(answers[key]) <= 60 else answers[key][:57] + "…"
        found.append(f"{key}={shown!r}: {expected}, for example {key}={example!r}")

    def one_of(key: str, options: list[str], *, exact: bool = False) -> None:
        given = answers[key] if exact else value(key).lower()
        if given not in options:
            refuse(key, "must be one of " + ", ".join(options), options[0])

    def number(key: str, pattern: re.Pattern, expected: str, example: str, *, positive: bool = False) -> None:
        if not pattern.fullmatch(value(key)):
            refuse(key, expected, example)
            return
        size = float(NUMBER.search(value(key))[0])
        if not math.isfinite(size) or (positive and size == 0):
            refuse(key, expected, example)

    for key in answers:
        if answers[key].strip() == "???":
            refuse(key, "must not be ???, which Hydra reads as missing", "unknown")
    if not answers["title"].strip():
        refuse("title", "must not be empty", "My Paper")
    for key, pattern, expected, example in [
        (
            "project_slug",
            r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?",
            "letters, digits, - and _, and no path",
            "my-paper",
        ),
        ("package_name", r"[A-Za-z][A-Za-z0-9_]*", "a Python identifier of letters, digits and _", "my_paper"),
    ]:
        name = answers[key]
        as_module = name.lower().replace("-", "_")
        if not re.fullmatch(pattern, name):
            refuse(key, f"must be {expected}", example)
        elif keyword.iskeyword(name) or keyword.iskeyword(as_module):
            refuse(key, "must not be a keyword of Python", f"{name}{example[2]}paper")
        elif as_module in sys.stdlib_module_names:
            refuse(key, "must not be a module of Python's standard library", f"{name}{example[2]}paper")
        elif as_module in DEPENDENCIES:
            refuse(key, "must not be the name of something the repository imports", f"{name}{example[2]}paper")
    if answers["year"] and not re.fullmatch(r"[1-9][0-9]{3}", answers["year"]):
        refuse("year", "must be four digits or empty", "2019")
    if not re.search(r"[^\W_]", answers["metric"]):
        refuse("metric", "must be the name of a metric", "accuracy")
    if value("paper_value"):
        number("paper_value", CLAIM, "must be a number, with > or < for a threshold, or empty", "94.3 @ Table 2")
    one_of("task", TASKS, exact=True)
    one_of("optimizer", OPTIMIZERS)
    one_of("lr_schedule", SCHEDULES)
    one_of("precision", PRECISIONS)
    one_of("logger", LOGGERS, exact=True)
    one_of("license", LICENSES, exact=True)
    number("learning_rate", NUMBER, "must be a number above 0", "3e-4 @ Section 5.3", positive=True)
    number("weight_decay", NUMBER, "must be a number, 0 or more", "0.01 @ Section 5.3")
    number("gradient_clip", NUMBER, "must be the largest norm, 0 for no clipping", "1.0 @ Section 5.3")
    number("warmup_steps", INTEGER, "must be a whole number of steps, 0 or more", "4000 @ Section 5.3")
    number("batch_size", INTEGER, "must be a whole number, 1 or more", "64 @ Section 5.3", positive=True)
    number(
        "max_epochs", BUDGET, "must be a whole number of epochs, or of steps", "2000 steps @ Section 5.3", positive=True
    )
    number("seed", INTEGER, "must be a whole number, 0 or more", "0")
    epochs = value("lr_schedule").lower() in ("plateau", "step")
    if epochs and INTEGER.fullmatch(value("warmup_steps")) and int(value("warmup_steps")):
        refuse("warmup_steps", "the schedules plateau and step count epochs and take no warm-up in steps", "0")
    return found


def refusal(answers: dict) -> str | None:
    """The message that refuses the answers, or None where all is well."""
    found = problems({key: str(value) for key, value in answers.items() if not key.startswith("_")})
    lines = ["", "Nothing was written. Please correct:", "", *(f"  - {line}" for line in found)]
    return "\n".join(lines) if found else None


class CheckAnswers(Extension):
    """The filter ``checked``: ends the program where an answer cannot be used, and keeps the answers."""

    def __init__(self, environment: Environment):
        super().__init__(environment)
        environment.filters["checked"] = self.checked
        environment.filters["refusal"] = refusal

    def checked(self, answers: dict) -> str:
        message = refusal(answers)
        if message is None:
            return "yes"
        if "cruft" in sys.modules:  # it has no replay, and the template lies in a temporary folder
            raise SystemExit(message)
        template = Path(__file__).resolve().parents[1]
        folder = Path(get_user_config()["replay_dir"])
        dump(folder, template.name, {"cookiecutter": {**answers, "__checked": "no"}})
        kept = folder / f"{template.name}.json"
        raise SystemExit(
            f"{message}\n\nYour answers are kept in {kept}. Correct them there, then:\n"
            f"  cookiecutter {shlex.quote(str(template))} --replay-file {shlex.quote(str(kept))}"
        )
