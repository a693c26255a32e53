"""What may be answered, and what is offered: names from titles, and the check of all answers together."""

import keyword
import math
import re
import sys
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from slugify import slugify

from paper_template.titles import clean

# The kinds of task, each with what differs from the usual answers in cookiecutter.json
TASKS: dict[str, dict[str, str]] = {
    "classification": {},
    "contrastive": {
        "metric": "knn",
        "optimizer": "adamw",
        "learning_rate": "3e-3",
        "lr_schedule": "cosine",
        "weight_decay": "1e-4",
        "batch_size": "128",
        "max_epochs": "30",
    },
    "generative": {
        "metric": "mmd2",
        "learning_rate": "1e-2",
        "lr_schedule": "cosine",
        "warmup_steps": "50",
        "max_epochs": "45",
        "gradient_clip": "1.0",
    },
    "physics": {
        "metric": "relative l2",
        "learning_rate": "1e-2",
        "lr_schedule": "cosine",
        "batch_size": "256",
        "max_epochs": "32",
    },
    "sequence": {
        "metric": "bits per character",
        "optimizer": "adamw",
        "learning_rate": "6e-3",
        "lr_schedule": "linear",
        "warmup_steps": "100",
        "weight_decay": "0.01",
        "batch_size": "8",
        "max_epochs": "3",
        "gradient_clip": "1.0",
    },
}
OPTIMIZERS = ["adam", "adamw", "rmsprop", "sgd"]
SCHEDULES = ["constant", "cosine", "inverse_sqrt", "linear", "plateau", "step"]
PRECISIONS = ["32-true", "16-mixed", "bf16-mixed", "64-true"]
COMPONENTS = ["used", "all"]
LOGGERS = ["csv", "tensorboard", "wandb"]
LICENSES = ["MIT", "Apache-2.0", "BSD-3-Clause", "none"]
# A package of one of these names would hide, or be hidden by, something that the repository imports
DEPENDENCIES = set(
    """
    absl aiohttp antlr4 anyio attr attrs certifi charset_normalizer click cloudpickle configs contourpy cycler dateutil
    evaluate filelock fonttools fsspec functorch google grpc h11 httpcore httpx hydra hydra_core idna iniconfig jinja2
    joblib kiwisolver lightning lightning_fabric lightning_utilities markdown markdown_it markupsafe matplotlib mdurl
    mpl_toolkits mpmath narwhals networkx numpy omegaconf optuna optuna_integration packaging pandas pil pip
    pkg_resources platformdirs pluggy pydantic pygments pylab pyparsing pypdf pytest pytorch_lightning pyyaml report
    requests rich ruff scikit_learn scipy setuptools six sklearn sniffio src submitit sympy tensorboard tests
    threadpoolctl torch torchaudio torchgen torchmetrics torchvision tqdm train transformers triton tune
    typing_extensions urllib3 wandb werkzeug yaml yarl
    """.split()
)

SMALL = "a an the and or of on in is to its for with from by via"  # words that no name ends with
TEXTS = "paper title authors venue paper_url official_code citation_key dataset metric reproducer".split()

INTEGER = re.compile(r"0|[1-9][0-9]*")
NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")  # as YAML reads one, and so not .5
CLAIM = re.compile(rf"([<>]=? *)?-?({NUMBER.pattern})( *(±|\+/?-) *{NUMBER.pattern})?( *%)?")  # 94.3 ± 0.2 %, > 99
BUDGET = re.compile(rf"({INTEGER.pattern})( +(epoch|step)s?)?")


class Paper(NamedTuple):
    """What the questions after the first one offer; empty where nothing is known."""

    title: str = ""
    authors: str = ""
    year: str = ""
    venue: str = ""
    paper_url: str = ""
    official_code: str = ""
    note: str = ""  # that it was retracted or withdrawn


def strangers(given: dict, keys: list[str]) -> list[str]:
    """What was given by flag or file and is no answer to any question: cookiecutter would pass over it in silence."""
    found = []
    for key, value in given.items():
        if key not in keys:
            near = get_close_matches(str(key), keys, 1)
            found.append(
                f"{key}: is no answer" + (f", did you mean {near[0]}?" if near else f"; answers are {', '.join(keys)}")
            )
        elif not isinstance(value, (str, int, float)) or isinstance(value, bool):
            found.append(f"{key}={value!r}: must be one text, for example {key}='a, b', or {key}='' for nothing")
        elif isinstance(value, float) and key in TEXTS:
            found.append(f"{key}={value!r}: must be a text in quotes, as a number it has lost its last zeros")
    return found


