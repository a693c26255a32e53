"""What is answered: mistakes are refused before anything is written, and text stays text in every file format."""

import ast
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import cmarkgfm
import pytest
import yaml
from conftest import TEMPLATE, cookiecutter, run
from cookiecutter.environment import StrictEnvironment
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader
from omegaconf import OmegaConf
from test_bake import OPTIONS, parse_files, tomllib

from paper_template.answers import citation_key, folder_name, import_name, people

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
        "citation_key": ("a,b}", "must be letters, digits"),
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
    {"learning_rate": ("1e400", "must be a number"), "seed": ("4294967296", WHOLE)},
    {"learning_rate": (".5e3", "must be a number"), "paper_value": ("-.5", "must be a number")},
    {"paper_value": ("85–90 @ Table 2", "as for a range (value and upper in configs/paper.yaml)")},
    {"project_slug": ("a" * 101, "at most 100 letters"), "package_name": ("a" * 101, "at most 100 letters")},
    {"metric": ("\U000103a0", "the name of a metric"), "seed": ("010 @ Section 1", WHOLE)},
    {"warmup_steps": ("1" * 5000, "no warm-up in steps")},
    {"authors": ("Jane Doe, ???", "reads as missing")},
    {"title": ("G\udcffdel", "text in UTF-8")},
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
        shown = answer if len(answer) <= 60 else answer[:57] + "…"
        assert problems[key].startswith(f"{key}={shown!r}: ") and reason in problems[key]
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
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.findall(r"^  - (\w+)=", done.stderr, re.MULTILINE) == ["project_slug", "optimizer"]
    assert everything(tmp_path) == before and not (tmp_path.parent / "x").exists()


def test_a_replay_of_a_bake_is_checked_again(tmp_path: Path):
    cookiecutter(tmp_path)
    assert replay(tmp_path, optimizer="adma", project_slug="again").returncode == 1
    assert not (tmp_path / "again").exists()


def test_the_command_goes_to_the_same_folder(tmp_path: Path):
    refused = cookiecutter(tmp_path, "--output-dir", "a b", ok=False, optimizer="adma")
    kept = tmp_path / ".home/.cookiecutter_replay" / f"{TEMPLATE.name}.json"
    kept.write_text(kept.read_text().replace("adma", "adamw"))
    run("bash", "-c", refused.stderr.splitlines()[-1], cwd=tmp_path, HOME=str(tmp_path / ".home"))
    assert (tmp_path / "a b/my-paper").is_dir()


def test_what_is_no_answer_is_not_passed_over(tmp_path: Path):
    (tmp_path / "answers.yaml").write_text("default_context: {authors: [A, B], venue: , titel: T, seed: 1}")
    refused = cookiecutter(tmp_path, "--config-file", "answers.yaml", ok=False, learningrate="1", xyz="2", year="19")
    assert (
        re.findall(r"^  - (\w+)", refused.stderr, re.MULTILINE) == "authors venue titel learningrate xyz year".split()
    )
    assert "titel: is no answer, did you mean title?" in refused.stderr
    assert "authors=['A', 'B']: must be one text, for example authors='a, b'" in refused.stderr
    assert everything(tmp_path) == {str(tmp_path / "answers.yaml")}


def test_a_home_that_nobody_can_write_to(tmp_path: Path):
    """Cookiecutter keeps the answers there, and would end in a traceback."""
    (tmp_path / "home").touch()
    home = str(tmp_path / "home")  # a file, in which not even root makes a folder
    refused = run("cookiecutter", TEMPLATE, "--no-input", "optimizer=adma", cwd=tmp_path, ok=False, HOME=home)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    kept = f"{home}/.cookiecutter_replay/{TEMPLATE.name}.json"
    assert (
        f"  - {kept}: cookiecutter keeps your answers there (Not a directory); try HOME=/tmp cookie" in refused.stderr
    )
    assert everything(tmp_path) == {home}


@pytest.mark.parametrize("text", ["2017-06-12", "{1: x}"], ids=["date", "key"])
def test_what_cookiecutter_would_stumble_over(tmp_path: Path, text: str):
    (tmp_path / "answers.yaml").write_text(f"default_context: {text if text[0] == '{' else '{year: ' + text + '}'}")
    refused = cookiecutter(tmp_path, "--config-file", "answers.yaml", ok=False)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr and "\n  - " in refused.stderr


def test_the_protection_cannot_be_answered_away(tmp_path: Path):
    refused = cookiecutter(tmp_path, ok=False, __answers="x", title="{% for x in 1 %}")
    assert re.findall(r"^  - (\w+)", refused.stderr, re.MULTILINE) == ["__answers"]
    assert everything(tmp_path) == set() and "Traceback" not in refused.stderr


