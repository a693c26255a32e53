"""Which part of the paper lives where, and what verifies it: citations by planted ones, outcomes by real runs of pytest."""

import json
import re
import shutil

import pytest
from conftest import run

ASK = """
import json
import re
from my_paper.harness.evidence import citations, sources, tests as suite
known = suite.read_suite(write={write})
found = {{}}
for part in citations.paper_parts(known, sources.experiment_values("paper")):
    places = [f"{{place.file}}:{{place.line}} {{place.symbol}}".strip() for place in part.places]
    found[part.name] = {{"state": part.state, "places": places, "tests": part.tests}}
print(json.dumps([found, known.outcomes, known.unknown]))
"""
TEXTS = {
    "Label smoothing, Equation (3).": ["Equation (3)"],
    "Equation 3, and Equation (4) again": ["Equation (3)", "Equation (4)"],
    "Equations (3) and (4), Equations (6)–(8), Equations 10-11": [f"Equation ({n})" for n in (3, 4, 6, 7, 8, 10, 11)],
    "Sections 3.1 and 4, 25 trajectories of 30": ["Section 3.1", "Section 4"],
    "Sections 2, 3.1–3.3, and 5": [f"Section {n}" for n in ("2", "3.1", "3.2", "3.3", "5")],
    "Section 3, 25 trajectories. Table 1, 2 rows.": ["Section 3", "Table 1"],
    "Equation (A.1), Equation (3a), Section A.2, Appendix B and Appendices B.2 and C": [
        *("Equation (A.1)", "Equation (3a)", "Section A.2", "Appendix B", "Appendix B.2", "Appendix C")
    ],
    "Algorithm 1; Theorem 1, Definition 2, Lemma 6, Proposition 3 of the appendix": [
        *("Algorithm 1", "Theorem 1", "Definition 2", "Lemma 6", "Proposition 3")
    ],
    "Section IV-B and Table II": ["Section IV-B", "Table II"],
    "over two lines, Equation\n    (3)": ["Equation (3)"],
    "``Figure 3`` in backticks": ["Figure 3"],
    # none of this paper's
    "Section …, Equation (…), Table of contents, Section A begins, Figure(figsize=2), Section4": [],
    "Ho et al. 2020, Equation (4)": [],
    "Ho et al. 2020, Equations (6) and (7): precisions of two Gaussians add.": [],
    "Nichol & Dhariwal 2021, Equation (17)": [],
    "Song et al. 2021 (DDIM), Equations (12) and (16), against Ho et al. 2020, Equation (7).": [],
    "Vaswani et al. 2017, Section 3.4; and the sinusoidal positions of Section 3.5 are added.": [],
    "the kernel of Gretton (2012), Lemma 6": [],
    "[Vaswani et al., Equation (1)]": [],
    "Equation (4) of Ho et al. (2020) and Equation (5) of Nichol & Dhariwal 2021": [],
    "Equation (4) in Ho et al. 2020": [],
    "Equation (4) (van den Oord et al., 2018)": [],
    "arXiv:2006.11239, Section 4": [],
    "TODO(paper): the sign in Equation (3)\n   and Section 4": [],
    "Label smoothing, Equation (3), as by Szegedy et al. 2016.": [],
    # of this paper, though another stands by
    "Label smoothing, Equation (3). As by Szegedy et al. 2016.": ["Equation (3)"],
    "The linear β of Ho et al. 2020, Section 4. Weighted as in Equation (5).": ["Equation (5)"],
    "As Ho et al. 2020, Section 4\n\nEquation (5)": ["Equation (5)"],
    "- Ho et al. 2020, Section 4\n- Equation (5)": ["Equation (5)"],
    "Trained on ImageNet 2012 and WMT 2014, Section 5.1": ["Section 5.1"],
    "Equation (1)\n\nTODO(paper): Equation (2)\n\nEquation (3)": ["Equation (1)", "Equation (3)"],
}
SUITE = '''
"""Equation (9): the docstring of a file names no test."""
import pytest
from my_paper.formula import PaperFormula


@pytest.fixture
def broken():
    yield
    raise OSError


@pytest.fixture(scope="module")
def one():
    return PaperFormula().value()


def test_passes():
    """Equations (1) and (2)."""
    assert PaperFormula().value() == 1


def test_fails():
    """Equation (2)."""
    raise AssertionError


def test_skips():
    pytest.skip("no GPU")  # Equations (1)–(3)


# Equation (4)
@pytest.mark.parametrize("case", ["a[0]", "b"])
def test_one_case_fails(case):
    assert case == "b"


@pytest.mark.parametrize("case", [0, 1])
def test_one_case_skips(case, one):
    """Equation (5)."""
    if case:
        pytest.skip("no GPU")
    assert one == 1


def test_ends_badly(broken):
    """Equation (6)."""


class TestAll:
    """Equation (9)."""

    class TestInner:
        def test_method(self):
            def inner():
                """Equation (7)."""
                with pytest.raises(ValueError):
                    PaperFormula().root()

            inner()


@pytest.mark.xfail
def test_is_expected_to_fail():
    """Equation (8)."""
    raise AssertionError


def test_asserts_nothing():
    """Equation (10)."""
    PaperFormula().value()


def test_asserts_that_true_is_true():
    """Equation (11)."""
    PaperFormula().value()
    assert True


def test_asserts_about_something_else():
    """Equation (12)."""
    assert 1 + 1 == 2


def test_asserts_in_a_branch_that_is_not_taken(one):
    """Equation (13)."""
    if one > 1:
        assert one == 2
'''
FORMULA = '''"""The paper's formula."""


class PaperFormula:
    """Equations (1)–(9), and Equations (10)–(13)."""

    def value(self):
        return 1

    def root(self):
        raise ValueError


def unused():
    """Equation (12)."""
'''
ENDED = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_skips": "skipped",
    "test_one_case_fails": "failed",
    "test_one_case_skips": "passed",
    "test_ends_badly": "failed",
    "TestAll::TestInner::test_method": "passed",
    "test_is_expected_to_fail": "skipped",
    "test_asserts_nothing": "passed",
    "test_asserts_that_true_is_true": "passed",
    "test_asserts_about_something_else": "passed",
    "test_asserts_in_a_branch_that_is_not_taken": "passed",
}


