"""The report, from records: what counts, what the verdict is, and what is written where."""

import json
import re

import pytest
from conftest import run

CLAIM = {"value: null": "value: 94.3", "tolerance: null": "tolerance: 0.5", "spread: null": "spread: 0.2"}
DIGEST = (
    "import hydra; from my_paper.harness.settings import ROOT, digest\n"
    "with hydra.initialize_config_dir(str(ROOT / 'configs'), version_base='1.3'):\n"
    "    print(digest(hydra.compose('train', ['experiment=paper'])))"
)

CODE = "from my_paper.harness.records import code_digest; print(code_digest())"


@pytest.fixture
def claimed(repo):
    """A repository whose paper claims 94.3 ± 0.2 %, tolerance 0.5."""
    path = repo / "configs/paper.yaml"
    text = path.read_text()
    for before, after in CLAIM.items():
        text = text.replace(before, after)
    path.write_text(text)
    return repo


@pytest.fixture
def add(claimed):
    """Add a record of ``experiment=paper`` with an accuracy in percent; keywords go over its fields."""
    digest = run("python", "-c", DIGEST, cwd=claimed).stdout.strip()
    code = run("python", "-c", CODE, cwd=claimed).stdout.strip()
    (claimed / "results").mkdir()

    def add(seed: int, accuracy: float, **fields) -> None:
        record = {
            "experiment": "paper",
            "digest": digest,
            "seed": seed,
            "status": "finished",
            "run": f"runs/paper-{digest}-seed{seed}",
            "git": {"commit": "0" * 40, "dirty": False},
            "code": code,
            "metrics": {"test/accuracy": accuracy / 100},
        }
        path = claimed / f"results/paper-{fields.get('digest', digest)}-seed{seed}.json"
        path.write_text(json.dumps(record | fields))

    return add


def line(repo) -> str:
    """The line of the table, with single spaces."""
    report = run("python", "report.py", cwd=repo).stdout
    return next(re.sub(" +", " ", text.strip()) for text in report.splitlines() if text.startswith("  paper "))


@pytest.mark.parametrize(
    ("accuracies", "ours", "verdict"),
    [
        ([94.1, 94.3, 93.9], "94.10 ± 0.20 % (n = 3)", "reproduced"),
        ([94.1], "94.1 % (n = 1)", "reproduced (n = 1)"),
        ([93.0, 93.2], "93.10 ± 0.14 % (n = 2)", "not reproduced"),
        ([96.0, 96.2], "96.10 ± 0.14 % (n = 2)", "not reproduced (better)"),
    ],
)
def test_verdict(claimed, add, accuracies, ours, verdict):
    for seed, accuracy in enumerate(accuracies):
        add(seed, accuracy)
    assert line(claimed) == f"paper test/accuracy – 94.3 ± 0.2 % {ours} ± 0.5 {verdict}"


def test_smaller_may_be_better(claimed, add):
    path = claimed / "configs/paper.yaml"
    path.write_text(path.read_text().replace("mode: max", "mode: min"))
    add(0, 93.0), add(1, 93.2)
    assert line(claimed).endswith("not reproduced (better)")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"digest": "00000000"}, "another configuration"),
        ({"git": {"commit": "0" * 40, "dirty": True}}, "code not committed"),
        ({"code": "00000000"}, "the code has changed since"),
        ({"git": {"commit": None, "dirty": None}}, "code not in git"),
        ({"metrics": {"test/loss": 1.0}}, "no test/accuracy in it"),
        ({"status": "interrupted"}, "interrupted"),
    ],
)
def test_what_does_not_count(claimed, add, fields, reason):
    """It is shown with its reason, and changes no number."""
    add(0, 94.3), add(1, 94.3), add(2, 10.0, **fields)
    report = run("python", "report.py", cwd=claimed).stdout
    assert "(n = 2)" in report and f"seed2 ({reason})" in report


@pytest.mark.parametrize(
    ("claim", "accuracies", "shown", "verdict"),
    [
        ("at least", [99.0, 99.5], "≥ 94.3", "reproduced"),
        ("at least", [90.0, 90.5], "≥ 94.3", "not reproduced"),
        ("at most", [90.0, 90.5], "≤ 94.3", "reproduced"),
        ("at most", [99.0, 99.5], "≤ 94.3", "not reproduced (better)"),
    ],
)
def test_a_threshold_needs_no_tolerance(claimed, add, claim, accuracies, shown, verdict):
    path = claimed / "configs/paper.yaml"
    path.write_text(
        path.read_text().replace("claim: equal", f"claim: {claim}").replace("tolerance: 0.5", "tolerance: null")
    )
    for seed, accuracy in enumerate(accuracies):
        add(seed, accuracy)
    assert shown in line(claimed) and line(claimed).endswith(f"– {verdict}")


def test_code_is_the_same_whatever_its_comments(repo):
    def digest() -> str:
        return run("python", "-c", CODE, cwd=repo).stdout

    before, path = digest(), repo / "src/my_paper/model.py"
    path.write_text(path.read_text().replace('"""A small', '"""# A tiny').replace("# (B, C, H, W)", "# (B, 1, 8, 8)"))
    assert digest() == before
    path.write_text(path.read_text().replace("nn.ReLU()", "nn.GELU()"))
    assert digest() != before