def test_a_foreign_module_is_not_taken_for_ours(tmp_path: Path):
    (tmp_path / "local_extensions.py").touch()
    (tmp_path / "paper_template").mkdir()  # as a clone may be called
    command = [sys.executable, "-m", "cookiecutter", TEMPLATE, "--no-input"]  # searches this folder first
    run(*command, cwd=tmp_path, HOME=str(tmp_path))
    assert (tmp_path / "my-paper").is_dir()


def test_without_hooks_there_is_nothing_to_lay(tmp_path: Path):
    refused = cookiecutter(tmp_path, "--accept-hooks", "no", ok=False)
    assert "--accept-hooks=no: the hook of this template lays the files" in refused.stderr
    assert everything(tmp_path) == set()


@pytest.mark.parametrize(
    ("title", "slug", "package"),
    [
        ("Attention Is All You Need", "attention-is-all-you-need", "attention_is_all_you_need"),
        ("Torch", "torch-paper", "torch_paper"),
        ("Lightning!", "lightning-paper", "lightning_paper"),
        ("Class", "class-paper", "class_paper"),
        ("Adam: A Method for Stochastic Optimization", "adam", "adam"),
        ("On the Convergence of Stochastic Gradients with the Best of Rates", "on-the-convergence-of-stochastic", None),
        ("Random", "random-paper", "random_paper"),
        ("2048", "2048", "paper_2048"),
        ("深度学习", "shen-du-xue-xi", "shen_du_xue_xi"),
        ("\U0001f99c ???!", "my-paper", "my_paper"),
        ("Pneumonoultramicroscopicsilicovolcanoconiosis", "pneumonoultramicroscopicsilicovolcanocon", None),
    ],
)
def test_names_from_titles(tmp_path: Path, title: str, slug: str, package: str | None):
    assert folder_name(title, tmp_path) == slug
    assert import_name(slug) == package or slug
    (tmp_path / slug).touch()
    assert folder_name(title, tmp_path) == f"{slug}-2"


@pytest.mark.parametrize(
    ("authors", "year", "title", "key"),
    [
        ("Sam Greydanus, Misko Dzamba", "2019", "Hamiltonian Neural Networks", "greydanus2019hamiltonian"),
        ("Aäron van den Oord", "2018", "The Words of 2", "oord2018words"),
        ("Sammy Davis Jr., X", "", "On It", "davisit"),
        ("OpenAI", "20}", "", "openai"),
        ("", "", "🦜", "paper"),
        ("Ashish Vaswani et al.", "2017", "A", "vaswani2017a"),
        ("ATLAS Collaboration, X", "2012", "It's a Trap", "atlas2012trap"),
        ("Xu Li (徐立)", "2020", "Why", "li2020why"),
    ],
)
def test_citation_keys(authors: str, year: str, title: str, key: str):
    assert citation_key(authors, year, title) == key


@pytest.mark.parametrize("authors", ["Ann Lee, Bo van der Zee", "Lee, Ann; van der Zee, Bo", "Ann Lee; Bo van der Zee"])
def test_names_of_authors(authors: str):
    assert people(authors) == ["Ann Lee", "Bo van der Zee"]


def test_a_second_repository_stands_beside_the_first(tmp_path: Path):
    cookiecutter(tmp_path)
    cookiecutter(tmp_path)
    assert (tmp_path / "my-paper-2/src/my_paper_2/model.py").is_file()
    cookiecutter(tmp_path, "--overwrite-if-exists")
    cookiecutter(tmp_path, "--output-dir", "there")
    assert not (tmp_path / "my-paper-3").exists() and (tmp_path / "there/my-paper").is_dir()


def test_flags_are_text(bake):
    """Cookiecutter would render them: to nothing, to an error, or to what they do."""
    texts = [
        "{{ x }}",
        "{{ 7 * 7 }} {% raw %} {# c #}",
        "{% include '/etc/hostname' %}",
        "{{ cookiecutter.update(seed='9') }}",
    ]
    given = dict.fromkeys(TYPED, texts[0]) | dict(zip(TYPED, texts, strict=False))
    check_texts(bake(**given, **NAMES), given)


def test_a_number_in_a_replay_is_a_number(tmp_path: Path):
    cookiecutter(tmp_path, ok=False, batch_size="0")
    assert replay(tmp_path, batch_size=64, year=2019, title=3, metric=1).returncode == 0
    wrong = replay(tmp_path, title=None, authors=["A"], venue={}, seed=True, titel="x", project_slug="other")
    assert set(re.findall(r"^  - (\w+)", wrong.stderr, re.MULTILINE)) == {"title", "authors", "venue", "seed", "titel"}