def ask(repo, write=True):
    return json.loads(run("python", "-c", ASK.format(write=write), cwd=repo).stdout)


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.fixture(scope="module")
def read(_default_bake, tmp_path_factory):
    """What each of ``TEXTS`` cites, all in one process."""
    repo = shutil.copytree(_default_bake, tmp_path_factory.mktemp("texts") / "my-paper", symlinks=True)
    code = (
        "import json, sys; from my_paper.harness.evidence.citations import cited_parts\n"
        "texts = json.load(open(sys.argv[1]))\n"
        "print(json.dumps({text: [name for _, name in cited_parts(text)] for text in texts}))"
    )
    (repo / "texts.json").write_text(json.dumps(list(TEXTS)))
    return json.loads(run("python", "-c", code, "texts.json", cwd=repo).stdout)


@pytest.mark.parametrize("text", TEXTS)
def test_text(read, text):
    assert read[text] == TEXTS[text]


@pytest.mark.parametrize("task", ["classification", "contrastive", "generative", "physics", "sequence"])
def test_skeletons_cite_other_papers_alone(bake, task):
    found, known, why = ask(bake(task=task))
    assert found == {} and known == {} and why == "the whole suite has not been run"


def test_places(repo):
    """Docstrings and comments in ``src/``, and comments in ``configs/``, each with its line and symbol."""
    (repo / "src/my_paper/model.py").write_text(
        '"""Section 1."""\n'
        "import functools\n"
        "\n"
        'TEXT = "Section 9"  # Section 2, and no string: "Section 3"\n'
        "\n"
        "\n"
        "# Section 4\n"
        "@functools.cache\n"
        "class PaperModel:\n"
        '    """Ours.\n'
        "\n"
        "    Everything of Section\n"
        "    5.1, and of Equation (2)\n"
        '    """\n'
        "\n"
        "    def forward(self):\n"
        '        r"""\\alpha of Section 6."""\n'
        "        x = 1  # Ho et al. 2020,\n"
        "        y = 2  # Section 7 is not a line of the comment above,\n"
        "        #        but Section 8 is in\n"
        "        #        one with it\n"
        "        # z = 3  # Section 9\n"
        "        try:\n"
        "            return x + y\n"
        "        except ValueError as error:\n"
        "            raise error  # Section 10\n"
    )
    (repo / "src/my_paper/components").mkdir(exist_ok=True)
    (repo / "src/my_paper/components/other.py").write_text('"""Section 11."""\n')
    edit(repo / "src/my_paper/harness/__init__.py", '"""', '"""Section 11. ')
    experiment = repo / "configs/experiment/paper.yaml"
    edit(experiment, "  lr: 1e-3  # TODO(paper): where is it stated?", '  lr: 1e-3  # Section 17: "as in Section 3"')
    edit(
        experiment,
        "  weight_decay: 0  # TODO(paper): where is it stated?",
        "  weight_decay: 0  # Ho et al. 2020, Section 9",
    )
    line = 1 + experiment.read_text().splitlines().index('  lr: 1e-3  # Section 17: "as in Section 3"')
    found, *_ = ask(repo)
    model = "src/my_paper/model.py"
    places = {name.removeprefix("Section "): part["places"] for name, part in found.items()}
    assert places == {
        "1": [f"{model}:1"],
        "2": [f"{model}:4"],
        "3": [f"{model}:4"],
        "4": [f"{model}:7 PaperModel"],
        "5.1": [f"{model}:12 PaperModel"],
        "6": [f"{model}:17 PaperModel.forward"],
        "7": [f"{model}:19 PaperModel.forward"],
        "8": [f"{model}:20 PaperModel.forward"],
        "10": [f"{model}:26 PaperModel.forward"],
        "17": [f"configs/experiment/paper.yaml:{line} optimizer.lr"],
        "Equation (2)": [f"{model}:13 PaperModel"],
    }
    assert list(places) == [*map(str, [1, 2, 3, 4, 5.1, 6, 7, 8, 10, 17]), "Equation (2)"], "as in a paper"
    assert {name for name, part in found.items() if part["state"] == "configuration"} == {"Section 17"}
    assert found["Equation (2)"]["state"] == "no test"


