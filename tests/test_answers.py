"""What is answered: mistakes are refused before anything is written, and text stays text in every file format."""

import ast
import json
import os
import re
from pathlib import Path

import pytest
import yaml
from conftest import TEMPLATE, cookiecutter, run
from cookiecutter.environment import StrictEnvironment
from hydra import compose, initialize_config_dir
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader
from markdown_it import MarkdownIt
from omegaconf import OmegaConf
from test_bake import OPTIONS, parse_files, tomllib

# One bake for each: what is answered, and a part of the reason why not
NO_FOLDER, NO_PACKAGE, WHOLE = "letters, digits, - and _, and no path", "a Python identifier", "must be a whole number"
STANDARD, IMPORTED = "a module of Python's standard library", "something the repository imports"
MISTAKES = [
    {
        **{key: ("no-such", "must be one of " + ", ".join(options)) for key, options in OPTIONS.items()},
        "title": (" ", "must not be empty"),
        "year": ("19", "must be four digits or empty"),
        "metric": ("%", "must be the name of a metric"),
        "paper_value": ("high @ Table 2", "must be a number"),
        "learning_rate": ("-1e-3 @ Section 5", "must be a number above 0"),
        "weight_decay": ("nan", "must be a number, 0 or more"),
        "gradient_clip": ("1,0", "must be the largest norm"),
        "warmup_steps": ("4k", WHOLE),
        "batch_size": ("0", WHOLE),
        "max_epochs": ("2.5", WHOLE),
        "seed": ("-1", WHOLE),
    },
    {"batch_size": ("", WHOLE), "learning_rate": ("0.0", "above 0"), "year": ("20191", "four digits")},
    {"warmup_steps": ("10", "no warm-up in steps")},
    {"project_slug": ("", NO_FOLDER), "package_name": ("", NO_PACKAGE)},
    {"project_slug": ("../x", NO_FOLDER), "package_name": ("../x", NO_PACKAGE)},
    {"project_slug": ("/tmp/paper-template-x", NO_FOLDER), "package_name": ("/tmp/x", NO_PACKAGE)},
    {"project_slug": (".", NO_FOLDER), "package_name": ("a.b", NO_PACKAGE)},
    {"project_slug": ("a b", NO_FOLDER), "package_name": ("a-b", NO_PACKAGE)},
    {"project_slug": ("-a", NO_FOLDER), "package_name": ("1a", NO_PACKAGE)},
    {"project_slug": ("é", NO_FOLDER), "package_name": ("é", NO_PACKAGE)},
    {"project_slug": ("class", "a keyword"), "package_name": ("None", "a keyword")},
    {"project_slug": ("random", STANDARD), "package_name": ("json", STANDARD)},
    {"project_slug": ("scikit-learn", IMPORTED), "package_name": ("Hydra", IMPORTED)},
    {"project_slug": ("tests", IMPORTED), "package_name": ("train", IMPORTED)},
    {"package_name": ("yaml", IMPORTED)},
    {"batch_size": ("010", WHOLE)},
    {"year": ("0010", "four digits")},
    {"batch_size": ("٦٤", WHOLE)},
    {"learning_rate": ("1e400", "must be a number")},
    {"metric": ("_", "the name of a metric")},
    {"title": ("???", "reads as missing"), "venue": (" ???", "reads as missing")},
]


def everything(folder: Path) -> set[str]:
    """All that lies in a folder, apart from cookiecutter's own memory."""
    return {str(path) for path in folder.rglob("*") if ".home" not in path.parts}


@pytest.mark.parametrize("mistakes", MISTAKES, ids=lambda mistakes: "-".join(mistakes) if len(mistakes) < 4 else "all")
def test_mistakes_are_refused(tmp_path: Path, mistakes: dict[str, tuple[str, str]]):
    inside = tmp_path / "inside"
    inside.mkdir()
    before = everything(tmp_path)
    sound = {"project_slug": "my-paper", "package_name": "my_paper", "lr_schedule": "plateau"}
    done = cookiecutter(inside, ok=False, **{**sound, **{key: answer for key, (answer, _) in mistakes.items()}})
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said, said
    assert everything(tmp_path) == before and not Path("/tmp/paper-template-x").exists()

    problems = {line.split("=")[0]: line for line in re.findall(r"^  - (.*)", said, flags=re.MULTILINE)}
    assert set(problems) == set(mistakes)
    for key, (answer, reason) in mistakes.items():
        assert problems[key].startswith(f"{key}={answer!r}: ") and reason in problems[key]
        assert re.search(f", for example {key}='.+'$", problems[key])