def problems(answers: dict[str, str]) -> list[str]:
    """What is wrong with the answers, a line for each, with an answer that would be accepted."""
    found = []

    def value(key: str) -> str:
        return answers[key].split("@")[0].strip()

    def refuse(key: str, expected: str, example: str) -> None:
        shown = answers[key] if len(answers[key]) <= 60 else answers[key][:57] + "…"
        found.append(f"{key}={shown!r}: {expected}, for example {key}={example!r}")

    def one_of(key: str, options: list[str], *, exact: bool = False, other: str = "") -> None:
        given = answers[key] if exact else value(key).lower()
        if given not in options:
            refuse(key, f"must be one of {', '.join(options)}{other}", options[0])

    def number(
        key: str, pattern: re.Pattern, expected: str, example: str, *, positive: bool = False, below: float = math.inf
    ) -> None:
        if not pattern.fullmatch(value(key)):
            refuse(key, expected, example)
            return
        size = float(NUMBER.search(value(key))[0])
        if not size < below or (positive and size == 0):
            refuse(key, expected, example)

    for key in answers:
        if "???" in (part.strip() for part in (answers[key].split(",") if key == "authors" else [answers[key]])):
            refuse(key, "must not be ???, which Hydra reads as missing", "unknown")
        if re.search("[\ud800-\udfff]", answers[key]):
            refuse(key, "must be text in UTF-8", "Gödel")
    if not clean(answers["title"]):
        refuse("title", "must not be empty", "My Paper")
    for key, pattern, expected, example in [
        (
            "project_slug",
            r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?",
            "at most 100 letters, digits, - and _, and no path",
            "my-paper",
        ),
        (
            "package_name",
            r"[A-Za-z][A-Za-z0-9_]*",
            "a Python identifier of at most 100 letters, digits and _",
            "my_paper",
        ),
    ]:
        name = answers[key]
        as_module = name.lower().replace("-", "_")
        if not re.fullmatch(pattern, name) or len(name) > 100:
            refuse(key, f"must be {expected}", example)
        elif keyword.iskeyword(name) or keyword.iskeyword(as_module):
            refuse(key, "must not be a keyword of Python", f"{name}{example[2]}paper")
        elif as_module in sys.stdlib_module_names:
            refuse(key, "must not be a module of Python's standard library", f"{name}{example[2]}paper")
        elif as_module in DEPENDENCIES:
            refuse(key, "must not be the name of something the repository imports", f"{name}{example[2]}paper")
    if answers["year"] and not re.fullmatch(r"[1-9][0-9]{3}", answers["year"]):
        refuse("year", "must be four digits or empty", "2019")
    if not slugify(answers["metric"]):
        refuse("metric", "must be the name of a metric", "accuracy")
    if value("paper_value"):
        number(
            "paper_value",
            CLAIM,
            "must be a number, with its ± and % where it has them, or with > or < for a threshold, or empty, as for a "
            "range (value and upper in configs/paper.yaml)",
            "94.3 ± 0.2 @ Table 2",
        )
    one_of("task", list(TASKS), exact=True)
    one_of("optimizer", OPTIMIZERS, other="; any other is a file that you add to configs/optimizer/ then")
    one_of("lr_schedule", SCHEDULES)
    one_of("precision", PRECISIONS)
    one_of("components", COMPONENTS, exact=True)
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
    number("seed", INTEGER, "must be a whole number, from 0 to 4294967295", "0", below=2**32)  # as Lightning has it
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:_./+-]*", answers["citation_key"]):
        refuse("citation_key", "must be letters, digits and any of : _ . / + -", "vaswani2017attention")
    epochs = value("lr_schedule").lower() in ("plateau", "step")
    if epochs and INTEGER.fullmatch(value("warmup_steps")) and value("warmup_steps") != "0":
        refuse("warmup_steps", "the schedules plateau and step count epochs and take no warm-up in steps", "0")
    return found


def usual(task: str, key: str, otherwise: str) -> str:
    """The answer that the task's own stand-in was tried with."""
    return TASKS.get(task, {}).get(key, otherwise)


def folder_name(title: str, folder: Path | None) -> str:
    """A name for the repository: its title up to a colon, 40 letters at most, and a number if ``folder`` has it already."""
    short = title.partition(":")[0] if any(map(str.isalnum, title.partition(":")[0])) else title
    name = slugify(short, max_length=40, word_boundary=True, save_order=True) or "my-paper"
    while (cut := name.rpartition("-"))[0] and cut[2] in SMALL.split():
        name = cut[0]
    if _is_taken(name.replace("-", "_")):
        name += "-paper"
    if folder is None:
        return name
    numbered = (f"{name}-{number}" for number in count(2))
    return next(new for new in chain([name], numbered) if not (folder / new).exists())


def import_name(slug: str) -> str:
    """A name for the package: the folder's, as Python takes it."""
    name = slugify(slug, separator="_")
    name = name if name[:1].isalpha() else f"paper_{name}".strip("_")
    return f"{name}_paper" if _is_taken(name) else name


def _is_taken(name: str) -> bool:
    return keyword.iskeyword(name) or name in sys.stdlib_module_names or name in DEPENDENCIES


def people(authors: str) -> list[str]:
    """The names in an answer: commas between them, or semicolons as in ``Family, Given; Family, Given``."""
    if ";" not in authors:
        return [name.strip() for name in authors.split(",") if name.strip()]
    names = (re.sub(r"^([^,]+),([^,]+)$", r"\2 \1", name) for name in authors.split(";"))
    return [" ".join(name.split()) for name in names if name.strip()]


def citation_key(authors: str, year: str, title: str) -> str:
    """A key for BibTeX: family name of the first author, year, first word of the title that says something."""
    first = re.sub(r"\(.*?\)", "", re.split(r" and | et al", [*people(authors), ""][0])[0]).split()
    ignored = "jr sr ii iii iv phd md collaboration team group consortium project".split()
    family = [name for name in first if name.rstrip(".").lower() not in ignored][-1:]
    words = slugify(re.sub("['’]", "", title)).split("-")
    word = next((word for word in words if word not in SMALL.split()), words[0])
    year = year if year.isdecimal() else ""
    return slugify(" ".join(family), separator="") + year + word or "paper"