def test_checklist_promises(repo):
    """What the checklist promises and nothing cites has no code; that it promises is no citation."""
    path = repo / "src/my_paper/__init__.py"
    edit(
        path,
        "- [ ] Section …: the architecture",
        "- [x] Section 2 and Equation (1): the architecture",
    )
    edit(path, "- [ ] Section …: the objective", "- [ ] Section 3: the objective")
    edit(path, "TODO(paper): the sections", "Of Section 4 nothing. TODO(paper): the sections")
    edit(repo / "src/my_paper/loss.py", '"""', '"""Section 3. ')
    found, *_ = ask(repo)
    assert {name: part["state"] for name, part in found.items()} == {
        "Section 2": "no code",
        "Section 3": "no test",
        "Equation (1)": "no code",
    }


def test_a_part_of_what_the_checklist_promises_counts_for_it(repo):
    edit(repo / "src/my_paper/__init__.py", "- [ ] Section …: the architecture", "- [x] Appendix B: the architecture")
    edit(repo / "src/my_paper/loss.py", '"""', '"""Appendix B.2. ')
    found, *_ = ask(repo)
    assert list(found) == ["Appendix B.2"]


@pytest.fixture
def suite(repo):
    """A repository whose only tests are ``SUITE``, and in which ``FORMULA`` cites all that they do."""
    shutil.rmtree(repo / "tests/checks")
    (repo / "tests/test_reference.py").unlink()
    (repo / "tests/test_paper.py").write_text(SUITE)
    (repo / "src/my_paper/formula.py").write_text(FORMULA)
    return repo