def test_a_replay_finds_a_template_given_by_a_relative_path(tmp_path: Path):
    cookiecutter(tmp_path, ok=False, optimizer="adma")
    assert replay(tmp_path, os.path.relpath(TEMPLATE, tmp_path), optimizer="adam").returncode == 0


def test_a_title_may_begin_with_a_digit(bake):
    assert bake(title="3D Gaussian Splatting").name == "3d-gaussian-splatting"


def on_one_line(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)


# Any text that UTF-8 can hold, and text of nothing but syntax
ANY = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from("\\\"'${}[]()<>|*_~`$ \n\t#:-!&;a1"))

TITLES = (TEMPLATE / "tests/titles.txt").read_text(encoding="utf-8").splitlines()  # of published papers
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


class Shown(HTMLParser):
    """The blocks of a page as (tag, text shown, links); no other inline element is let pass."""

    def __init__(self, markdown: str):
        super().__init__()
        self.blocks: list[tuple[str, str, list[str]]] = []
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown))  # GitHub's own renderer

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.blocks[-1][2].append(dict(attributes)["href"])
        else:
            assert tag in {"h1", "p", "table", "thead", "tbody", "tr", "th", "td"}, tag
            self.blocks.append((tag, "", []))

    def handle_data(self, data):
        if self.blocks and data.strip("\n"):
            tag, before, links = self.blocks[-1]
            self.blocks[-1] = (tag, before + data, links)


def paragraphs(markdown: str) -> list[tuple[str, str]]:
    """The blocks that have a text, none of them with a link."""
    blocks = Shown(markdown).blocks
    assert not any(links for _, _, links in blocks)
    return [(tag, text) for tag, text, _ in blocks if text]


TYPED = ["title", "authors", "venue", "dataset", "reproducer", "paper_url", "official_code"]
NAMES = {"project_slug": "a-paper", "package_name": "a_paper", "citation_key": "a2026paper"}