def test_a_seed_counts_once(claimed, add):
    """Of several runs of one seed the newest that may count, whatever their files are called."""
    add(0, 94.3, started="2026-01-01")
    (claimed / "results/copy.json").write_text(next((claimed / "results").glob("*.json")).read_text())
    add(0, 94.1, started="2026-01-02")
    report = run("python", "report.py", cwd=claimed).stdout
    assert "94.1 % (n = 1)" in report and "a newer run of this seed counts" in report


def test_a_diverged_run_is_no_success(claimed, add):
    add(0, 94.3), add(1, float("nan"))
    assert line(claimed).endswith("nan % (n = 2) ± 0.5 not reproduced")


def test_code_digest_does_not_depend_on_the_version_of_python(repo):
    """Two spellings of one tree, and fields that some versions leave out: nothing empty is part of it."""
    script = (
        "import ast; from my_paper.harness.records import _plain\n"
        "tree = ast.parse('def f(x): return x')\n"
        "fewer = ast.parse('def f(x): return x'); f = fewer.body[0]\n"
        "[delattr(f, name) for name in ('type_params', 'type_comment', 'returns') if not getattr(f, name, True)]\n"
        "assert _plain(tree) == _plain(fewer) != _plain(ast.parse('def f(x): return -x'))"
    )
    run("python", "-c", script, cwd=repo)


def test_another_experiment_is_no_evidence(claimed, add):
    add(0, 94.3, experiment="smoke")
    assert line(claimed).endswith("no run yet")


def test_digest_is_of_what_decides_the_result(repo):
    def digest(*overrides: str) -> str:
        script = DIGEST.replace("'experiment=paper'", ", ".join(map(repr, ("experiment=paper", *overrides))))
        return run("python", "-c", script, cwd=repo).stdout

    assert len({digest(), digest("seed=3"), digest("trainer=gpu", "logger=wandb"), digest("threads=2")}) == 1
    assert (
        len(
            {
                digest(),
                digest("optimizer.lr=0.1"),
                digest("trainer.precision=bf16-mixed"),
                digest("loss.smoothing=0.1"),
                digest("trainer=ddp"),
            }
        )
        == 5
    )


def test_report_is_idempotent_and_touches_only_its_places(claimed, add):
    run("git", "commit", "--quiet", "--all", "--message", "Claim", cwd=claimed)
    add(0, 94.3), add(1, 94.2)
    run("python", "report.py", cwd=claimed)
    run("git", "add", "--all", cwd=claimed)
    changed = run("git", "diff", "--cached", "--name-only", cwd=claimed).stdout.split()
    assert {path.split("/")[0] for path in changed} == {"README.md", "docs", "results", "src"}
    removed = run("git", "diff", "--cached", "--unified=0", "README.md", "src", cwd=claimed).stdout
    removed = [text for text in removed.splitlines() if text.startswith("-") and not text.startswith("---")]
    assert removed == ["-Not started.", "-    not started: python train.py experiment=paper, then python report.py"]
    run("python", "report.py", cwd=claimed)
    assert run("git", "diff", "--name-only", cwd=claimed).stdout == ""
    assert run("ruff", "format", "--check", ".", cwd=claimed)


def test_status_text_cannot_end_the_docstring(claimed, add):
    path = claimed / "configs/paper.yaml"
    path.write_text(path.read_text().replace('dataset: ""', 'dataset: \'""" | \\ `x`\''))
    add(0, 94.3)
    run("python", "report.py", cwd=claimed)
    run("python", "report.py", cwd=claimed)
    run(
        "python",
        "-c",
        "import my_paper; assert 'reproduced 1 of 1, by stand-ins: TODO(paper) in data.py' in my_paper.__doc__",
        cwd=claimed,
    )
    table = [text for text in (claimed / "README.md").read_text().splitlines() if text.startswith("| paper ")]
    assert len(table) == 1 and len(re.findall(r"(?<!\\)\|", table[0])) == 8


@pytest.mark.parametrize("content", ["{", "[]", "{}", "1"])
def test_a_broken_record_is_named(claimed, add, content):
    (claimed / "results/paper-1-seed0.json").write_text(content)
    done = run("python", "report.py", cwd=claimed, ok=False)
    assert done.returncode == 1 and "paper-1-seed0.json is not a record" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_left_to_do_names_file_and_line(repo):
    report = run("python", "report.py", cwd=repo).stdout
    marks = dict(re.findall(r"^  (\S+):([\d,]+)$", report, flags=re.MULTILINE))
    assert {"configs/paper.yaml", "configs/experiment/paper.yaml", "src/my_paper/model.py", "PAPER.md"} <= marks.keys()
    for name, numbers in marks.items():
        lines = (repo / name).read_text().splitlines()
        assert all("TODO(paper)" in lines[int(number) - 1] for number in numbers.split(","))