@pytest.fixture
def quick(suite):
    """The same, without the imports of torch and Lightning: ``tests/conftest.py`` has only its hooks."""
    path = suite / "tests/conftest.py"
    _, begin, hooks = path.read_text().partition("WHOLE_SUITE =")
    hooks = begin + hooks.partition("@functools.cache")[0]
    imports = [
        "import contextlib, os, re",
        "import pytest",
        "from pathlib import Path",
        "from my_paper.harness.identity import ROOT",
    ]
    imports += [
        "from my_paper.harness.evidence.assertions import Assertions",
        "from my_paper.harness.evidence.record import code_digest, write_json",
        "from my_paper.harness.evidence.tests import suite_file",
    ]
    path.write_text("\n".join([*imports, hooks]))
    return suite


def test_outcomes_are_those_of_pytest(suite):
    assert run("pytest", cwd=suite, ok=False).returncode == 1
    assert "(pytest has run since: python report.py)" in run("python", "report.py", "--check", cwd=suite).stdout
    assert ask(suite, write=False)[1:] == [{}, "the whole suite has not been run"]
    assert not (suite / "results").exists(), "a check writes nothing"
    found, known, why = ask(suite)
    assert why == "" and known == {f"tests/test_paper.py::{name}": outcome for name, outcome in sorted(ENDED.items())}
    states = "verified failed skipped failed verified failed verified skipped".split() + ["no test"]
    states += ["asserts nothing about code that cites it"] * 4
    assert {name: part["state"] for name, part in found.items()} == {
        f"Equation ({number})": state for number, state in enumerate(states, start=1)
    }
    assert found["Equation (7)"]["tests"] == {"tests/test_paper.py::TestAll::TestInner::test_method": "passed"}

    # what is committed is enough, and is left alone while it is right
    kept = (suite / "results/tests.json").read_text()
    reasons = {"no GPU": ["test_skips"], "expected to fail": ["test_is_expected_to_fail"]}
    told = json.loads(kept)["skipped"]
    assert told == {why: [f"tests/test_paper.py::{name}" for name in names] for why, names in reasons.items()}
    assert str(suite) not in kept and set(json.loads(kept)) == set(
        "suite code passed outcomes verifies skipped rows checksum".split()
    )
    before = (suite / "results/tests.json").stat().st_mtime_ns
    assert ask(suite)[1:] == [known, ""]
    shutil.rmtree(suite / "runs")
    assert ask(suite)[1:] == ask(suite, write=False)[1:] == [known, ""]
    assert (suite / "results/tests.json").stat().st_mtime_ns == before

    # words may change: comments, docstrings, layout, what report.py writes
    edit(suite / "src/my_paper/formula.py", '"""Equations (1)–(9)', '# more words\n    """Equations (1)–(8)')
    edit(suite / "tests/test_paper.py", "def test_passes", "# Equation (9)\ndef test_passes")
    edit(suite / "configs/experiment/paper.yaml", "\noptimizer:", "\n# more words\noptimizer:")
    edit(suite / "src/my_paper/__init__.py", "not started", "runs")
    found, *rest = ask(suite)
    assert rest == [known, ""]
    assert found["Equation (9)"]["state"] == "no code", "a test cites what no code does"