def check_texts(repo: Path, given: dict[str, str], package: str = "a_paper") -> None:
    """What was answered stands in every file as it was given."""
    parse_files(repo)
    assert not [path for path in repo.rglob("*.*") if path.is_file() and b"my_paper" in path.read_bytes()]
    init = repo / f"src/{package}/__init__.py"
    run("ruff", "check", "--no-cache", init, cwd=repo)
    run("ruff", "format", "--no-cache", "--diff", init, cwd=repo)
    line = {key: on_one_line(text) for key, text in given.items()}
    words = {key: " ".join(on_one_line(text).split()) for key, text in given.items()}
    names = people(given["authors"])

    docstring = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")), clean=False)
    said = {"Paper": line["paper_url"], "Official code": line["official_code"]}
    header = [f"Implementation of: {line['title']}".rstrip(), "", f"Authors: {line['authors']}".rstrip()]
    assert docstring.split("\n")[:5] == header + [f"{key}: {text}".rstrip() for key, text in said.items()]

    with initialize_config_dir(str(repo / "configs"), version_base="1.3"):
        paper = OmegaConf.to_container(compose("train").paper, resolve=True, throw_on_missing=True)
    assert {key: paper[key] for key in ("title", "authors", "venue", "url", "official_code")} == {
        "title": given["title"],
        "authors": names,
        "venue": given["venue"],
        "url": given["paper_url"],
        "official_code": given["official_code"],
    }
    assert paper["targets"][0]["dataset"] == given["dataset"]

    project = tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == f"Reproduction of {words['title']}"
    assert project["authors"] == [{"name": " ".join(line["reproducer"].split())}]

    citation = yaml.safe_load((repo / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["title"] == f"Reproduction of {given['title']}"
    assert citation["authors"] == [{"name": given["reproducer"]}]
    (article,) = citation["references"]
    assert (article["title"], article["journal"]) == (given["title"], given["venue"])
    assert [author["name"] for author in article["authors"]] == names

    readme = (repo / "README.md").read_text(encoding="utf-8")
    title, claim = readme.split("\n\n")[:2]
    assert paragraphs(title) == [("h1", line["title"].strip())]
    link = f" ({line['paper_url']})"
    said = f"A reproduction of the paper{link} by {line['authors']} ({line['venue']})."
    ((_, shown),) = paragraphs(claim)
    assert "".join(shown.split()) == "".join(said.split())  # a browser makes one space of several, and none at an end
    entry = readme.split("```bibtex\n")[1]
    assert unlatex(re.search(r"^  title  = \{\{(.*)\}\},$", entry, re.MULTILINE)[1]) == words["title"]
    assert unlatex(re.search(r"^  note   = \{(.*)\},$", entry, re.MULTILINE)[1]) == words["venue"]
    assert f"Copyright (c) {words['reproducer']}\n" in (repo / "LICENSE").read_text(encoding="utf-8")


def unlatex(field: str) -> str:
    """The text of a field of BibTeX, of which LaTeX must read nothing else than text."""
    spelled = {"backslash": "\\", "braceleft": "{", "braceright": "}", "asciitilde": "~", "asciicircum": "^"}
    rest = re.sub(r"\\text(\w+)\{\}|\\([%&#_$])", "", field)
    assert not set(rest) & set("\\{}~^%&#_$"), field
    return re.sub(r"\\text(\w+)\{\}|\\([%&#_$])", lambda match: spelled.get(match[1], match[2]), field)


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(bake, text: str):
    given = dict.fromkeys(TYPED, text)
    check_texts(bake(**given, **NAMES), given)


@pytest.mark.parametrize("title", TITLES)
def test_names_from_published_titles(tmp_path: Path, title: str):
    slug = folder_name(title, tmp_path)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) and len(slug) <= 40
    assert re.fullmatch(r"[a-z][a-z0-9_]*", import_name(slug))


@pytest.mark.parametrize(
    "title", [pytest.param(t, marks=[pytest.mark.slow] if n % 16 else []) for n, t in enumerate(TITLES)]
)
def test_titles_of_papers(bake, title: str):
    """A published title in every field, and the names that follow from it."""
    given = dict.fromkeys(TYPED, title)
    repo = bake(**given)
    (package,) = [path.parent.name for path in repo.glob("src/*/__init__.py")]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", repo.name) and len(repo.name) <= 40
    assert re.fullmatch(r"[a-z][a-z0-9_]*", package)
    check_texts(repo, given, package)


@settings(
    max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(
    st.fixed_dictionaries(dict.fromkeys(TYPED, ANY.filter(lambda text: on_one_line(text).strip() not in ("", "???"))))
)
def test_any_text_in_every_field(tmp_path_factory: pytest.TempPathFactory, given: dict[str, str]):
    """By file, for a command line cannot hold every character."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "answers.yaml").write_text(yaml.safe_dump({"default_context": {**given, **NAMES}}))
    cookiecutter(folder, "--config-file", "answers.yaml")
    check_texts(folder / "a-paper", given)


def test_a_link_stays_a_link(bake):
    repo = bake(paper_url="https://x.org/\n\n# y>(\\", official_code="HTTPS://x.org/a_b|c")
    ((_, text, links),) = Shown((repo / "README.md").read_text().split("\n\n")[1]).blocks
    assert (text, links) == ("A reproduction of the paper.", ["https://x.org/%20#%20y%3E(%5C"])
    table = (repo / "PAPER.md").read_text().split("## References consulted\n\n")[1]
    assert ("td", "HTTPS://x.org/a_b|c", ["HTTPS://x.org/a_b%7Cc"]) in Shown(table).blocks


ENVIRONMENT = StrictEnvironment(context={}, loader=FileSystemLoader(TEMPLATE / "templates"))


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
    assume(text.strip() != "???")  # refused as an answer: OmegaConf reads it as missing
    assert OmegaConf.create(f"a: {macro('config', text)}").a == text


@always
def test_docstring(text: str):
    assert ast.literal_eval(f'"""{macro("docstring", text)}"""') == on_one_line(text)


@example("~~a~~ **b** <br> &amp; [c](d) `e` ![f](g) https://h.org <https://i.org>")
@always
def test_markdown(text: str):
    written, shown = macro("markdown", text), on_one_line(text)
    assume(shown.strip())
    assert paragraphs(f"# {written}") == [("h1", shown.strip())]
    assert paragraphs(f"by {written} (a)") == [("p", f"by {shown} (a)")]
    assert paragraphs(f"| a | b |\n|---|---|\n| {written} | c |")[2:] == [("td", shown.strip()), ("td", "c")]


@always
def test_a_source_is_one_comment(text: str):
    line = macro("value", f"3e-4 @ {text}") + "  " + macro("source", f"3e-4 @ {text}")
    assert yaml.safe_load(f"lr: !!str {line}\n") == {"lr": "3e-4"}
    assert line.endswith(on_one_line(text.strip()) if text.strip() else "# TODO(paper): where is it stated?")