def replay(folder: Path, template: str | Path = TEMPLATE, **corrections: object):
    """Correct the answers that cookiecutter kept, and bake from them."""
    kept = folder / ".home/.cookiecutter_replay" / f"{TEMPLATE.name}.json"
    context = json.loads(kept.read_text())
    context["cookiecutter"].update(corrections)
    kept.write_text(json.dumps({"cookiecutter": context["cookiecutter"]}))
    return run("cookiecutter", template, "--replay-file", kept, cwd=folder, ok=False, HOME=str(folder / ".home"))


@pytest.mark.parametrize("name", ["folder", "a folder"])
def test_the_answers_are_kept(tmp_path: Path, name: str):
    folder = tmp_path / name
    folder.mkdir()
    refused = cookiecutter(folder, ok=False, title="Kept", optimizer="adma", learning_rate="0.1 @ Table 1")
    command = refused.stderr.splitlines()[-1].strip()
    kept = folder / ".home/.cookiecutter_replay" / f"{TEMPLATE.name}.json"
    assert command.startswith("cookiecutter ") and str(kept) in refused.stderr
    kept.write_text(kept.read_text().replace('"adma"', '"adamw"'))
    run("bash", "-c", command, cwd=folder, HOME=str(folder / ".home"))
    experiment = (folder / "kept/configs/experiment/paper.yaml").read_text()
    assert "override /optimizer: adamw " in experiment and "lr: 0.1  # Table 1\n" in experiment


def test_a_wrong_replay_is_refused(tmp_path: Path):
    cookiecutter(tmp_path, ok=False, optimizer="adma")
    before = everything(tmp_path)
    done = replay(tmp_path, optimizer="adm", project_slug="../x")
    assert done.returncode == 1
    assert re.findall(r"^  - (\w+)=", done.stderr, re.MULTILINE) == ["project_slug", "optimizer"]
    assert everything(tmp_path) == before and not (tmp_path.parent / "x").exists()


def test_a_replay_of_a_bake_is_checked_again(tmp_path: Path):
    cookiecutter(tmp_path)
    assert replay(tmp_path, optimizer="adma", project_slug="again").returncode == 1
    assert not (tmp_path / "again").exists()


def test_a_number_in_a_replay_is_a_number(tmp_path: Path):
    cookiecutter(tmp_path, ok=False, batch_size="0")
    assert replay(tmp_path, batch_size=64).returncode == 0


def test_a_replay_finds_a_template_given_by_a_relative_path(tmp_path: Path):
    cookiecutter(tmp_path, ok=False, optimizer="adma")
    assert replay(tmp_path, os.path.relpath(TEMPLATE, tmp_path), optimizer="adam").returncode == 0


def test_a_title_may_begin_with_a_digit(bake):
    assert bake(title="3D Gaussian Splatting").name == "3d-gaussian-splatting"


TEXTS = [
    "The \"Best\" of 'Both' `Worlds`",
    '"""end""" """',
    'Ends in a quote"',
    "Ends in a backslash\\",
    r"$\alpha$-\textsc{Net}: \N{DASH} \x41 \u0041",
    "# 1: A & B, 50 % | C ~ D ^ E * F_G_H [x](y) ![z]",
    "- yes",
    "null",
    "? {a: [b, !!python/name:os.system ]} # &a *a",
    "1. 2 > 3 @ 4 = 5 + 6",
    "two\nlines, a\ttab and a\x07bell",
    "🤗 Ünïcödé, 日本語 \U0001f468\u200d\U0001f469",
    "שלום \u202egnp.exe",
    r"${oc.env:HOME} \${now:%Y} ${title} $${x}",
    "$(id) `id` ; rm -rf . && %PATH%",
    "<script>alert('&amp;')</script> <!-- --> </a> https://x.org",
    "{x} {0} %s %(a)s } {",
    "Ends in a space ",
]


def on_one_line(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)