def test_a_new_citation_counts_after_the_next_pytest(quick):
    """Which changes a docstring alone, and so neither the code nor how a test ends."""
    run("pytest", cwd=quick, ok=False)
    assert ask(quick)[0]["Equation (9)"]["state"] == "no test"
    edit(quick / "tests/test_paper.py", "Equations (1) and (2)", "Equations (1), (2) and (9)")
    assert ask(quick)[0]["Equation (9)"]["state"].startswith("asserts nothing")
    run("pytest", cwd=quick, ok=False)
    assert ask(quick)[0]["Equation (9)"]["state"] == "verified"


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("src/my_paper/model.py", "Dropout(", "AlphaDropout("),
        ("src/my_paper/harness/schedules.py", "import math", "import math as math"),
        ("tests/test_paper.py", 'assert case == "b"', "assert case"),
        ("tests/conftest.py", "exitstatus <= 1", "exitstatus < 2"),
        ("tests/reference.npz", "1", "2"),
        ("configs/experiment/paper.yaml", "  lr: ", "  lr: 1"),
        ("configs/paper.yaml", "shared_samples: 0", "shared_samples: 1"),
    ],
)
def test_changed_code_is_not_verified(quick, file, before, after):
    (quick / "tests/reference.npz").write_text("1")
    code = (
        "from my_paper.harness.evidence import record as records, tests as suite\n"
        "ended = {'tests/a.py::test_a': 'passed'}\n"
        "records.write_json(suite.RESULTS, {'suite': suite.suite_digest(), 'outcomes': ended})"
    )
    run("python", "-c", code, cwd=quick)
    assert ask(quick)[2] == ""
    edit(quick / file, before, after)
    found, known, why = ask(quick)
    assert known == {} and why == "the whole suite has not been run since the code changed"
    assert {part["state"] for name, part in found.items() if part["tests"]} == {"not run"}


@pytest.mark.parametrize(
    "options",
    [
        "-k passes",
        "tests/test_paper.py",
        "-x",
        "--lf",
        "--collect-only",
        "--setup-plan",
        "--fixtures",
        "--junitxml=mine.xml",
    ],
)
def test_partial_run_says_nothing(quick, options):
    said = run("pytest", *options.split(), cwd=quick, ok=False).stdout
    assert not list(quick.glob("runs/tests-*")) and ask(quick)[1] == {}
    why = "it stopped at a failure" if options == "-x" else f"{options} may leave tests out"
    assert f"report.py does not count this run: {why}. It counts: pytest\n" in said or options == "--fixtures"


@pytest.mark.parametrize(
    "planted",
    [
        "def test_stops():\n    raise KeyboardInterrupt\n",
        "raise OSError\n",
        "from pathlib import Path\n\ndef test_edits():\n    Path(__file__).write_text('edited = 1')\n",
    ],
)
def test_run_that_was_cut_short_says_nothing(quick, planted):
    (quick / "tests/test_the_last.py").write_text(planted)
    run("pytest", cwd=quick, ok=False)
    assert not list(quick.glob("runs/tests-*")) and ask(quick)[1] == {}


@pytest.mark.parametrize("options", ["tests -q --durations=3 --tb=short -rs", ". -n 1 --maxfail=99"])
def test_whole_suite_in_other_words(quick, options):
    run("pytest", *options.split(), cwd=quick, ok=False)
    found, known, _ = ask(quick)
    assert len(known) == len(ENDED) and found["Equation (7)"]["state"] == "verified"


def test_a_file_that_is_not_python_is_one_line(repo):
    (repo / "src/my_paper/data.py").write_text("# Section 1\ndef setup(\n")
    done = run("pytest", "-q", cwd=repo, ok=False)
    said = "src/my_paper/data.py, line 2, is not valid Python: '(' was never closed\n"
    assert done.returncode == 4 and done.stderr == f"ERROR: {said}\n", done
    assert run("python", "report.py", cwd=repo, ok=False).stderr == said


def test_what_is_red_on_a_row_is_red_in_the_report(quick):
    """Until all checks of that row, or the code, are others."""
    check = quick / "tests/checks/test_row.py"
    check.parent.mkdir()
    check.write_text("import os\n\ndef test_row():\n    assert os.environ.get('EXPERIMENT') != 'row'\n")
    run("pytest", "-q", "tests/checks", cwd=quick, ok=False, EXPERIMENT="row")
    assert ask(quick)[1] == {}, "the whole suite has not run"
    run("pytest", "-q", cwd=quick, ok=False)
    known = ask(quick)[1]
    assert known.pop("row: tests/checks/test_row.py::test_row") == "failed" and len(known) == len(ENDED) + 1
    check.write_text(check.read_text().replace("!=", "=="))
    run("pytest", "-q", "tests/checks", cwd=quick, EXPERIMENT="row")
    run("pytest", "-q", cwd=quick, ok=False)
    assert len(ask(quick)[1]) == len(ENDED) + 1
    assert json.loads((quick / "results/tests.json").read_text())["rows"] == ["row"]