def paragraphs(text: str) -> list[tuple[str, str]]:
    """The blocks of a Markdown text as (tag, text shown); no other inline element than text is let pass."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    assert not {token.type for token in tokens} & {"html_block", "code_block", "fence"}
    inlines = [(tokens[i - 1].tag, token.children) for i, token in enumerate(tokens) if token.type == "inline"]
    assert {child.type for _, children in inlines for child in children} <= {"text"}
    return [(tag, "".join(child.content for child in children)) for tag, children in inlines]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(bake, text: str):
    repo = bake(
        **dict.fromkeys(["title", "authors", "venue", "dataset", "reproducer"], text),
        project_slug="a-paper",
        package_name="a_paper",
    )
    parse_files(repo)
    run("ruff", "check", "--no-cache", "src/a_paper/__init__.py", cwd=repo)
    run("ruff", "format", "--no-cache", "--diff", "src/a_paper/__init__.py", cwd=repo)
    one_line, words, people = on_one_line(text), " ".join(text.split()), [name.strip() for name in text.split(",")]

    docstring = ast.get_docstring(ast.parse((repo / "src/a_paper/__init__.py").read_text()), clean=False)
    header = [f"Implementation of: {one_line}".rstrip(), "", f"Authors: {one_line}".rstrip()]  # as ruff wants it
    assert docstring.split("\n")[:3] == header

    with initialize_config_dir(str(repo / "configs"), version_base="1.3"):
        paper = OmegaConf.to_container(compose("train").paper, resolve=True, throw_on_missing=True)
    assert (paper["title"], paper["authors"], paper["venue"]) == (text, people, text)
    assert paper["targets"][0]["dataset"] == text

    project = tomllib.loads((repo / "pyproject.toml").read_text())["project"]
    assert project["description"] == f"Reproduction of {words}"
    assert project["authors"] == [{"name": text}]

    citation = yaml.safe_load((repo / "CITATION.cff").read_text())
    assert (citation["title"], citation["authors"]) == (f"Reproduction of {text}", [{"name": text}])
    (article,) = citation["references"]
    assert (article["title"], article["journal"]) == (text, text)
    assert [author["name"] for author in article["authors"]] == people

    title, claim = (repo / "README.md").read_text().split("\n\n")[:2]
    assert paragraphs(title) == [("h1", one_line.strip())]
    assert paragraphs(claim) == [("p", f"A reproduction of the paper by {one_line} ({one_line.strip()}).")]
    assert f"Copyright (c) {words}\n" in (repo / "LICENSE").read_text()


def test_a_link_stays_a_link(bake):
    claim = (bake(paper_url="https://x.org/\n\n# y") / "README.md").read_text().split("\n\n")[1]
    assert claim.startswith("A reproduction of [the paper](<https://x.org/") and claim.endswith(">).")


def test_bibtex_reads_the_title(bake):
    entry = (bake(title="50% of a } & b", project_slug="my-paper") / "README.md").read_text().split("```bibtex")[1]
    (title,) = re.findall(r"title  = \{(.*)\},", entry)
    assert not re.search(r"(?<!\\)[%&#]", title) and title.count("{") == title.count("}")


ENVIRONMENT = StrictEnvironment(context={}, loader=FileSystemLoader(TEMPLATE / "templates"))
# Any text that UTF-8 can hold, and text of nothing but syntax
ANY = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from("\\\"'${}[]()<>|*_~`$ \n\t#:-!&;a1"))


def macro(name: str, text: str) -> str:
    return ENVIRONMENT.from_string(f"{{% from 'text.jinja' import {name} %}}{{{{ {name}(text) }}}}").render(text=text)


def always(test):
    """For any text, the same every time."""
    return settings(max_examples=400, deadline=None, derandomize=True)(given(ANY)(test))


@always
def test_quoted(text: str):
    quoted = macro("quoted", text)
    assert "\n" not in quoted
    assert ast.literal_eval(quoted) == text
    assert json.loads(quoted) == text
    assert yaml.safe_load(f"- {quoted}  # comment") == [text]
    assert tomllib.loads(f"a = {quoted}  # comment") == {"a": text}


@example(r"\${oc.env:HOME}")
@example(r"\\$${oc.env:HOME}\\")
@always
def test_config(text: str):
    assert OmegaConf.create(f"a: {macro('config', text)}").a == text


@always
def test_docstring(text: str):
    assert ast.literal_eval(f'"""{macro("docstring", text)}"""') == on_one_line(text)


@example("~~a~~ **b** <br> &amp; [c](d) `e` ![f](g) https://h.org <https://i.org>")
@always
def test_markdown(text: str):
    written, shown = macro("markdown", text), on_one_line(text)
    assert paragraphs(f"# {written}") == [("h1", shown.strip())]
    assert paragraphs(f"by {written} (a)") == [("p", f"by {shown} (a)")]
    assert paragraphs(f"| a | b |\n|---|---|\n| {written} | c |")[2:] == [("td", shown.strip()), ("td", "c")]


@always
def test_a_source_is_one_comment(text: str):
    line = macro("value", f"3e-4 @ {text}") + "  " + macro("source", f"3e-4 @ {text}")
    assert yaml.safe_load(f"lr: !!str {line}\n") == {"lr": "3e-4"}
    assert line.endswith(on_one_line(text.strip()) if text.strip() else "# TODO(paper): where is it stated?")