LOST = """
import json
from my_paper.harness.evidence import tests
print(json.dumps(tests.lost_checks(tests.read_suite())))
"""


def lost(repo) -> list[str]:
    return json.loads(run("python", "-c", LOST, cwd=repo).stdout)


def test_a_check_that_is_lost_is_named(repo):
    """Removed, changed, deselected, or skipped after it has passed on the same code of the paper."""
    code = (
        "from my_paper.harness.evidence import tests\n"
        "from my_paper.harness.evidence.record import write_json\n"
        "import re, sys\n"
        "names = [f'tests/checks/{p.name}::{n}' for p in tests.CHECKS.glob('test_*.py')"
        " for n in re.findall(r'(?m)^def (test_.+?)[(]', p.read_text())]\n"
        "ended = dict.fromkeys(names, 'passed') | {sys.argv[1]: sys.argv[2]}\n"
        "ended.pop(sys.argv[3], None)\n"
        "write_json(tests.suite_file(), {'outcomes': ended, 'verifies': {}})"
    )
    assert lost(repo) == []
    name = re.search(r"(?m)^def (test_\w+)", (repo / "tests/checks/test_data.py").read_text())[1]
    node = f"tests/checks/test_data.py::{name}"

    def ended(outcome: str, without: str = "") -> list[str]:
        (repo / "runs").mkdir(exist_ok=True)
        run("python", "-c", code, node, outcome, without, cwd=repo)
        return lost(repo)

    assert ended("skipped") == [], "it may not apply"
    assert ended("passed") == []
    assert ended("skipped") == [f"{node} has passed on this code and is now skipped"]
    assert "Not verified" in run("python", "report.py", cwd=repo).stdout
    edit(repo / "src/my_paper/model.py", "nn.ReLU()", "nn.GELU()")
    assert ended("skipped") == [], "with other code, it may no longer apply"
    assert ended("passed", without=node) == [f"{node} was not run"]
    edit(repo / "tests/checks/test_data.py", "assert ", "assert True or ")
    (repo / "tests/checks/test_model.py").unlink()
    assert {"tests/checks/test_data.py was changed", "tests/checks/test_model.py is missing"} <= set(lost(repo))
    assert "checks lost: tests/checks/test_data.py was changed" in run("python", "report.py", cwd=repo).stdout


def test_uncollected_file_claims_nothing(quick):
    (quick / "tests/test_the_last.py").write_text("raise OSError\n")
    edit(quick / "pyproject.toml", 'addopts = "', 'addopts = "--continue-on-collection-errors ')
    assert re.search(r"\d passed, .* errors? in", run("pytest", cwd=quick, ok=False).stdout)
    assert not list(quick.glob("runs/tests-*")) and ask(quick)[1] == {}


def test_damaged_outcomes_claim_nothing(quick):
    run("pytest", "-q", cwd=quick, ok=False)
    (left,) = quick.glob("runs/tests-*.json")
    whole = left.read_text()
    left.write_text(whole[: len(whole) // 2])
    assert ask(quick)[1] == {} and not (quick / "results").exists()
    left.write_text(whole)
    assert ask(quick)[1]
    kept = quick / "results/tests.json"
    for text in ('{"suite": ["damaged"', kept.read_text().replace('"failed"', '"passed"', 1)):
        assert text != kept.read_text()
        kept.write_text(text)
        assert ask(quick, write=False)[1:] == [{}, "the whole suite has not been run since the code changed"]
        ask(quick)


def test_pytest_runs_where_nothing_can_be_written(quick):
    (quick / "runs").write_text("a file, no folder")
    (quick / "tests/test_paper.py").write_text("def test_passes():\n    pass\n")
    assert "1 passed" in run("pytest", cwd=quick).stdout
